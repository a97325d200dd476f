/** A group of followers by itself: what its members are sent when they come, when they do not read, and when they go. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Frame } from '../../schema/frame.ts';
import { frameCutOf } from '../../schema/frame-cut.ts';
import { schema } from '../../schema/schema.ts';
import { Group, type Member } from '../../src/api/graphql/group.ts';
import type { Payload } from '../../src/api/graphql/payload.ts';
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

  send(payload: Payload): void {
    const text = typeof payload === 'string' ? payload : payload.bytes.toString();
    this.frames.push(JSON.parse(text) as Frame); // as the renderer below writes it
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
/** What turns wait for, and whose they were. */
let turning: Promise<void>;
let turnsOf: string[];
beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  live = new Live({ journal: store.journal });
  id = (await store.sessions.create(originOf(), nothing)).session.id;
  closed = 0;
  rendering = Promise.resolve();
  turning = Promise.resolve();
  turnsOf = [];
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
  const turns = {
    turn: async (_owner: string, part?: string) => {
      turnsOf.push(part ?? '');
      await turning;
    },
  };
  const ports = { journal: store.journal, live, highWaterBytes: HIGH_WATER_BYTES, turns };
  const wanted = { sessionId: id, filter: {}, deltas: false, thinking: true, renderer };
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

it('makes what is large in a turn of its session, and what is small at once (proves GROUP-4)', async () => {
  const { promise, resolve: takesTurn } = Promise.withResolvers<void>();
  const group = groupAt(0);
  const member = new Follower(0);
  expect(await group.join(member)).toBe(true);
  await write(1);
  await eventually('the small one is sent', () => member.seqs.length === 1);
  expect(turnsOf).toEqual([]);

  turning = promise;
  const large = Array.from({ length: 10 }, () => spoken('x'.repeat(30_000)));
  await store.journal.append(id, { decide: appending(...large) });
  await eventually('it waits for its turn', () => turnsOf.length === 1);
  expect(turnsOf).toEqual([id]);
  expect(member.seqs.length).toBe(1);
  takesTurn();
  await eventually('it is sent', () => member.seqs.length === 11);
  group.remove(member);
});

it('sends many members what there is in turns, and whoever joins or leaves in between misses and repeats nothing (proves GROUP-4)', async () => {
  const { promise, resolve: goOn } = Promise.withResolvers<void>();
  const group = groupAt(0);
  const members = Array.from({ length: 1_001 }, () => new Follower(0));
  for (const member of members) expect(await group.join(member)).toBe(true);
  turning = promise;
  await write(1);
  await eventually('some have it', () => turnsOf.length === 1);
  const had = members.filter(({ seqs }) => seqs.length === 1);
  const [leaves, joins] = [members.at(-1), new Follower(1)];
  if (leaves !== undefined) group.remove(leaves);
  expect(await group.join(joins)).toBe(true);
  goOn();
  await write(1);
  await eventually('all have both', () => members.slice(0, -1).every(({ seqs }) => seqs.length === 2));
  await eventually('so has who joined', () => joins.seqs.length > 0);

  expect(had.length).toBe(500);
  expect(leaves?.seqs).toEqual([]);
  expect(joins.seqs).toEqual([2]);
  expect(members.slice(0, -1).every(({ seqs }) => seqs.join() === '1,2')).toBe(true);
  for (const member of [...members, joins]) group.remove(member);
});
