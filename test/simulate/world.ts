/**
 * A world in which nothing happens but by its seed: one clock that only moves when everything that is ready has run, one order
 * of everything that becomes ready, one source of chance. Promises of the code under test settle in microtasks, whose order the
 * language fixes; whatever it waits for beyond them is an event here.
 */
import type { Chance } from '../../src/kernel/chance.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { Fields, Logger, LogLevel } from '../../src/kernel/logger.ts';
import type { Scheduler } from '../../src/kernel/scheduler.ts';
import { Fault } from '../../src/kernel/fault.ts';
import { EventHeap, type Happening } from './event-heap.ts';
import { type Dice, diceOf } from './dice.ts';
import type { SimNode } from './node.ts';

const START = Date.UTC(2026, 0, 1);
/** Node takes a longer timer for one of 1 ms, with a warning. */
const TIMER_MS_MAX = 2_147_483_647;
const UPTIME_MS_MAX = 30 * 86_400_000;
/** Lines of the story that are kept: what led to a violation is rarely older. */
const STORY_LINES_MAX = 2_000;
/** A history that takes more is a loop without an end. */
const STEPS_MAX = 400_000;

interface Line {
  readonly step: number;
  readonly at: number;
  readonly who: string;
  readonly what: string;
  readonly fields: Fields | undefined;
}

