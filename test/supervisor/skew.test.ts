/** Clocks that are minutes wrong, or are set anew under a running server, on each store: they stop nothing and steal nothing. */
import { afterEach, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { eventually } from '../support/eventually.ts';
import { type MongoServer, mongoServer } from '../support/mongo.ts';
import { originOf } from '../support/session-log.ts';
import { onEachStore } from '../support/stores.ts';
import { type PlayedServer, type PlayedStore, playedServer } from './played-server.ts';

const TEN_MINUTES_MS = 600_000;
const HOUR_MS = 3_600_000;
/** In this test time runs so much quicker. */
const QUICK = 4;

await onEachStore((kind) => {
  const ends: (() => unknown)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).toReversed()) await end();
  });
  let mongo: MongoServer | undefined;

  async function database(): Promise<(clock: Clock) => Promise<PlayedStore>> {
    if (kind === 'sqlite') {
      const clocks: Clock[] = [];
      const stamp = { ...systemClock, now: () => (clocks[0] ?? systemClock).now() };
      const store = openSqlite({ path: ':memory:', clock: stamp });
      ends.push(() => store.close());
      return async (clock) => {
        clocks[0] ??= clock; // one process has one clock: that of its first server
        return store;
      };
    }
    mongo = await mongoServer();
    const server = mongo;
    ends.push(() => server.close());
    const uri = server.uri();
    return async (clock) => {
      const store = await openMongo({ uri, clock });
      ends.push(() => store.close());
      return store;
    };
  }

  async function serve(store: PlayedStore, owner: string, clock: Clock): Promise<PlayedServer> {
    const server = await playedServer(store, owner, { clock });
    ends.push(() => server.stop());
    return server;
  }

  const queued = async (store: PlayedStore, clock: Clock, turnSeconds = 600): Promise<SessionId> => {
    const origin = originOf({ createdAt: clock.now(), model: 'rehearsal/echo', limits: { turnSeconds } });
    const hello: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: { kind: 'human' } };
    await store.sessions.create(origin, (session) => decide(session, hello));
    return origin.id;
  };
  const begin = (store: PlayedStore, id: SessionId) =>
    store.journal.append(id, { decide: (session) => decide(session, { kind: 'beginTurn' }) });
  const recordOf = async (store: PlayedStore, id: SessionId) => (await store.sessions.get(id))?.session;

  it('proves TIME-1: a brain that was lost while the clock was an hour ahead is followed by the next one', async () => {
    let skewMs = HOUR_MS;
    const clock = { ...systemClock, now: () => Date.now() + skewMs };
    const store = await (await database())(clock);
    const id = await queued(store, clock);
    const server = await serve(store, 'me', clock);
    await eventually('a brain', () => server.brains.length === 1);
    skewMs = 0;
    server.brains[0]?.end();

    await eventually('the next one', () => server.brains.length === 2);
    expect(await recordOf(store, id)).toMatchObject({ epoch: 2, losses: 1 });
  });

  it('proves TIME-1: a turn is ended at its deadline though the log was written ten minutes ahead', async () => {
    let skewMs = TEN_MINUTES_MS;
    const clock = { ...systemClock, now: () => Date.now() + skewMs };
    const store = await (await database())(clock);
    const id = await queued(store, clock, 1);
    skewMs = 0;
    const server = await serve(store, 'me', clock);
    await eventually('a brain', () => server.brains.length === 1);
    await begin(store, id);

    await eventually(
      'it is over',
      async () => (await recordOf(store, id))?.turn?.outcome === 'deadline_exceeded',
    );
  });

  it('proves TIME-1: a clock that is put ten minutes ahead ends no turn, and hibernates nobody', async () => {
    let skewMs = 0;
    const clock = { ...systemClock, now: () => Date.now() + skewMs };
    const store = await (await database())(clock);
    const [busy, idle] = [await queued(store, clock, 300), await queued(store, clock)];
    const server = await serve(store, 'me', clock);
    await eventually('two brains', () => server.brains.length === 2);
    await begin(store, busy);
    await store.journal.append(idle, {
      decide: (session) => decide(session, { kind: 'cancel', actor: { kind: 'human' } }),
    });
    skewMs = TEN_MINUTES_MS;
    const { wanted } = server.asked;
    await eventually('it sweeps', () => server.asked.wanted >= wanted + 2);

    expect((await recordOf(store, busy))?.status).toBe('running');
    expect(await recordOf(store, idle)).toMatchObject({ epoch: 1, lease: { owner: 'me' } });
  });

  it('proves OWNER-1: a server whose clock is put back by ten minutes keeps its sessions, beside one that watches', async () => {
    let skewMs = 0;
    const quick: Clock = {
      now: () => Date.now(),
      monotonicNow: () => QUICK * systemClock.monotonicNow(),
      sleep: (ms, signal) => systemClock.sleep(ms / QUICK, signal),
    };
    const skewed = { ...quick, now: () => Date.now() + skewMs };
    const open = await database();
    const [here, there] = [await open(skewed), await open(quick)];
    const home = await serve(here, 'home', skewed);
    const id = await queued(here, skewed);
    await eventually('it has it', () => home.brains.length === 1);
    await begin(here, id);
    const other = await serve(there, 'other', quick);
    skewMs = -TEN_MINUTES_MS;
    const { heartbeats } = other.asked;
    await eventually('it has watched for long', () => other.asked.heartbeats >= heartbeats + 20);

    expect((await recordOf(there, id))?.lease?.owner).toBe('home');
    expect(home.asked.beat).toBeGreaterThan(3);
  });
});
