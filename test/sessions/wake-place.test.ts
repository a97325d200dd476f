/** Where a brain begins to read, found in logs that are made by hand: what it costs, and what it is where nothing helps. */
import { expect, test } from 'vitest';
import type { EventType, RecordedEvent } from '../../src/journal/event.ts';
import { newId, turnIdOf } from '../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../src/kernel/limit.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { newSession, type Session, type Turn } from '../../src/sessions/session.ts';
import { wakePlace } from '../../src/sessions/wake-place.ts';
import { originOf } from '../support/session-log.ts';

const ID = newId('session');
/** Events of a turn, its message included. */
const TURN_EVENTS = 8;

class Log {
  readonly events: RecordedEvent[] = [];
  read = 0;
  /** What the session's record says beside the log. */
  record: Partial<Session> = {};

  get head(): number {
    return this.events.length;
  }

  put(type: EventType, body: object = {}, turn?: number): number {
    const turnId = turn === undefined ? undefined : turnIdOf(ID, turn);
    const seq = this.head + 1;
    const place = { sessionId: ID, seq, at: 0, level: 'internal', turnId } as const;
    this.events.push({ ...place, type, actor: { kind: 'system' }, body: JSON.stringify(body) });
    return seq;
  }

  turn(number: number, { compacts = false } = {}): void {
    const said = this.put('user.message', { text: `say ${number}`, mode: 'steer' }, number);
    this.put('turn.started', { number, inputFromSeq: said, inputToSeq: said }, number);
    if (compacts) {
      this.put('model.started', { callId: `t${number}c1`, inputToSeq: 0 }, number);
      const callId = `t${number}c1`;
      this.put('conversation.compacted', { callId, summary: 'All.', throughSeq: said - 1 }, number);
    }
    const callId = `t${number}m${compacts ? 2 : 1}`;
    this.put('model.started', { callId, inputToSeq: said }, number);
    this.put('tool.call', { callId: `${callId}.0`, modelCallId: callId, tool: 'bash', input: {} }, number);
    this.put('model.completed', { callId, stopReason: 'tool_use' }, number);
    this.put('tool.result', { callId: `${callId}.0`, outcome: 'ok', output: 'x' }, number);
    this.put('agent.message', { callId, text: 'done' }, number);
    this.put('turn.completed', { number, outcome: 'completed' }, number);
  }

  place(head = this.head): ReturnType<typeof wakePlace> {
    this.read = 0;
    const journal = {
      read: (_: string, { after, limit }: { after: number; limit: number }) => {
        const events = this.events.slice(after, after + Math.min(limit, PAGE_EVENTS_MAX));
        this.read += events.length;
        return Promise.resolve(events);
      },
    };
    const session = { ...newSession(originOf({ id: ID })), ...this.record };
    return wakePlace({ journal, scheduler: systemScheduler }, { session, head });
  }
}

/** A log of whole turns, the one in `compactedIn` with a compaction. */
function logOf(turns: number, compactedIn: number | undefined): Log {
  const log = new Log();
  for (let number = 1; number <= turns; number += 1) log.turn(number, { compacts: number === compactedIn });
  return log;
}

test('a short log is read from event 1', async () => {
  expect(await logOf(3, undefined).place()).toBeUndefined();
  expect(await logOf(3, 1).place()).toBeUndefined();
  expect(await new Log().place()).toBeUndefined();
});

test('what is read to find the last compaction does not depend on what is before it (proves WAKE-2)', async () => {
  const reads = [];
  const distances = [];
  for (const turns of [100, 1_000, 20_000]) {
    const log = logOf(turns, turns - 20);
    const place = await log.place();
    reads.push(log.read);
    distances.push(log.head - (place?.after ?? 0));
    expect(place?.beginningTo).toBe(3); // the first model.started, since none after the compaction says the tools
    expect(log.events[(place?.turnSeq ?? 0) - 1]?.type).toBe('turn.started');
  }
  expect(new Set(distances).size).toBe(1);
  expect(Math.max(...reads)).toBeLessThan(21 * TURN_EVENTS + 4 * PAGE_EVENTS_MAX);
});

test('the beginning is not read where the tools are said again', async () => {
  const log = logOf(50, 40);
  const compactedSeq = log.events.findIndex(({ type }) => type === 'conversation.compacted') + 1;
  const answer = log.events[compactedSeq];
  if (answer?.type !== 'model.started') throw new Error('the call after the compaction is not where it was');
  log.events[compactedSeq] = { ...answer, body: JSON.stringify({ ...JSON.parse(answer.body), tools: [] }) };

  expect((await log.place())?.beginningTo).toBe(0);
  expect((await log.place(compactedSeq))?.beginningTo).toBe(3);
});

test('the place stays while the log grows, until the next compaction (proves WAKE-3)', async () => {
  const log = logOf(300, 200);
  const compactedSeq = log.events.findIndex(({ type }) => type === 'conversation.compacted') + 1;
  const places = new Set<string>();
  for (let head = compactedSeq; head <= log.head; head += 37)
    places.add(JSON.stringify(await log.place(head)));

  expect(places.size).toBe(1);
  expect(JSON.stringify(await log.place(compactedSeq - 1))).toBe(undefined);
});

test('a very long log without a compaction is cut at a turn, and begins with what was said for it (proves WAKE-2)', async () => {
  const log = logOf(40_000, undefined);

  const place = await log.place();

  expect(log.read).toBeLessThanOrEqual(100_000 + PAGE_EVENTS_MAX);
  const [said, started] = [log.events[place?.after ?? -1], log.events[(place?.turnSeq ?? 0) - 1]];
  expect([said?.type, started?.type]).toEqual(['user.message', 'turn.started']);
  expect(said?.turnId).toBe(started?.turnId);
  expect(place?.beginningTo).toBe(1_000);
});

test('a log of large bodies is cut before it is held as a whole (proves WAKE-2)', async () => {
  const log = new Log();
  const output = 'x'.repeat(30_000);
  for (let number = 1; number <= 2_000; number += 1) {
    log.turn(number);
    log.put('tool.result', { callId: `t${number}m1.1`, outcome: 'ok', output }, number);
  }

  const place = await log.place();

  expect(log.read).toBeLessThan(1_200 * (TURN_EVENTS + 1) + PAGE_EVENTS_MAX);
  expect(place?.after).toBeGreaterThan(log.head / 3);
});

test('very many events that belong to no turn are passed over, but for what waits (proves WAKE-2)', async () => {
  const log = new Log();
  log.turn(1);
  for (let event = 0; event < 150_000; event += 1) log.put('brain.started', { epoch: 1, owner: 'x' });

  expect(await log.place()).toEqual({
    beginningTo: 1_000,
    after: log.head - 100_000,
    turnSeq: log.head - 99_999,
  });
  log.record = { pending: { count: 2, fromSeq: 7_000, toSeq: log.head } };
  expect(await log.place()).toEqual({ beginningTo: 1_000, after: 6_999, turnSeq: 7_000 });
});

test('a turn that runs is read from its beginning, however long it is', async () => {
  const log = logOf(200, undefined);
  const said = log.put('user.message', { text: 'go', mode: 'steer' }, 2);
  log.put('turn.started', { number: 2, inputFromSeq: said, inputToSeq: said }, 2);
  for (let event = 0; event < 150_000; event += 1) log.put('model.usage', { callId: 't2m1' }, 2);
  log.record = { turn: { state: 'running' } as Turn };

  expect(await log.place()).toEqual({ beginningTo: 1_000, after: said - 1, turnSeq: said + 1 });
});
