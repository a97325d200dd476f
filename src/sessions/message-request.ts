/** A request to say something: what of it is to be written, and whether a message in the log is what was asked for. */
import { InvalidInput } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';
import { MESSAGE_BYTES_MAX } from '../kernel/limit.ts';
import { parseText } from '../kernel/parse.ts';
import { requestHash } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import { isJson } from '../journal/codec.ts';
import type { MessageMode } from '../journal/event-catalog.ts';
import type { Audits } from '../journal/journal.ts';
import type { Actor } from '../journal/event.ts';
import type { Command } from './lifecycle.ts';
import type { Session } from './session.ts';
import { parseMetadata } from './start-request.ts';

type SendCommand = Extract<Command, { kind: 'send' }>;

export interface SendMessage {
  readonly sessionId: SessionId;
  readonly text: string;
  /** Default: steer. */
  readonly mode?: MessageMode | undefined;
  readonly raw?: unknown;
  readonly actor: Actor;
  /** Whoever says it may only answer what the agent asks. */
  readonly isAnswer?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly audit?: Audits<Session> | undefined;
}

/** What is to be said, or why it cannot be: a replay is answered whatever would be wrong with it now. */
export function parseMessage(message: SendMessage): SendCommand | InvalidInput {
  const { text, mode = 'steer', raw, actor, isAnswer } = message;
  try {
    const kept = raw === undefined ? {} : parseMetadata({ raw }, 'raw', MESSAGE_BYTES_MAX);
    return {
      kind: 'send',
      text: parseText('text', text, MESSAGE_BYTES_MAX),
      mode,
      actor,
      isAnswer,
      ...kept,
    };
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    throw error;
  }
}

/** `said`: the body of the event. */
export function isSameMessage(said: unknown, { text, mode = 'steer', raw }: SendMessage): boolean {
  if (raw !== undefined && !isJson({ raw })) return false;
  return requestHash(wellFormedJson(said)) === requestHash(wellFormedJson({ text, mode, raw }));
}