/** Found by a check: the rule that does not hold, and how. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, what: string) {
    super(`${rule}: ${what}`);
    this.rule = rule;
  }
}

export class World {
  readonly seed: number;
  readonly dice: Dice;
  /** Milliseconds since the beginning. */
  now = 0;
  step = 0;
  #violation: Violation | undefined;
  #storyHash = 0;
  #scheduled = 0;
  readonly #heap = new EventHeap();
  readonly #story: Line[] = [];
  #frozen: Promise<unknown>[] = [];

  constructor(seed: number) {
    this.seed = seed;
    this.dice = diceOf(seed, 'world');
  }

  /** The first one; the history ends with it. */
  get violation(): Violation | undefined {
    return this.#violation;
  }

  /** Of everything that was told: two runs of one seed have the same. */
  get storyHash(): number {
    return this.#storyHash;
  }

  /** Milliseconds since the epoch, on a clock that is so far ahead. */
  wallNow(skewMs = 0): number {
    return Math.floor(START + this.now + skewMs);
  }

  readonly chance: Chance = {
    random: () => this.dice.fraction(),
    hex: (bytes) =>
      Array.from({ length: bytes }, () => this.dice.below(256).toString(16).padStart(2, '0')).join(''),
  };

  /** Something that happens at `node` after `delayMs`, unless the node is dead by then. Answers what takes it back. */
  schedule(node: SimNode, delayMs: number, run: () => void): () => void {
    return this.scheduleAt(node, this.now + delayMs, run);
  }

  /** The same by its time: what is for one time happens in the order in which it was scheduled. */
  scheduleAt(node: SimNode, at: number, run: () => void): () => void {
    this.#scheduled += 1;
    const happening: Happening = { at, number: this.#scheduled, node, run, canceled: false };
    this.#heap.push(happening);
    node.waiting += 1;
    return () => {
      if (happening.canceled) return;
      happening.canceled = true;
      node.waiting -= 1;
    };
  }

  clockOf(node: SimNode): Clock {
    return {
      now: () => this.wallNow(node.skewMs),
      monotonicNow: () => this.now + uptimeOf(node), // no two machines were started at the same time
      sleep: (ms, signal) => this.#sleep(node, ms, signal),
    };
  }

  schedulerOf(node: SimNode): Scheduler {
    return {
      immediate: (work) => this.schedule(node, 0, work),
      interval: (ms, work) => {
        let cancel = (): void => undefined;
        const again = (): void => {
          cancel = this.schedule(node, ms, () => {
            again();
            work();
          });
        };
        again();
        return () => cancel();
      },
    };
  }

  loggerOf(node: SimNode, bound: Fields = {}): Logger {
    const at =
      (level: LogLevel) =>
      (message: string, fields: Fields = {}): void => {
        this.tell(node.name, message, { ...bound, ...fields });
        const { error } = fields;
        if (level !== 'debug' && error !== undefined && !isExpected(error))
          this.violate(
            'only faults and outages are thrown',
            `${node.name}: ${message}: ${String((error as Error).stack)}`,
          );
      };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => this.loggerOf(node, { ...bound, ...fields }),
    };
  }

  /** Time stands still until this real work is done, within the step that began it. */
  freeze(work: Promise<unknown>): void {
    this.#frozen.push(work);
  }

  tell(who: string, what: string, fields?: Fields): void {
    this.#story.push({ step: this.step, at: this.now, who, what, fields });
    if (this.#story.length > 2 * STORY_LINES_MAX) this.#story.splice(0, STORY_LINES_MAX);
    const line = `${this.step} ${this.now} ${who} ${what}`;
    let hash = this.#storyHash;
    for (let at = 0; at < line.length; at += 1) hash = Math.imul(hash ^ line.charCodeAt(at), 0x01000193);
    this.#storyHash = hash;
  }

  violate(rule: string, what: string): void {
    if (this.#violation !== undefined) return;
    this.#violation = new Violation(rule, what);
    this.tell('!', `${rule}: ${what}`);
  }

  /** Until `done`, or for `ms`; answers whether it was done. Ends at a violation. */
  async run(ms: number, done: () => boolean = () => false): Promise<boolean> {
    const until = this.now + ms;
    for (;;) {
      if (this.#violation !== undefined) return false;
      const next = this.#heap.peek();
      if (next === undefined || next.at > until) break;
      this.#heap.pop();
      if (!this.#isDue(next)) continue;
      this.now = Math.max(this.now, next.at);
      await this.#perform(next);
      if (done()) return true;
    }
    this.now = Math.max(this.now, until);
    return done();
  }

  /** The last lines, for people. */
  story(lines: number): string {
    return this.#story.slice(-lines).map(printed).join('\n');
  }

  #isDue(next: Happening): boolean {
    if (next.canceled) return false;
    if (!next.node.alive) {
      next.node.waiting -= 1;
      return false;
    }
    if (next.node.deafUntil <= next.at) return true;
    next.at = next.node.deafUntil;
    this.#heap.push(next); // under its number, so that what was put off comes in its order
    return false;
  }

  async #perform(next: Happening): Promise<void> {
    next.canceled = true;
    next.node.waiting -= 1;
    this.step += 1;
    if (this.step > STEPS_MAX) this.violate('every history ends', `more than ${STEPS_MAX} steps`);
    try {
      next.run();
    } catch (error) {
      this.violate(
        'nothing throws into the event loop',
        `${next.node.name}: ${String((error as Error).stack)}`,
      );
    }
    await drained();
    while (this.#frozen.length > 0) {
      await Promise.all(this.#frozen.splice(0));
      await drained();
    }
  }

  #sleep(node: SimNode, ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.schedule(node, ms >= 1 && ms <= TIMER_MS_MAX ? ms : 1, done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

/** What its monotonic clock showed when the world began. */
function uptimeOf({ name }: SimNode): number {
  return diceOf(0, 'uptime', name).below(UPTIME_MS_MAX);
}

/** Everything that is ready has run: microtasks are done before the event loop goes round. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What the code under test may log as a failure: its own refusals, outages, and what the simulation itself cuts. */
function isExpected(error: unknown): boolean {
  if (error instanceof Fault) return true;
  if (!(error instanceof Error) || error instanceof TypeError || error instanceof RangeError) return false;
  return error.name !== 'Error' || 'code' in error; // plain errors are asserts; those of a connection have a code
}

function printed({ step, at, who, what, fields = {} }: Line): string {
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
  return `${String(step).padStart(6)} ${(at / 1_000).toFixed(3).padStart(9)}s  ${who.padEnd(14)} ${what} ${rest.join(' ')}`.trimEnd();
}

function shown(value: unknown): string {
  if (value instanceof Error) return `${value.name}(${value.message})`;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
