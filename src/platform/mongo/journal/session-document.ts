/**
 * How a session lies in MongoDB (docs/adr/0011-mongo-layout.md): its document holds the record and the newest appends; older
 * appends are pages of their own. Everything that one append changes is in the one document, so it lands whole or not at all (JOURNAL-3).
 */
import type { Level } from '../../../journal/event-catalog.ts';
import type { Actor, EventType, RecordedEvent } from '../../../journal/event.ts';
import type { AgentId, OrganisationId, SessionId, TurnId } from '../../../kernel/id.ts';
import type { LateUsage } from '../../../sessions/append-plan.ts';
import {
  partsOf,
  type Session,
  type SessionOrigin,
  type SessionState,
  type SessionStatus,
  type Turn,
} from '../../../sessions/session.ts';

/** Digits of a seq in a page's id: more than LOG_EVENTS_MAX has, so that ids sort as numbers do. */
const SEQ_DIGITS = 10;

export interface StoredEvent {
  readonly at: number;
  readonly type: EventType | (string & {});
  readonly level: Level;
  readonly actor: Actor;
  readonly turnId?: TurnId | undefined;
  /** JSON text as it was printed; a preview when `whole` is set. */
  readonly body: string;
  /** The body lies in `body` under this id. */
  readonly whole?: { readonly id: string; readonly bytes: number } | undefined;
}

/** JOURNAL-5: `id` is "<session>/<append key>". */
export interface StoredKey {
  readonly id: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
}

/** What one write added: one append, or several that were waiting together. Never changed again. */
export interface Page {
  readonly firstSeq: number;
  readonly events: readonly StoredEvent[];
  readonly keys?: readonly StoredKey[] | undefined;
  /** Turns that ended for good in it, since the next one began. */
  readonly turns?: readonly Turn[] | undefined;
  /** What turns used that had ended for good before. */
  readonly lateUsage?: readonly LateUsage[] | undefined;
  /** Tells this write from any other that tried for the same place. */
  readonly writeId: string;
}

export type PageDocument = Page & { readonly _id: string };

export interface SessionDocument {
  readonly _id: SessionId;
  /** In the database absent where it is the first one (ownership.ts): session-collection.ts makes the one of the other. */
  readonly organisationId: OrganisationId;
  /** The caller's natural key. */
  readonly key?: string | undefined;
  readonly agentId: AgentId;
  readonly createdAt: number;
  /** The write that created it. */
  readonly createdBy: string;
  /** Metadata is the caller's JSON and lies here as text: not every name or number of JSON is one of BSON. */
  readonly origin: Omit<
    SessionOrigin,
    'id' | 'organisationId' | 'createdAt' | 'agentId' | 'key' | 'metadata'
  > & {
    readonly metadata?: string | undefined;
  };
  readonly status: SessionStatus;
  /** Set while the session wants a brain: since when. */
  readonly wantedSince?: number | undefined;
  /** Set while something is due for it by itself: when (sessions/due.ts). */
  readonly dueAt?: number | undefined;
  /** Since when the oldest of what it waits for from people waits (stores/inbox-store.ts). */
  readonly waitsSince?: number | undefined;
  /** When that changed last, by the clock of the database. */
  readonly waitsAt?: Date | undefined;
  readonly state: SessionState;
  readonly head: number;
  /** Of all bodies, spilled ones whole (JOURNAL-6). */
  readonly bytes: number;
  /** Of the last event. */
  readonly at: number;
  /** JOURNAL-6: log.limit_reached is the last event. */
  readonly full: boolean;
  /** The newest pages, ascending, up to the head. Those before the first of them are in `page`. */
  readonly tail: readonly Page[];
}

export function pageIdOf(sessionId: SessionId, firstSeq: number): string {
  return `${sessionId}/${String(firstSeq).padStart(SEQ_DIGITS, '0')}`;
}

export function keyIdOf(sessionId: SessionId, key: string): string {
  return `${sessionId}/${key}`;
}

/** The seq before the tail: up to it the log is in `page`. */
export function loggedOf({ tail, head }: Pick<SessionDocument, 'tail' | 'head'>): number {
  return (tail[0]?.firstSeq ?? head + 1) - 1;
}

export function storedOrigin(
  origin: SessionOrigin,
): Pick<SessionDocument, '_id' | 'organisationId' | 'key' | 'agentId' | 'createdAt' | 'origin'> {
  const { id, organisationId, createdAt, agentId, key, agentRevision, model } = origin;
  const { credentialId, limits, toolRules, agentRules, clientTools, metadata, requestHash } = origin;
  const text = metadata === undefined ? undefined : JSON.stringify(metadata);
  return {
    _id: id,
    organisationId,
    key,
    agentId,
    createdAt,
    origin: {
      agentRevision,
      model,
      credentialId,
      limits,
      toolRules,
      agentRules,
      clientTools,
      metadata: text,
      requestHash,
    },
  };
}

/** The part of the record that appends change. */
export function storedState(session: Session): Pick<SessionDocument, 'status' | 'state'> {
  return { status: session.status, state: partsOf(session).state };
}

export function sessionOf(document: Omit<SessionDocument, 'tail'>): Session {
  const { _id: id, organisationId, key, agentId, createdAt, origin, state } = document;
  const { metadata: text, ...rest } = origin;
  const metadata = text === undefined ? undefined : (JSON.parse(text) as SessionOrigin['metadata']); // storedOrigin wrote it
  return { id, organisationId, createdAt, agentId, ...rest, metadata, key, ...state };
}

export function storedEvent(event: RecordedEvent, wholeId: string | undefined): StoredEvent {
  const { at, type, level, actor, turnId, body, spilledBytes } = event;
  const whole =
    wholeId === undefined || spilledBytes === undefined ? undefined : { id: wholeId, bytes: spilledBytes };
  return { at, type, level, actor, turnId, body, whole };
}

export function recordedEvents(sessionId: SessionId, { firstSeq, events }: Page): RecordedEvent[] {
  return events.map(({ at, type, level, actor, turnId, body, whole }, index) => ({
    sessionId,
    seq: firstSeq + index,
    at,
    type,
    level,
    actor,
    turnId,
    body,
    spilledBytes: whole?.bytes,
  }));
}
