/** What two processes were told of their appends (log-load.ts), held against what lies in the database; and the figures of it. */
import { MongoClient } from 'mongodb';
import { expect } from 'vitest';
import type { SessionId } from '../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../src/kernel/limit.ts';
import {
  keyIdOf,
  loggedOf,
  type Page,
  type PageDocument,
  type SessionDocument,
} from '../../src/platform/mongo/journal/session-document.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import type { LoadSession, LogLoad } from './log-load.ts';

type Event = readonly [seq: number, body: string];

interface Log {
  readonly head: number;
  readonly events: readonly Event[];
}

interface BareLog extends Log {
  /** Ids of the append keys, each as often as it is there. */
  readonly keys: readonly string[];
}

/** Nothing that was acknowledged is lost, nothing is doubled, every follower saw everything once and in order. */
export async function expectKept(load: LogLoad, uri: string): Promise<void> {
  await load.settle(async () => {
    const logs = await bareLogs(uri, load.sessions);
    return new Map([...logs].map(([id, { head }]) => [id, head]));
  });
  const bare = await bareLogs(uri, load.sessions);
  for (const logs of [await journalLogs(uri, load.sessions), await journalLogs(uri, load.sessions)]) {
    for (const { id } of load.sessions) {
      const { head, events } = bare.get(id) ?? { head: 0, events: [] };
      expect(logs.get(id), 'the journal reads what lies there').toEqual({ head, events });
    }
  }
  for (const session of load.sessions) {
    const log = bare.get(session.id);
    if (log === undefined) throw new Error(`No log of ${session.id}.`);
    expectDense(log);
    expectAppends(load, session, log);
    expectSeen(load, session, log);
  }
  expect(await load.end(), 'both processes end cleanly').toEqual(load.processes.map(() => 0));
}

/** JOURNAL-1. */
function expectDense({ head, events }: Log): void {
  expect(
    events.map(([seq]) => seq),
    'dense',
  ).toEqual(Array.from({ length: head }, (_, index) => index + 1));
}

function expectAppends(load: LogLoad, { id, keyed }: LoadSession, { head, events, keys }: BareLog): void {
  const appends = new Map<string, number[]>();
  for (const [seq, body] of events) {
    const append = appendOf(body);
    appends.set(append, [...(appends.get(append) ?? []), seq]);
  }
  const ofSession = <T extends { readonly sessionId: SessionId }>(lines: readonly T[]): readonly T[] =>
    lines.filter(({ sessionId }) => sessionId === id);
  const acknowledged = load.processes.flatMap((one) => ofSession(one.acknowledged));
  const failed = load.processes.flatMap((one) => ofSession(one.failed));
  const lost = acknowledged.filter(({ id: append }) => !appends.has(append));
  expect(lost, 'acknowledged and not there').toEqual([]);
  const misplaced = acknowledged.filter(
    ({ id: append, firstSeq, lastSeq }) => String(appends.get(append)) !== String(range(firstSeq, lastSeq)),
  );
  expect(misplaced, 'not whole, doubled, or elsewhere than it was said').toEqual([]);
  const told = new Set(acknowledged.map(({ id: append }) => append));
  const untold = [...appends.keys()].filter((append) => !told.has(append));
  const mayBeThere = new Set(failed.map(({ id: append }) => append));
  expect(
    untold.filter((append) => keyed || !mayBeThere.has(append)),
    'there without having been acknowledged, or having failed',
  ).toEqual([]);
  const texts = events.map(([, body]) => body);
  expect(new Set(texts).size, 'nothing is there twice').toBe(head);
  const expected = keyed ? [...appends.keys()].map((append) => keyIdOf(id, append)) : [];
  expect(keys.toSorted(), 'each key once').toEqual(expected.toSorted());
}

/** FOLLOW-1. */
function expectSeen(load: LogLoad, { id }: LoadSession, { events }: Log): void {
  for (const one of load.processes) expect(one.seenOf(id), `seen by ${one.name}`).toEqual(events);
}

