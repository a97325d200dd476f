/** A group of followers by itself: what its members are sent when they come, when they do not read, and when they go. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Frame } from '../../schema/frame.ts';
import { frameCutOf } from '../../schema/frame-cut.ts';
import { schema } from '../../schema/schema.ts';
import { Group, type Member } from '../../src/api/graphql/group.ts';
import { Live } from '../../src/journal/live.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { eventually } from '../support/eventually.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';

const HIGH_WATER_BYTES = 100;

class Follower implements Member {
  seq: number;
  buffered = 0;
  left = 0;
  readonly frames: Frame[] = [];

  constructor(seq: number) {
    this.seq = seq;
  }

  send(payload: string): void {
    this.frames.push(JSON.parse(payload) as Frame); // as the renderer below writes it
  }

  leave(): void {
    this.left += 1;
  }

  get seqs(): readonly number[] {
    return this.frames.flatMap((frame) =>
      frame.kind === 'events' ? frame.events.map(({ seq }) => seq) : [],
    );
  }
}

let store: SqliteStore;
let live: Live;
let id: SessionId;
let closed: number;
/** What the rendering of events waits for: until then the group has read them, and nobody was sent any. */
let rendering: Promise<void>;
beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  live = new Live({ journal: store.journal });
  id = (await store.sessions.create(originOf(), nothing)).session.id;
  closed = 0;
  rendering = Promise.resolve();
});
afterEach(() => {
  live.close();
  store.close();
});

async function write(count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, index) => spoken(`event ${index}`));
  await store.journal.append(id, { decide: appending(...events) });
}

function groupAt(seq: number): Group {
  const renderer = {
    id: 'plain',
    cut: frameCutOf(schema, []),
    async render(frame: Frame): Promise<string> {
      if (frame.kind === 'events') await rendering;
      return JSON.stringify(frame);
    },
  };
  const ports = { journal: store.journal, live, highWaterBytes: HIGH_WATER_BYTES };
  const wanted = { sessionId: id, filter: {}, deltas: false, renderer };
  return new Group(ports, wanted, seq, () => (closed += 1));
}

it('sends each member what comes after its own seq, once, wherever the group stands (GROUP-1)', async () => {
  await write(10);
  const { promise, resolve: mayRender } = Promise.withResolvers<void>();
  rendering = promise;
  const group = groupAt(4);
  const [behind, level, ahead, atHead] = [3, 4, 7, 10].map((seq) => new Follower(seq)) as [
    ...[Follower, Follower, Follower, Follower],
  ];

  expect(await Promise.all([behind, level, ahead, atHead].map((one) => group.join(one)))).toEqual([
    false, // it has to read on first
    true,
    true,
    true,
  ]);
  mayRender();
  await eventually('the page was sent', () => level.seqs.length === 6);
  await write(2);
  const all = [level, ahead, atHead];
  await eventually('everybody has the last one', () => all.every(({ seqs }) => seqs.at(-1) === 12));

  expect(all.map(({ seqs }) => seqs)).toEqual([
    [5, 6, 7, 8, 9, 10, 11, 12],
    [8, 9, 10, 11, 12],
    [11, 12],
  ]);
  expect(behind.frames).toEqual([]);
  for (const one of all) group.remove(one);
});

it('tells a member that does not read how far it got, and lets it go; the others go on (GROUP-2)', async () => {
  const group = groupAt(0);
  const [good, slow] = [new Follower(0), new Follower(0)];
  for (const one of [good, slow]) expect(await group.join(one)).toBe(true);
  await write(1);
  await eventually('both have it', () => [good, slow].every(({ seqs }) => seqs.length === 1));

  slow.buffered = HIGH_WATER_BYTES + 1;
  await write(1);
  await eventually('it left', () => slow.left === 1);
  slow.buffered = 0;
  await write(1);
  await eventually('the other goes on', () => good.seqs.at(-1) === 3);

  expect(slow.frames.at(-1)).toMatchObject({ kind: 'slow', seq: 1 });
  expect(slow.seqs).toEqual([1]);
  expect([good.seqs, good.left]).toEqual([[1, 2, 3], 0]);
  group.remove(good);
});

it('reads the log as long as it has members (GROUP-3)', async () => {
  const group = groupAt(0);
  const [one, two] = [new Follower(0), new Follower(0)];
  for (const member of [one, two]) expect(await group.join(member)).toBe(true);
  group.remove(one);
  await write(1);
  await eventually('the other has it', () => two.seqs.length === 1);
  expect(closed).toBe(0);

  group.remove(two);
  await eventually('nobody reads', () => live.headOf(id) === undefined);
  expect(closed).toBeGreaterThan(0);
});
