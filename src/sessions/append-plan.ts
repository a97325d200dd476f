/**
 * What an append will write, worked out before the first of it is written: places in the log, times, texts and the record after
 * it. Pure, so that a refusal (a body too large, a fold that fails) leaves neither the store nor memory changed. Every store uses it.
 */
import { assert } from '../kernel/assert.ts';
import { InvalidInput } from '../kernel/fault.ts';
import {
  APPEND_EVENTS_MAX,
  APPEND_KEY_CHARS_MAX,
  BODY_BYTES_MAX,
  BODY_INLINE_BYTES_MAX,
} from '../kernel/limit.ts';
import { LogFull } from '../journal/faults.ts';
import { bodyText, previewText } from '../journal/codec.ts';
import { EVENTS } from '../journal/event-catalog.ts';
import { type NewEvent, type RecordedEvent } from '../journal/event.ts';
import type { Decision, Written } from '../journal/journal.ts';
import type { TurnId } from '../kernel/id.ts';
import { usageOf } from './cost.ts';
import { fold, type FoldEvent, isLateUsage } from './fold.ts';
import type { Session, Turn, Usage } from './session.ts';

/** Where a session's log stands before the append. */
export interface Standing {
  readonly session: Session;
  readonly head: number;
  /** Of all bodies, spilled ones whole. */
  readonly bytes: number;
  /** Of the last event, ms since the epoch: time does not go backwards in a log. */
  readonly at: number;
  /** JOURNAL-6: the log has ended. */
  readonly full: boolean;
}

/** JOURNAL-6, per session. */
export interface LogCaps {
  readonly eventsMax: number;
  readonly bytesMax: number;
}

export interface PlannedEvent {
  readonly event: RecordedEvent;
  /** Bytes of all bodies up to and with this one. */
  readonly bytes: number;
  /** The whole body, when the event carries a preview. */
  readonly whole: string | undefined;
}

/** What a turn used that is not the session's last one any more: to be added to the record of that turn. */
export interface LateUsage {
  readonly turnId: TurnId;
  readonly usage: Usage;
}

export interface Plan {
  /** None: there is no room for what would change nothing but the log, and nothing is written. */
  readonly events: readonly PlannedEvent[];
  /** The record after; the same object when nothing in it changes. */
  readonly session: Session;
  /** Turns that changed, as they are after. */
  readonly turns: readonly Turn[];
  readonly lateUsage: readonly LateUsage[];
  /** JOURNAL-6: the event is not the caller's but log.limit_reached. */
  readonly full: boolean;
}

/** What the plan will have written (AUDIT-2). */
export function writtenBy({ session, head }: Standing, plan: Plan): Written<Session> {
  return {
    before: session,
    after: plan.session,
    firstSeq: head + 1,
    lastSeq: head + plan.events.length,
  };
}

interface Printed {
  readonly text: string;
  readonly bytes: number;
}

const SYSTEM = { kind: 'system' } as const;

export function assertKey(key: string | undefined): void {
  if (key !== undefined && (key.length === 0 || key.length > APPEND_KEY_CHARS_MAX)) {
    throw new InvalidInput('key', `expected 1 to ${APPEND_KEY_CHARS_MAX} characters.`);
  }
}

/** What a decision would write, worked out whole before the first row, so that a refusal leaves nothing (JOURNAL-3). Throws its fault. */
export function planDecision(
  standing: Standing,
  decision: Decision,
  now: number,
  caps: LogCaps,
): Plan | undefined {
  if (decision.kind === 'refuse') throw decision.fault;
  if (decision.kind === 'nothing' || decision.events.length === 0) return undefined;
  const plan = planAppend(standing, decision.events, now, caps);
  return plan.events.length === 0 ? undefined : plan;
}

function planAppend(standing: Standing, events: readonly NewEvent[], now: number, caps: LogCaps): Plan {
  const isLast = standing.full && events.every(({ type }) => type === 'session.archived');
  if (standing.full && !isLast) throw new LogFull(standing.session.id); // JOURNAL-6
  if (events.length > APPEND_EVENTS_MAX) {
    throw new InvalidInput(
      'events',
      `expected at most ${APPEND_EVENTS_MAX} events in one append, got ${events.length}.`,
    );
  }
  const printed = events.map(print);
  let bytes = standing.bytes;
  for (const one of printed) bytes += one.bytes;
  const limit = limitReached(standing.head + events.length, bytes, caps);
  if (limit === undefined || isLast) return planned(standing, events, printed, now, false);
  // It says that a cancel met no turn (REPLAY-2): no later turn has room either, so the log need not end for it.
  if (events.every(({ type }) => type === 'turn.cancel_ignored'))
    return planned(standing, [], [], now, false);
  const last: NewEvent = { type: 'log.limit_reached', actor: SYSTEM, body: { limit } };
  return planned(standing, [last], [print(last)], now, true); // JOURNAL-6
}

function limitReached(head: number, bytes: number, caps: LogCaps): 'events' | 'bytes' | undefined {
  if (head > caps.eventsMax - 1) return 'events'; // the last place is kept for log.limit_reached
  return bytes > caps.bytesMax ? 'bytes' : undefined;
}

function planned(
  standing: Standing,
  events: readonly NewEvent[],
  printed: readonly Printed[],
  now: number,
  full: boolean,
): Plan {
  const { id: sessionId } = standing.session;
  const at = Math.max(now, standing.at);
  const turns: Turn[] = [];
  const lateUsage: LateUsage[] = [];
  let { session, bytes, head: seq } = standing;
  const placed = events.map((event, index): PlannedEvent => {
    const one = printed[index];
    assert(one !== undefined, 'every event was printed');
    seq += 1;
    bytes += one.bytes;
    const { type, actor, turnId } = event;
    const folded = { type, body: event.body, seq, at, turnId } as FoldEvent; // type and body belong together
    const late = lateUsageIn(session, folded);
    if (late !== undefined) lateUsage.push(late);
    const after = fold(session, folded);
    if (after.turn !== session.turn && after.turn !== undefined) turns.push(after.turn);
    session = after;
    const spilled = one.bytes > BODY_INLINE_BYTES_MAX;
    const recorded: RecordedEvent = {
      sessionId,
      seq,
      at,
      type,
      level: event.level ?? EVENTS[type].level,
      actor,
      turnId,
      body: spilled ? previewText(event.body) : one.text,
      spilledBytes: spilled ? one.bytes : undefined,
    };
    return { event: recorded, bytes, whole: spilled ? one.text : undefined };
  });
  return { events: placed, session, turns, lateUsage, full };
}

function lateUsageIn(session: Session, event: FoldEvent): LateUsage | undefined {
  if (event.type !== 'model.usage' || event.turnId === undefined) return undefined;
  if (!isLateUsage(session, event)) return undefined;
  return { turnId: event.turnId, usage: usageOf(event.body) };
}

function print(event: NewEvent): Printed {
  const text = bodyText(event.body);
  const bytes = Buffer.byteLength(text);
  if (bytes > BODY_BYTES_MAX) {
    throw new InvalidInput(
      'body',
      `expected at most ${BODY_BYTES_MAX} bytes for ${event.type}, got ${bytes}.`,
    );
  }
  return { text, bytes };
}