/** By the driver alone. A page that lies in both places must be the same in both. */
async function bareLogs(
  uri: string,
  sessions: readonly LoadSession[],
): Promise<ReadonlyMap<SessionId, BareLog>> {
  await using client = new MongoClient(uri);
  const logs = new Map<SessionId, BareLog>();
  for (const { id } of sessions) {
    const document = await client.db().collection<SessionDocument>('session').findOne({ _id: id });
    if (document === null) throw new Error(`There is no session ${id}.`);
    const stored = await client
      .db()
      .collection<PageDocument>('page')
      .find({ _id: { $gt: `${id}/`, $lt: `${id}0` } })
      .sort({ _id: 1 })
      .toArray();
    const logged = loggedOf(document);
    const twice = stored.filter(({ firstSeq }) => firstSeq > logged).map(withoutId);
    const tail = new Map(document.tail.map((page) => [page.firstSeq, page]));
    expect(twice.map(({ firstSeq }) => tail.get(firstSeq))).toEqual(twice);
    const pages = [...stored.filter(({ firstSeq }) => firstSeq <= logged), ...document.tail];
    logs.set(id, {
      head: document.head,
      events: pages.flatMap(({ firstSeq, events }) =>
        events.map(({ body }, index) => [firstSeq + index, body] as const),
      ),
      keys: pages.flatMap(({ keys = [] }) => keys.map((key) => key.id)),
    });
  }
  return logs;
}

function withoutId(document: PageDocument): Page {
  const { _id: _, ...page } = document;
  return page;
}

/** As a process reads that was not there when it was written. */
async function journalLogs(
  uri: string,
  sessions: readonly LoadSession[],
): Promise<ReadonlyMap<SessionId, Log>> {
  const store = await openMongo({ uri });
  const logs = new Map<SessionId, Log>();
  for (const { id } of sessions) {
    const head = await store.journal.head(id);
    const events: Event[] = [];
    for (;;) {
      const page = await store.journal.read(id, { after: events.length, limit: PAGE_EVENTS_MAX });
      if (page.length === 0) break;
      events.push(...page.map(({ seq, body }) => [seq, body] as const));
    }
    logs.set(id, { head, events });
  }
  await store.close();
  return logs;
}

/** Into the output of the tests. */
export function tell(line: string): void {
  // oxlint-disable-next-line no-console -- vitest shows it beside the test that says it
  console.info(line);
}

/** Figures of a load, in one line; nothing is judged by them. */
export function figuresOf(load: LogLoad): string {
  const failed = load.processes.reduce((sum, one) => sum + one.failed.length, 0);
  const followed = load.processes.reduce(
    (sum, one) => sum + load.sessions.reduce((seen, { id }) => seen + one.seenOf(id).length, 0),
    0,
  );
  const appendGap = Math.max(...load.processes.map((one) => longestGap(one.acknowledged)));
  const seenGap = Math.max(...load.processes.map((one) => longestGap(one.seen)));
  return (
    `${load.acknowledged} appends acknowledged, ${failed} failed and were told so, ${followed} events seen by followers; ` +
    `longest gap between acknowledgements ${appendGap} ms, between events at a follower ${seenGap} ms`
  );
}

/** Within one session of one process. */
function longestGap(lines: readonly { readonly sessionId: SessionId; readonly at: number }[]): number {
  const last = new Map<SessionId, number>();
  let longest = 0;
  for (const { sessionId, at } of lines) {
    longest = Math.max(longest, at - (last.get(sessionId) ?? at));
    last.set(sessionId, at);
  }
  return longest;
}

function appendOf(body: string): string {
  const { text } = JSON.parse(body) as { text: string }; // as: append-and-follow.ts wrote it
  return text.slice(0, text.lastIndexOf(' '));
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
