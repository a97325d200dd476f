/** An event of a session's log in its forms: before it has a place, in the log, and as it is stored. */
import type { EventId, SessionId, TurnId } from '../kernel/id.ts';
import type { EVENTS, Level } from './event-catalog.ts';
import type { Body } from './event-field.ts';

export interface Actor {
  readonly kind: 'human' | 'agent' | 'system';
  readonly id?: string | undefined;
  readonly display?: string | undefined;
}

export type EventType = keyof typeof EVENTS;

/** The body of one event type. */
export type BodyOf<T extends EventType> = Body<(typeof EVENTS)[T]['body']>;

interface NewEventOf<T extends EventType> {
  readonly type: T;
  readonly body: BodyOf<T>;
  readonly actor: Actor;
  readonly turnId?: TurnId | undefined;
  /** Only where it differs from the table's: a narrating agent.message is `progress`. */
  readonly level?: Level | undefined;
}
/** An event before it has a place in the log. */
export type NewEvent = { readonly [T in EventType]: NewEventOf<T> }[EventType];

interface EventOf<T extends EventType> extends NewEventOf<T> {
  readonly id: EventId;
  readonly sessionId: SessionId;
  readonly seq: number;
  /** Milliseconds since the epoch, UTC; never less than the event before. */
  readonly at: number;
  readonly level: Level;
}
/** An event of the log, typed by its body. */
export type Event = { readonly [T in EventType]: EventOf<T> }[EventType];

/**
 * An event as it is stored and handed to readers: the body stays JSON text, since parsing and printing it again
 * would cost more than everything else on the way out. `journal/codec.ts` parses it where a part looks inside.
 */
export interface RecordedEvent {
  readonly sessionId: SessionId;
  readonly seq: number;
  readonly at: number;
  /** May be a type that this version does not know. */
  readonly type: string;
  readonly level: Level;
  readonly actor: Actor;
  readonly turnId?: TurnId | undefined;
  /** JSON text of an object. When the body was spilled: a preview of the same shape with long strings cut. */
  readonly body: string;
  /** Bytes of the whole body; set only when it was larger than BODY_INLINE_BYTES_MAX and `body` is a preview. */
  readonly spilledBytes?: number | undefined;
}
