/** Listing the events of a log, and finding one: what is asked for, within the operation's budget (log-budget.ts). */
import { cursorOf, parseCursor } from '../src/journal/cursor.ts';
import { EVENTS } from '../src/journal/event-catalog.ts';
import { viewOf } from '../src/access/principal.ts';
import {
  type EventFilter,
  type EventView,
  isOpen,
  neverPasses,
  passes,
  viewed,
} from '../src/journal/event-filter.ts';
import type { RecordedEvent } from '../src/journal/event.ts';
import { historyOf } from '../src/journal/follow.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { parseId, type SessionId, seqOfEventId } from '../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../src/kernel/limit.ts';
import { EventNotFound } from '../src/sessions/faults.ts';
import { type BodyWeight, bytesOf, charsOf } from './body-weight.ts';
import type { Page } from './connection.ts';
import type { Context } from './context.ts';
import { LogBudgetSpent } from './log-budget.ts';

/** A filter as it was given. */
export interface GivenFilter extends Omit<EventFilter, 'turnId'> {
  readonly turnId?: string | null | undefined;
}

/** Throws InvalidInput for a type that no event has: a filter with a slip of the pen would wait for ever. */
export function parseFilter({ level, types, turnId }: GivenFilter): EventFilter {
  for (const [at, type] of (types ?? []).entries()) {
    if (!Object.hasOwn(EVENTS, type))
      throw new InvalidInput('types', `number ${at + 1} is no type of events; docs/events.md has them all.`);
  }
  return {
    level,
    types: types ? [...new Set(types)] : undefined, // each once: a list of any length is no longer than the table
    turnId: turnId ? parseId('turn', turnId, 'turnId') : undefined,
  };
}

/** TOKEN-4. Throws Forbidden where nothing of what is asked for is ever there for the caller, who would wait for ever. */
export function viewedFilter(filter: EventFilter, view: EventView): EventFilter {
  const seen = viewed(filter, view);
  if (!neverPasses(filter) && neverPasses(seen))
    throw new Forbidden(
      'This client token sees no events of these types. Ask for others, or mint a token of a higher level or with `thinking: true`.',
    );
  return seen;
}

type ListContext = Pick<Context, 'journal' | 'budget' | 'reading' | 'principal'>;

/** A log, as far as it goes for this answer (SNAPSHOT-1). */
interface Log {
  readonly sessionId: SessionId;
  readonly head: number;
}

interface Wanted extends GivenFilter {
  readonly first: number;
  readonly after?: string | null | undefined;
}

/** A page of a session's log after a cursor, oldest first. It ends early where the budget does. Throws LogBudgetSpent. */
export async function eventPage(
  { journal, budget, reading, principal }: ListContext,
  { sessionId, head }: Log,
  { first, after, ...given }: Wanted,
  weight: BodyWeight,
): Promise<Page<RecordedEvent>> {
  const filter = viewedFilter(parseFilter(given), viewOf(principal));
  let seq = after ? parseCursor(sessionId, after) : 0;
  const nodes: RecordedEvent[] = [];
  const cursor = (event: RecordedEvent): string => cursorOf(sessionId, event.seq);
  const page = (hasNextPage: boolean): Page<RecordedEvent> => {
    return {
      nodes,
      hasNextPage,
      cursorOf: cursor,
      endCursor: seq === 0 ? undefined : cursorOf(sessionId, seq),
    };
  };

  const start = seq;
  /** BUDGET-1. */
  const ended = (): Page<RecordedEvent> => {
    if (seq === start) throw new LogBudgetSpent();
    return page(true);
  };
  while (seq < head) {
    await budget.turn(sessionId); // BUDGET-2
    if (!budget.hasBytes || (!isOpen(filter) && !budget.scan())) return ended();
    const limit = Math.min(PAGE_EVENTS_MAX, first - nodes.length + 1); // one more tells whether there is a next page
    const { events, seq: looked } = await historyOf(journal, sessionId, {
      after: seq,
      to: head,
      filter,
      limit,
    });
    reading.take(charsOf(events)); // READING-1
    for (const event of events) {
      if (nodes.length === first) return page(true);
      if (!budget.spend(bytesOf(event, weight)) && (nodes.length > 0 || !budget.spendAll())) return ended();
      nodes.push(event);
      seq = event.seq;
    }
    if (looked <= seq && events.length === 0) break;
    seq = looked;
  }
  return page(false);
}

/** One event by its id. Throws EventNotFound, InvalidInput, SessionNotFound, LogBudgetSpent. */
export async function findEvent(
  { journal, budget, principal }: ListContext,
  sessionId: SessionId,
  id: string,
  weight: BodyWeight,
): Promise<RecordedEvent> {
  const seq = seqOfEventId(parseId('event', id, 'id'), sessionId);
  await budget.turn(sessionId);
  const [event] =
    seq === undefined || seq < 1 ? [] : await journal.read(sessionId, { after: seq - 1, limit: 1 });
  if (event === undefined || event.seq !== seq) throw new EventNotFound(id);
  if (!passes(viewed({}, viewOf(principal)), event)) throw new EventNotFound(id); // TOKEN-4
  if (!budget.spend(bytesOf(event, weight)) && !budget.spendAll()) throw new LogBudgetSpent();
  return event;
}
