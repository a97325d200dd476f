/** Who has a session, when several servers are on one store: it is taken once, never from one who lives, and nobody sits on it. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { SWEEP_MAX } from '../../src/supervisor/limit.ts';
import { eventually } from '../support/eventually.ts';
import { appending, queuedSession, spoken } from '../support/session-log.ts';
import { type PlayedServer, type PlayedServerOptions, playedServer } from './played-server.ts';

const HUMAN = { kind: 'human' } as const;
let store: SqliteStore;
let servers: PlayedServer[];
beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  store.close();
});

async function serve(owner: string, options?: PlayedServerOptions): Promise<PlayedServer> {
  const server = await playedServer(store, owner, options);
  servers.push(server);
  return server;
}

async function record(id: SessionId) {
  const entry = await store.sessions.get(id);
  if (entry === undefined) throw new Error('It is not there.');
  return entry.session;
}

async function command(id: SessionId, ...commands: readonly Command[]): Promise<void> {
  for (const one of commands) await store.journal.append(id, { decide: (session) => decide(session, one) });
}

/** The next sweeps of a server have been made. */
async function swept(server: PlayedServer, times = 2): Promise<void> {
  const before = server.asked.wanted;
  await eventually('it sweeps', () => server.asked.wanted >= before + times);
}

describe('a lease', () => {
  it('proves LEASE-1: is taken by one of two servers that saw the session free at the same time', async () => {
    const { promise: isTaken, resolve: take } = Promise.withResolvers<void>();
    // What this server asks after it has seen the session free is answered when the other one has it.
    let sawFree = false;
    const late = await serve('late', {
      before: (question) => {
        if (sawFree) return isTaken;
        if (question === 'get') sawFree = true;
        return undefined;
      },
    });
    await swept(late);
    const id = await queuedSession(store);
    await eventually('it is seen free', () => sawFree);
    const quick = await serve('quick');
    await eventually('the other one has it', async () => (await record(id)).lease?.owner === 'quick');
    take();
    await swept(late);

    expect((await record(id)).epoch).toBe(1);
    expect([quick.brains.length, late.brains.length]).toEqual([1, 0]);
  });

  it('proves SUPERVISOR-2: of an owner who lives is left alone, whatever hints say, and taken when that one has retired', async () => {
    const id = await queuedSession(store);
    await store.owners.beat('other');
    await command(id, { kind: 'takeLease', owner: 'other' }, { kind: 'beginTurn' });
    const server = await serve('me', { hints: 'bare' });
    await swept(server);
    const { get } = server.asked;
    await store.journal.append(id, { decide: appending(spoken('still here')) });
    await eventually('its record is looked at', () => server.asked.get > get);
    await swept(server);
    expect((await record(id)).lease?.owner).toBe('other');

    await store.owners.retire('other');
    await eventually('it is taken', async () => (await record(id)).lease?.owner === 'me');
  });

  it('of an owner who has come since this server last looked is left alone', async () => {
    const begun: { id?: SessionId } = {};
    const server = await serve('me', {
      hints: 'bare',
      before: async (question) => {
        const { id } = begun;
        if (question !== 'get' || id === undefined || (await record(id)).lease !== undefined) return;
        await store.owners.beat('new');
        await command(id, { kind: 'takeLease', owner: 'new' });
      },
    });
    await swept(server);
    const id = (begun.id = await queuedSession(store));
    await eventually('the new one has it', async () => (await record(id)).epoch > 0);
    await swept(server);

    expect(await record(id)).toMatchObject({ epoch: 1, lease: { owner: 'new' } });
  });

  it('stays with its server when a brain dies, since the files are there', async () => {
    await serve('home');
    await serve('other');
    const id = await queuedSession(store);
    await eventually('a brain', () => servers.some(({ brains }) => brains.length === 1));
    const owner = (await record(id)).lease?.owner;
    for (const { brains } of servers) brains[0]?.end();
    await eventually('the next brain', async () => (await record(id)).epoch === 2);

    expect((await record(id)).lease?.owner).toBe(owner);
    expect(await record(id)).toMatchObject({ losses: 1 });
  });

  it('is not taken by a server whose own heartbeat the store does not take', async () => {
    let isCut = false;
    let aheadMs = 0;
    const clock = {
      now: () => Date.now(),
      monotonicNow: () => performance.now() + aheadMs,
      sleep: (ms: number, signal?: AbortSignal) =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(ms, 50));
          signal?.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        }),
    };
    const server = await serve('cut', {
      clock,
      before: (question) => {
        if (isCut && question === 'beat') throw new Error('It does not answer.');
      },
    });
    isCut = true;
    aheadMs += 15_000;
    const id = await queuedSession(store);
    aheadMs += 1_000;
    await swept(server, 1);
    aheadMs += 1_000;
    await swept(server, 1);
    expect(server.brains).toHaveLength(0);
    isCut = false;

    await eventually('it is taken', async () => {
      aheadMs += 100;
      return (await record(id)).lease?.owner === 'cut';
    });
  });
});

