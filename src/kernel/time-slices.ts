/**
 * Work that comes in crowds is done in time slices: so much of it in one round of the event loop, and what else is ready goes first in
 * between. Epoll hands over a thousand readable connections at once, and one round would serve them all before it looks at anybody else.
 *
 * SLICE-1 Of what is run here, nothing is begun once a round has spent `sliceMs` since its first piece; the rest waits for the next round.
 * SLICE-2 Owners who wait have one piece each, one after the other, in the order in which they came; of one owner, the pieces do too.
 * SLICE-3 While connections arrive in a row, there is a slice only once in CROWD_PAUSE_MS, so that the rounds between are short: libuv accepts
 *    one connection in a round (libuv pull request 3696), and whoever arrives after a thousand others waits for a thousand rounds.
 * SLICE-4 Owners are in lanes: those who have shown a key, those who have been answered before, and all others. Lanes in which somebody waits
 *    have one piece each in turn: whoever is known does not wait behind a thousand who came just now, nor they behind a thousand who are.
 */
import type { Scheduler } from './scheduler.ts';

/** Short beside what a person sees, long beside what it costs to go round: a turn of a session takes some dozen rounds. */
const SLICE_MS = 4;
/** Rounds in a row that accepted a connection each: from here on it is a crowd, and not some clients that come at the same time. */
const CROWD_ROUNDS_MIN = 8;
/** From one slice to the next while a crowd arrives: a fifth of the time is for those who are here, the rest for those who are not. */
const CROWD_PAUSE_MS = 16;

/** SLICE-4 */
export const LANES = ['keyed', 'answered', 'new'] as const;
export type Lane = (typeof LANES)[number];

type Queue = (() => void)[];

export interface TimeSlicesPorts {
  readonly scheduler: Scheduler;
  /** Milliseconds of a clock that does not go back. */
  monotonicNow(): number;
  /** For tests: SLICE_MS. */
  readonly sliceMs?: number | undefined;
}

export class TimeSlices {
  readonly #ports: TimeSlicesPorts;
  readonly #sliceMs: number;
  /** By owner, who is next first. As many owners as there are connections; what each may have waiting, its own door bounds. */
  readonly #waiting: Readonly<Record<Lane, Map<object, Queue>>> = {
    keyed: new Map(),
    answered: new Map(),
    new: new Map(),
  };
  /** Of those who are not new. */
  readonly #lanes = new WeakMap<object, Lane>();
  /** Whose turn it is, of LANES. */
  #turn = 0;
  /** When the first piece of this round was begun; undefined when none was. */
  #began: number | undefined;
  /** When the last slice began. */
  #lastBegan = Number.NEGATIVE_INFINITY;
  #isRoundAwaited = false;
  #hasArrived = false;
  /** Rounds in a row in which somebody arrived. */
  #arrivals = 0;

  constructor(ports: TimeSlicesPorts) {
    this.#ports = ports;
    this.#sliceMs = ports.sliceMs ?? SLICE_MS;
  }

  /** Called whenever somebody has work. */
  onRun: ((owner: object) => void) | undefined;

  /** Those who wait. */
  get waiting(): number {
    return LANES.reduce((count, lane) => count + this.#waiting[lane].size, 0);
  }

  laneOf(owner: object): Lane {
    return this.#lanes.get(owner) ?? 'new';
  }

  /** From now on it is in a better lane (SLICE-4); in a worse one nobody is put. What it has waiting goes with it (SLICE-2). */
  promote(owner: object, lane: Exclude<Lane, 'new'>): void {
    const before = this.laneOf(owner);
    if (LANES.indexOf(lane) >= LANES.indexOf(before)) return;
    this.#lanes.set(owner, lane);
    const queue = this.#waiting[before].get(owner);
    if (queue === undefined) return;
    this.#waiting[before].delete(owner);
    this.#waiting[lane].set(owner, queue);
  }

  /** At once where nobody waits and the round has time left; `work` must not throw. */
  run(owner: object, work: () => void): void {
    this.onRun?.(owner);
    if (this.waiting === 0 && this.#hasTime()) return work();
    const waiting = this.#waiting[this.laneOf(owner)];
    const queue = waiting.get(owner);
    if (queue === undefined) waiting.set(owner, [work]);
    else queue.push(work);
  }

  /** To be told of each connection. */
  arrived(): void {
    this.#hasArrived = true;
    this.#awaitRound();
  }

  /** SLICE-1: counted from the first piece on, so that what its promises did since then counts too. */
  #hasTime(): boolean {
    const now = this.#ports.monotonicNow();
    if (this.#began !== undefined) return now - this.#began < this.#sliceMs;
    this.#awaitRound();
    if (this.#arrivals >= CROWD_ROUNDS_MIN && now - this.#lastBegan < CROWD_PAUSE_MS) return false; // SLICE-3
    this.#began = now;
    this.#lastBegan = now;
    return true;
  }

  #awaitRound(): void {
    if (this.#isRoundAwaited) return;
    this.#isRoundAwaited = true;
    this.#ports.scheduler.immediate(() => this.#nextRound());
  }

  #nextRound(): void {
    this.#isRoundAwaited = false;
    this.#began = undefined;
    this.#arrivals = this.#hasArrived ? this.#arrivals + 1 : 0;
    if (this.#hasArrived) this.#awaitRound(); // to see when nobody comes any more
    this.#hasArrived = false;
    this.#goOn();
  }

  /** One piece at a time, and the promises of each before the next, since they are its work. */
  readonly #goOn = (): void => {
    if (this.waiting === 0 || !this.#hasTime()) return; // then there is a next round
    const work = this.#takeFirst();
    queueMicrotask(this.#goOn);
    work?.();
  };

  /** SLICE-2, SLICE-4 */
  #takeFirst(): (() => void) | undefined {
    for (let tried = 0; tried < LANES.length; tried += 1) {
      const waiting = this.#waiting[LANES[this.#turn] as Lane]; // as: #turn < LANES.length
      this.#turn = (this.#turn + 1) % LANES.length;
      const [first] = waiting;
      if (first === undefined) continue;
      const [owner, queue] = first;
      waiting.delete(owner);
      const work = queue.shift();
      if (queue.length > 0) waiting.set(owner, queue); // behind the others
      return work;
    }
    return undefined;
  }
}
