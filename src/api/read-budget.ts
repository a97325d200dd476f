/**
 * How much is read in one round of the event loop. epoll hands over up to 1,024 readable sockets at once and is asked again while there are
 * as many (libuv, uv__io_poll); all of them are read, parsed and told to us before the loop looks at anything else. Fifteen hundred clients
 * that wrote or left at the same time held everybody up for a third of a second.
 *
 * READS-1 Once a round has been busy for `busyMs` with what was read in it, no other new connection is read in it: none that has neither shown
 *    a key nor been answered (kernel/time-slices.ts, SLICE-4). They are read again RESUMED_PER_ROUND in a round, those first who have waited
 *    longest. Of whom nothing came in two such rounds, waits behind the others: thousands who say nothing keep nobody waiting. Who is known
 *    is always read: to stop and resume thousands of sockets that are open for long costs more than what they send, whose work has its slices.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type Scheduler, systemScheduler } from '../kernel/scheduler.ts';
import type { Lane, TimeSlices } from '../kernel/time-slices.ts';

/** With one slice of work in it (SLICE_MS) as long again for reading: a round is then still short beside what a person sees. */
const BUSY_MS = 8;
/** The budget ends the round, and not this: of 3,000 whom nothing comes of each has its chance every dozen rounds, and to stop and resume so many takes a millisecond. */
export const RESUMED_PER_ROUND = 512;

export interface ReadBudgetPorts {
  readonly scheduler: Scheduler;
  /** Milliseconds of a clock that does not go back. */
  monotonicNow(): number;
  laneOf(socket: Socket): Lane;
  /** For tests: BUSY_MS. */
  readonly busyMs?: number | undefined;
}

/** From the first connection on; whoever was answered and not refused is known from then on (SLICE-4). */
export function boundReads(server: Server, slices: TimeSlices): void {
  const reads = new ReadBudget({
    scheduler: systemScheduler,
    monotonicNow: () => performance.now(),
    laneOf: (socket) => slices.laneOf(socket),
  });
  slices.onRun = (owner) => reads.busyWith(owner);
  server.on('connection', (socket) => {
    slices.arrived();
    reads.add(socket);
  });
  server.on('request', ({ socket }, response) => {
    response.once('finish', () => {
      if (response.statusCode < 400) slices.promote(socket, 'answered');
    });
  });
}

export class ReadBudget {
  readonly #ports: ReadBudgetPorts;
  readonly #busyMs: number;
  /** Those that are open and were not known when they were last looked at. */
  readonly #new = new Set<Socket>();
  /** Those that are not read for now, who has waited longest first. */
  #stopped = new Set<Socket>();
  /** Those that are read again since the last round. */
  #resumed: Socket[] = [];
  /** Those that nothing came of once, since the round was spent before or they say nothing: they are first once more, and then behind the others. */
  #passedOver = new Set<Socket>();
  /** Those of which something was worked on in this round: sockets among them. */
  readonly #served = new Set<object>();
  /** When this round was first busy; undefined when it was not yet. */
  #busySince: number | undefined;
  #isSpent = false;

  constructor(ports: ReadBudgetPorts) {
    this.#ports = ports;
    this.#busyMs = ports.busyMs ?? BUSY_MS;
  }

  /** Those that are not read for now. */
  get stopped(): number {
    return this.#stopped.size;
  }

  /** Until it closes. */
  add(socket: Socket): void {
    this.#new.add(socket);
    socket.once('close', () => {
      this.#new.delete(socket);
      this.#stopped.delete(socket);
      this.busyWith(socket); // what is to be done when a client leaves is work too
    });
    this.busyWith(socket);
  }

  /** To be called with each thing that comes of reading, before the work on it. */
  busyWith(socket: object): void {
    this.#served.add(socket);
    if (this.#busySince === undefined) {
      this.#busySince = this.#ports.monotonicNow();
      this.#ports.scheduler.immediate(this.#nextRound);
    } else if (!this.#isSpent && this.#ports.monotonicNow() - this.#busySince >= this.#busyMs) this.#stop();
  }

  /** READS-1. What epoll has handed over of a socket that is no longer read, libuv leaves alone. */
  #stop(): void {
    this.#isSpent = true;
    for (const socket of this.#new) if (this.#ports.laneOf(socket) !== 'new') this.#new.delete(socket);
    const unread = this.#resumed.filter((socket) => !this.#served.has(socket));
    const silent = unread.filter((socket) => this.#passedOver.has(socket));
    const again = unread.filter((socket) => !this.#passedOver.has(socket));
    this.#passedOver = new Set(again);
    const order = [...again, ...this.#stopped, ...silent, ...this.#new];
    this.#stopped = new Set(order.filter((socket) => this.#stopped.has(socket) || stopReading(socket)));
  }

  readonly #nextRound = (): void => {
    this.#busySince = undefined;
    this.#isSpent = false;
    this.#served.clear();
    this.#resumed = [];
    for (const socket of this.#stopped) {
      if (this.#resumed.length === RESUMED_PER_ROUND) break;
      this.#stopped.delete(socket);
      this.#resumed.push(socket);
      resumeReading(socket);
    }
    if (this.#stopped.size > 0) this.#keepGoing();
  };

  /** The next round comes by itself, whether anybody sends something or not. */
  #keepGoing(): void {
    this.#busySince = this.#ports.monotonicNow();
    this.#ports.scheduler.immediate(this.#nextRound);
  }
}

/**
 * as: node:net keeps its handle there. A socket of its own has no way to be stopped from outside: pause() and resume() are those of whoever
 * reads it (HTTP's parser, ws, inflow.ts), who says with `reading` whether it is to be read at all.
 */
interface Handle {
  readonly reading: boolean;
  readStop(): void;
  readStart(): void;
}

function handleOf(socket: Socket): Handle | undefined {
  return (socket as unknown as { readonly _handle?: Handle | null })._handle ?? undefined;
}

/** Answers whether it was read until now. */
function stopReading(socket: Socket): boolean {
  const handle = handleOf(socket);
  if (handle?.reading !== true) return false;
  handle.readStop();
  return true;
}

function resumeReading(socket: Socket): void {
  const handle = handleOf(socket);
  if (handle?.reading === true) handle.readStart();
}
