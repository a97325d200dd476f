/** What thousands of clients send at once is read some in each round of the event loop. */
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { ReadBudget, RESUMED_PER_ROUND } from '../../src/api/read-budget.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { eventually } from '../support/eventually.ts';

const CLIENTS = 300;

let server: Server | undefined;
const clients: Socket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  await new Promise((resolve) => server?.close(resolve) ?? resolve(undefined));
  server = undefined;
});

/** A server, clients that are connected to it, and how much of them came in each round of the loop. */
async function world(busyMs: number) {
  const state = { now: 0, took: 0, rounds: [] as string[][], known: new Set<Socket>() };
  const sockets: Socket[] = [];
  const reads = new ReadBudget({
    scheduler: systemScheduler,
    monotonicNow: () => state.now,
    laneOf: (socket) => (state.known.has(socket) ? 'keyed' : 'new'),
    busyMs,
  });
  let round: string[] | undefined;
  const came = (what: string, socket: object): void => {
    if (round === undefined) {
      round = [];
      state.rounds.push(round);
      setImmediate(() => (round = undefined));
    }
    round.push(what);
    reads.busyWith(socket);
    state.now += state.took;
  };
  server = createServer((request, response) => {
    came(request.url ?? '', request.socket);
    response.end('ok');
  });
  server.on('clientError', (_, socket) => {
    came('broken', socket);
    socket.destroy();
  });
  server.on('connection', (socket) => {
    sockets.push(socket);
    reads.add(socket);
  });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  for (let at = 0; at < CLIENTS; at += 1) {
    const client = connect(port, '127.0.0.1').on('error', () => undefined);
    client.resume();
    clients.push(client);
  }
  await eventually('all are connected', () => sockets.length === CLIENTS);
  await eventually('all are read', () => reads.stopped === 0);
  state.rounds = [];
  state.took = 1;
  const count = (): number => state.rounds.reduce((sum, one) => sum + one.length, 0);
  return { state, reads, sockets, count };
}

const longest = (rounds: readonly (readonly string[])[]): number =>
  Math.max(...rounds.map((one) => one.length));

it('of three hundred that write at once, some are read in each round, and all in the end (proves READS-1)', async () => {
  const { state, reads, count } = await world(4);
  for (const [at, client] of clients.entries()) client.write(`GET /${at} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await eventually('all were read', () => count() === CLIENTS);

  // The clients share the loop: they write in one round, and what they wrote is there in the next.
  expect(longest(state.rounds)).toBeLessThanOrEqual(5);
  expect(new Set(state.rounds.flat()).size).toBe(CLIENTS);
  await eventually('nobody is stopped any more', () => reads.stopped === 0);
});

it('of three hundred that leave in the middle of a request, too (proves READS-1)', async () => {
  const { state, sockets, count } = await world(4);
  for (const client of clients) client.write('GET /half HTTP/1.1\r\nHo');
  await eventually('their halves are read', () => sockets.every(({ bytesRead }) => bytesRead > 0));
  for (const client of clients) client.destroy();
  await eventually('all have left', () => count() === CLIENTS);
  await eventually('all are closed', () => sockets.every(({ destroyed }) => destroyed));

  expect(longest(state.rounds)).toBeLessThanOrEqual(5);
});

it('whoever is known is read again before a crowd that is not (proves READS-1)', async () => {
  const { state, sockets, count } = await world(1);
  state.known = new Set(sockets.slice(-2));
  for (const client of clients.slice(0, -2)) client.write('GET /crowd HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually('the crowd is there', () => count() > 0);
  for (const client of clients.slice(-2)) client.write('GET /known HTTP/1.1\r\nHost: x\r\n\r\n');
  await eventually('all were read', () => count() === CLIENTS);

  const all = state.rounds.flat();
  expect(all.lastIndexOf('/known')).toBeLessThan(CLIENTS / 2);
});

it('whoever has been served waits behind those who have not, and who is not to be read stays so (proves READS-1)', () => {
  const queued: (() => void)[] = [];
  let now = 0;
  const reads = new ReadBudget({
    scheduler: { immediate: (work) => (queued.push(work), () => undefined), interval: () => () => undefined },
    monotonicNow: () => now,
    laneOf: () => 'new',
    busyMs: 1,
  });
  const nextRound = (): void => {
    for (const work of queued.splice(0)) work();
  };
  const made = Array.from({ length: 3 * RESUMED_PER_ROUND }, (_, at) => new FakeSocket(at !== 1));
  // as: it has what is looked at
  for (const one of made) reads.add(one as unknown as Socket);
  nextRound();

  const isRead = (from: number): boolean =>
    made.slice(from, from + RESUMED_PER_ROUND).every((one) => one.isRead);
  reads.busyWith(made[0] as object);
  now += 1;
  reads.busyWith(made[2] as object);
  expect(made.some((one) => one.isRead)).toBe(false);
  nextRound();
  expect([made[0]?.isRead, made[1]?.isRead, made[3]?.isRead, isRead(RESUMED_PER_ROUND + 1)]).toEqual([
    true,
    false,
    true,
    false,
  ]);

  // 0 sends again and again: those who have waited longer go first.
  now += 1;
  reads.busyWith(made[0] as object);
  expect(reads.stopped).toBe(made.length - 1);
  nextRound();
  expect([made[0]?.isRead, made[3]?.isRead]).toEqual([false, true]);
  nextRound();
  nextRound();
  expect([reads.stopped, made[0]?.isRead, made[1]?.isRead]).toEqual([0, true, false]);
  nextRound();
  expect(queued).toHaveLength(0);
});

it('those who say nothing keep nobody waiting, however many they are, while others spend each round (proves READS-1)', () => {
  const queued: (() => void)[] = [];
  let now = 0;
  const busy = [new FakeSocket(true), new FakeSocket(true)];
  const silent = Array.from({ length: 4 * RESUMED_PER_ROUND }, () => new FakeSocket(true));
  const reads = new ReadBudget({
    scheduler: { immediate: (work) => (queued.push(work), () => undefined), interval: () => () => undefined },
    monotonicNow: () => now,
    laneOf: (socket) => (busy.some((one) => (one as unknown) === socket) ? 'keyed' : 'new'),
    busyMs: 1,
  });
  // as: it has what is looked at
  for (const one of [...busy, ...silent]) reads.add(one as unknown as Socket);
  for (const work of queued.splice(0)) work();

  const heard = new Set<FakeSocket>();
  for (let round = 0; round < 16; round += 1) {
    for (const one of busy) {
      if (!one.isRead) continue;
      reads.busyWith(one);
      now += 1;
    }
    for (const work of queued.splice(0)) work();
    for (const one of silent) if (one.isRead) heard.add(one);
  }

  expect(heard.size, 'each was read for a while').toBe(silent.length);
});

class FakeSocket {
  isRead: boolean;
  readonly _handle: { reading: boolean; readStop(): void; readStart(): void };

  constructor(reading: boolean) {
    this.isRead = reading;
    this._handle = {
      reading,
      readStop: () => (this.isRead = false),
      readStart: () => (this.isRead = true),
    };
  }

  once(): void {
    return undefined;
  }
}
