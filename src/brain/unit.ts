/**
 * The port to the control plane: everything a brain can do (sessions/unit-wire.ts). brain/unit-endpoint.ts implements it
 * over HTTP. Every method may be called again after a crash: appends are idempotent by key, tools by call id.
 */
import type { ToolResult } from '../hands/wire.ts';
import type {
  Assignment,
  UnitAppend,
  UnitAppended,
  UnitDelta,
  UnitEvents,
  UnitToolCall,
} from '../sessions/unit-wire.ts';

export interface Unit {
  assignment(signal: AbortSignal): Promise<Assignment>;
  /**
   * Calls `receive` with every event after `after` exactly once, in order, history then live. Ends, either way,
   * when `signal` aborts; otherwise rejects with UnitRefusal, UnitUnreachable or UnitWireBroken.
   */
  follow(after: number, receive: (batch: UnitEvents) => void, signal: AbortSignal): Promise<void>;
  /** Calls `receive` with the events after `after` and up to `to`, which are in the log, once and in order. Rejects as `follow` does. */
  read(after: number, to: number, receive: (batch: UnitEvents) => void, signal: AbortSignal): Promise<void>;
  append(request: UnitAppend, signal: AbortSignal): Promise<UnitAppended>;
  /** Ephemeral; the caller ignores failures. */
  postDelta(delta: UnitDelta, signal: AbortSignal): Promise<void>;
  /** Waits for the result. Aborting ends the wait, not the tool. */
  runTool(callId: string, call: UnitToolCall, signal: AbortSignal): Promise<ToolResult>;
  cancelTool(callId: string, signal: AbortSignal): Promise<void>;
}

/** The door understood and refused. */
export class UnitRefusal extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'UnitRefusal';
    this.code = code;
  }

  /** True when this brain has nothing more to do here: another one took over, or the session is closed. */
  get final(): boolean {
    return FINAL.has(this.code);
  }
}

/** Whether the door refused what was asked for itself: asking the same again will be refused again. */
export function isInvalid(error: unknown): error is UnitRefusal {
  return error instanceof UnitRefusal && error.code === 'INVALID_INPUT';
}

/** The door does not speak this wire: trying again would end the same way, so somebody has to look. */
export class UnitWireBroken extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UnitWireBroken';
  }
}

/** The door could not be reached for longer than a brain waits. */
export class UnitUnreachable extends Error {
  constructor(cause: unknown) {
    super('The unit endpoint cannot be reached.', { cause });
    this.name = 'UnitUnreachable';
  }
}

const FINAL: ReadonlySet<string> = new Set([
  'EPOCH_STALE',
  'SESSION_ARCHIVED',
  'SESSION_NOT_FOUND',
  'SESSION_GONE',
  'LOG_FULL',
  'UNAUTHENTICATED',
  'FORBIDDEN',
]);
