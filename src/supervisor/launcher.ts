/**
 * The port through which processes come to be: child processes at home, Fargate tasks in the cloud.
 * Whatever way the control plane ends, SIGKILL included, what it launched ends with it.
 */
import { Fault } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';
import type { ToolCall, ToolResult } from '../hands/wire.ts';
import type { FilesAsOf, LogPlace } from '../hands/workspace-archive.ts';

/** How a process ended; `null` where the other one is set. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last lines of its standard error, bounded, for diagnosis. */
  readonly stderr: string;
  /** Why it was made to end, when it was not by a stop. */
  readonly why?: string | undefined;
  /** Of the system, when it could not be started at all. */
  readonly errno?: string | undefined;
}

/** A process did not come to be: it ended, or said nothing, before it was ready. */
export class LaunchFailed extends Fault {
  readonly code = 'LAUNCH_FAILED';
  /** The machine has no descriptor, process or memory for it now: later it may. */
  readonly isShortage: boolean;

  constructor(message: string, options: { cause?: unknown; isShortage?: boolean } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.isShortage = options.isShortage ?? false;
  }
}

/** Whether the machine had no room for a process: it is worth the wait. */
export function isShortage(error: unknown): boolean {
  return error instanceof LaunchFailed && error.isShortage;
}

/** A brain, started and loaded, that waits for its session or works on it. */
export interface Brain {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Gives it its session; once only. */
  assign(token: string): void;
  /** Asks it to end, then makes it end; resolves when it has. */
  stop(): Promise<void>;
}

/** The hands of one session. Results are kept by call id over their restarts (hands/wire.ts HANDS-1). */
export interface Hands {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** How far into the log the files reached with which they began. */
  readonly filesAsOf: FilesAsOf;
  /** Rejects with HandsLost when the hands end before the result came. They may never answer: whoever calls keeps the time (`kill`). */
  call(call: ToolCall): Promise<ToolResult>;
  cancel(callId: string): void;
  /** Makes them end at once, with everything that runs in them; `why` is what is said of it. */
  kill(why: string): void;
  /** How many processes run that commands have left behind; 0 when the hands do not say. */
  background(): Promise<number>;
  stop(): Promise<void>;
}

export interface Launcher {
  /** Resolves when the brain has loaded and waits. Rejects with LaunchFailed when it ends before. */
  launchBrain(): Promise<Brain>;
  /** Resolves when the hands serve, with the session's workspace as it was left. `signal` ends the wait for a workspace. Rejects with LaunchFailed. */
  launchHands(sessionId: SessionId, signal?: AbortSignal): Promise<Hands>;
  /** The log says what there was to say of the files with which hands began (Hands.filesAsOf). Never rejects. */
  told(sessionId: SessionId): Promise<void>;
  /**
   * Keeps the session's files as they are now where the next server finds them, while its hands live. `place` is how far the log has
   * come. Never rejects: false when they could not be kept.
   */
  checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean>;
  /**
   * The session's hands have ended, and it starts no others for now: what they left is kept where the next server finds it.
   * Never rejects: what cannot be kept stays as it is and is tried again.
   */
  rest(sessionId: SessionId, place?: LogPlace): Promise<void>;
  /**
   * Removes what the session left, here and wherever it was kept; only once its hands have ended. Again is no matter. False when another
   * server still has it: to be tried again.
   */
  forget(sessionId: SessionId): Promise<boolean>;
  /** Those that have left something here. */
  sessions(): Promise<readonly SessionId[]>;
}