describe('proves LEASE-2: a lease without a slot', () => {
  it('is given up by a server that has no room, so that another one can have the session', async () => {
    const busy = await queuedSession(store);
    await serve('full', { slotsMax: 1 });
    await eventually('its slot is taken', async () => (await record(busy)).lease?.owner === 'full');
    await command(busy, { kind: 'beginTurn' });
    const id = await queuedSession(store);
    await command(id, { kind: 'takeLease', owner: 'full' });
    await serve('roomy');

    await eventually('the other one has it', async () => (await record(id)).lease?.owner === 'roomy');
    expect((await record(busy)).lease?.owner).toBe('full');
  });

  it('is given up by a server whose disk is low, and nobody there gives way for it', async () => {
    let isLow = false;
    const low = await serve('low', { idleMs: 1_000_000, hasRoom: async () => !isLow });
    const idle = await queuedSession(store);
    await eventually('it has a brain', () => low.brains.length === 1);
    await command(idle, { kind: 'cancel', actor: HUMAN });
    isLow = true;
    const id = await queuedSession(store);
    await command(id, { kind: 'takeLease', owner: 'low' });
    await serve('roomy');

    await eventually('the other one has it', async () => (await record(id)).lease?.owner === 'roomy');
    expect((await record(idle)).lease?.owner).toBe('low');
  });

  it('of a session that rests ends: its own, and that of a dead owner', async () => {
    await store.owners.beat('living');
    const leased: SessionId[] = [];
    for (const owner of ['me', 'dead', 'living']) {
      const id = await queuedSession(store);
      await command(id, { kind: 'takeLease', owner }, { kind: 'cancel', actor: HUMAN });
      leased.push(id);
    }
    const [own, dead, living] = leased as [SessionId, SessionId, SessionId]; // three were made
    const server = await serve('me');
    await eventually(
      'they end',
      async () => (await record(own)).hibernated && (await record(dead)).hibernated,
    );
    await swept(server);

    expect(await record(own)).toMatchObject({ lease: undefined, status: 'idle', epoch: 1 });
    expect((await record(living)).lease?.owner).toBe('living');
  });

  it('ends when the turn ended by itself while its brain was being ended', async () => {
    const server = await serve('me');
    const id = await queuedSession(store);
    await eventually('a brain', () => server.brains.length === 1);
    await command(id, { kind: 'beginTurn' });
    await command(id, { kind: 'completeTurn', outcome: 'error', failure: { code: 'X', message: 'x' } });
    server.brains[0]?.end();

    await eventually('it ends', async () => (await record(id)).lease === undefined);
    expect(await record(id)).toMatchObject({ status: 'failed', hibernated: true, losses: 0 });
  });
});

describe('a session that waits', () => {
  it('proves SWEEP-1: is taken though more sessions than a sweep sees run elsewhere, and its hint was not heard', async () => {
    await store.owners.beat('elsewhere');
    for (let index = 0; index < SWEEP_MAX + 10; index += 1)
      await command(
        await queuedSession(store),
        { kind: 'takeLease', owner: 'elsewhere' },
        { kind: 'beginTurn' },
      );
    const id = await queuedSession(store);
    const server = await serve('me', { hints: 'off' });
    await eventually('it is taken', async () => (await record(id)).lease?.owner === 'me');

    expect(server.asked.get).toBeLessThan(20); // nobody read the records of all the others
  });

  it('is taken though more sessions than a sweep sees run here', async () => {
    const ids: SessionId[] = [];
    for (let index = 0; index <= SWEEP_MAX; index += 1) ids.push(await queuedSession(store));
    await serve('me', { hints: 'off', slotsMax: SWEEP_MAX + 10 });
    const last = ids.at(-1) as SessionId; // they were made

    await eventually('it is taken', async () => (await record(last)).lease?.owner === 'me');
  });
});

it('proves HINT-1: an idle server reads no record for the appends of sessions that others run, and of those that rest', async () => {
  const busy = await queuedSession(store);
  const home = await serve('home', { idleMs: 1_000_000 });
  await eventually('it runs', () => home.brains.length === 1);
  await command(busy, { kind: 'beginTurn' });
  const resting = await queuedSession(store);
  await command(resting, { kind: 'cancel', actor: HUMAN });
  const idle = await serve('idle');
  await swept(idle);
  const { get, heartbeats, wanted } = idle.asked;
  for (let index = 0; index < 200; index += 1)
    await store.journal.append(busy, { decide: appending(spoken(`${index}`)) });
  await store.journal.append(resting, { decide: appending(spoken('a late word')) });
  await swept(idle, 1);

  expect(idle.asked.get - get).toBe(0);
  expect(idle.asked.heartbeats - heartbeats).toBeLessThanOrEqual(idle.asked.wanted - wanted + 1); // those of its sweeps
  const free = await queuedSession(store);
  await command(free, { kind: 'archive', actor: HUMAN }); // its files may be here
  await eventually('it looks', () => idle.asked.get > get);
});
