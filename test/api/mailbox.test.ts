/** Messages of sockets take turns: one socket with hundreds of them in one read holds up no other. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { PassThrough } from 'node:stream';
import { expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { Mailbox, WAITING_MAX } from '../../src/api/graphql/mailbox.ts';
import type { Outlet } from '../../src/api/graphql/outlet.ts';
import { TimeSlices } from '../../src/kernel/time-slices.ts';
import { Door, ROOT_KEY, textOf } from '../support/door.ts';

const SLICE_MS = 3;

/** Slices that end when they are told to, and sockets of them; each message takes a millisecond. */
function world() {
  let [queued, now]: [(() => void)[], number] = [[], 0];
  const slices = new TimeSlices({
    scheduler: {
      immediate: (work) => {
        queued.push(work);
        return () => undefined;
      },
      interval: () => () => undefined,
    },
    monotonicNow: () => now,
    sliceMs: SLICE_MS,
  });
  const begun: string[] = [];
  const socket = (name: string) => {
    const state = { open: true, held: false, closed: undefined as number | undefined, pongs: [] as string[] };
    const outlet = {
      get open() {
        return state.open;
      },
      buffered: 0,
      holdInput: () => (state.held = true),
      releaseInput: () => (state.held = false),
      close: (code: number) => ([state.open, state.closed] = [false, code]),
    };
    const mailbox = new Mailbox({
      // as: all that a mailbox uses of them
      ws: { pong: (data: Buffer) => state.pongs.push(String(data)) } as unknown as WebSocket,
      outlet: outlet as unknown as Outlet,
      socket: new PassThrough(),
      slices,
      take: (data) => {
        begun.push(`${name}${textOf(data)}`);
        now += 1;
      },
    });
    return { mailbox, state, send: (at: number) => mailbox.message(Buffer.from(String(at))) };
  };
  const round = async (): Promise<void> => {
    const works = queued;
    queued = [];
    for (const work of works) work();
    for (let settled = 0; settled < 20; settled += 1) await Promise.resolve();
  };
  const spend = (): unknown => slices.run({}, () => (now += SLICE_MS));
  return { begun, socket, round, spend };
}

it('a socket that sends many messages at once is not read until they are begun, and others come in between (proves MAILBOX-1)', async () => {
  const { begun, socket, round } = world();
  const [greedy, modest] = [socket('g'), socket('m')];
  for (let at = 0; at < 8; at += 1) greedy.send(at);
  modest.send(0);

  expect([greedy.state.held, begun]).toEqual([true, ['g0', 'g1', 'g2']]);
  await round();
  expect(begun.slice(3)).toEqual(['g3', 'm0', 'g4']);
  await round();
  expect([greedy.state.held, modest.state.held]).toEqual([false, false]);
  expect(begun.filter((one) => one.startsWith('g'))).toHaveLength(8);
});

it('one that sends more than may wait is ended, and nothing of it is begun any more (proves MAILBOX-1)', async () => {
  const { begun, socket, round, spend } = world();
  const one = socket('g');
  spend();
  for (let at = 0; at <= WAITING_MAX; at += 1) one.send(at);
  await round();

  expect([one.state.closed, one.state.held, begun]).toEqual([4429, false, []]);
});

it('what waits of a socket that has gone is not begun', async () => {
  const { begun, socket, round, spend } = world();
  const one = socket('g');
  spend();
  one.send(0);
  one.state.open = false;
  await round();

  expect(begun).toEqual([]);
});

it('of the pings that wait the newest is answered (proves MAILBOX-2)', async () => {
  const { socket, round, spend } = world();
  const one = socket('g');
  spend();
  for (let at = 0; at < 10_000; at += 1) one.mailbox.ping(Buffer.from(String(at)));
  await round();

  expect(one.state.pongs).toEqual(['9999']);
});

it('requests, broken ones, upgrades, messages and pings are all begun in slices', async () => {
  const door = await Door.open();
  const run = vi.spyOn(door.graphql.slices, 'run');
  const begun = async (work: () => Promise<unknown>): Promise<number> => {
    run.mockClear();
    await work();
    return run.mock.calls.length;
  };
  const socket = new WebSocket(door.socketUrl, 'graphql-transport-ws');
  const heard = (what: string): Promise<unknown> => new Promise((resolve) => socket.once(what, resolve));
  try {
    expect(await begun(() => heard('open'))).toBe(1);
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } };
    const acknowledged = async (): Promise<void> => {
      socket.send(JSON.stringify(init));
      await heard('message');
    };
    expect(await begun(acknowledged)).toBe(1);
    const ping = async (): Promise<void> => {
      socket.ping();
      await heard('pong');
    };
    expect(await begun(ping)).toBe(1);
    expect(await begun(() => fetch(door.url))).toBe(1);
    const broken = async (): Promise<void> => {
      const client = connect(door.port, '127.0.0.1');
      client.resume().write('no request\r\n\r\n');
      await once(client, 'close');
    };
    expect(await begun(broken)).toBe(1);
  } finally {
    socket.terminate();
    await door.close();
  }
});
