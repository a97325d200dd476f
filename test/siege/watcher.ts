/**
 * Sees how the server is, all the time, from a process of its own: how long it is deaf, how a polite tenant fares, what it holds. Beside each
 * probe of the server stands one of the reference server: what that waits at the same time, the machine is to blame for. So it is for what
 * the watcher itself could not look at (own-lag.ts). Where it may, it goes before all others: it stands for clients on another machine, and a
 * bomb of forks on this one does not hold those up.
 *
 * It ends the server before that takes the machine with it.
 */
import { readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { constants, setPriority } from 'node:os';
import { answerParent } from '../bench/child.ts';
import { quantile } from '../bench/statistics.ts';
import { kill } from '../support/processes.ts';
import {
  END_DISK_BYTES,
  END_MACHINE_BYTES,
  END_MACHINE_SHARE,
  END_RSS_BYTES,
  PROBE_EVERY_MS,
} from './limit.ts';
import { LagFile } from './lag-file.ts';
import { OwnLag } from './own-lag.ts';
import { PoliteTenant } from './polite-tenant.ts';
import { pause, Probe } from './probe.ts';
import { type Figures, mib } from './verdict.ts';

/** The fixed piece of work is a load of its own: four times a second. */
const WORK_EVERY_MS = 250;
/** Of fewer turns one that does not end is more than a twentieth. */
const FEW_TURNS = 20;

export interface Watched {
  readonly port: number;
  readonly pid: number;
  readonly referencePort: number;
  readonly key: string;
  readonly folder: string;
  readonly lagPath: string;
}

export type WatcherCommands = {
  readonly watch: (watched: Watched) => Promise<void>;
  /** Forgets what was seen so far. `takesCpu`: the reference excuses nothing (Kind.takesCpu). */
  readonly begin: (as: { takesCpu: boolean }) => Promise<void>;
  readonly figures: () => Promise<Figures>;
  readonly unwatch: () => Promise<void>;
};

class Watch {
  readonly #watched: Watched;
  readonly #over = new AbortController();
  readonly #reference: Probe;
  readonly #health: Probe;
  readonly #polite: PoliteTenant;
  readonly #running: Promise<unknown>;
  readonly #own = new OwnLag();
  /** What the server says of itself: that is its own, however late the watcher was. */
  readonly #late: LagFile;
  #works: number[] = [];
  #deafMs = 0;
  #deafAt = 0;
  #waitMs = 0;
  #rssPeak = 0;
  #takesCpu = false;
  #freeDisk = 0;
  #freeMemory = 0;
  #diskDrop = 0;
  #ended: string | undefined;
  #reconnectsBefore = 0;
  #beganAt = 0;

  constructor(watched: Watched) {
    this.#watched = watched;
    const { port, referencePort, key, lagPath } = watched;
    this.#late = new LagFile(lagPath);
    this.#reference = new Probe(referencePort, '/', PROBE_EVERY_MS);
    this.#health = new Probe(port, '/healthz', PROBE_EVERY_MS, (wait) => this.#waited(wait));
    const work = new Probe(referencePort, '/work', WORK_EVERY_MS, ({ from, to }) =>
      this.#works.push(to - from),
    );
    this.#polite = new PoliteTenant(port, key, (wait) => this.#own.within(wait));
    goFirst();
    this.#over.signal.addEventListener('abort', this.#own.start(), { once: true });
    const all = [this.#reference, this.#health, work, this.#polite];
    this.#running = Promise.all([...all.map((one) => one.run(this.#over.signal)), this.#look()]);
    this.begin(false);
  }

  begin(takesCpu: boolean): void {
    const { pid, folder } = this.#watched;
    this.#takesCpu = takesCpu;
    this.#late.news(); // of before
    this.#works = [];
    [this.#deafMs, this.#waitMs, this.#rssPeak, this.#diskDrop] = [0, 0, 0, 0];
    this.#polite.waits = { turns: [], reads: [], failed: 0, reconnects: 0 };
    this.#reconnectsBefore = this.#health.reconnects;
    this.#freeDisk = freeDisk(folder);
    this.#freeMemory = freeMemory();
    this.#ended = undefined;
    this.#beganAt = performance.now();
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5'); // proc(5): the peak of the resident set starts anew
    } catch {
      // it has ended, or the kernel has no such thing: the peak is then of the looks below
    }
  }

  figures(): Figures {
    const open = this.#health.open;
    if (open !== undefined) this.#waited(open);
    this.#hear();
    const { turns, reads, failed, reconnects } = this.#polite.waits;
    const openMs = this.#polite.openMs;
    return {
      rssPeakBytes: Math.max(this.#rssPeak, memory(this.#watched.pid, 'VmHWM')),
      deafMs: this.#deafMs,
      deafAt: this.#deafAt,
      waitMs: this.#waitMs,
      turnP95Ms: Math.max(p95(turns), turns.length < FEW_TURNS ? openMs : 0),
      readP95Ms: p95(reads),
      workP95Ms: p95(this.#works),
      turns: turns.length,
      forMs: performance.now() - this.#beganAt,
      turnsFailed: failed,
      reconnects: reconnects + this.#health.reconnects - this.#reconnectsBefore,
      diskDropBytes: this.#diskDrop,
      ended: this.#ended,
    };
  }

  async end(): Promise<void> {
    this.#over.abort();
    await this.#running;
    this.#late.close();
  }

  #waited(wait: { from: number; to: number }): void {
    this.#waitMs = Math.max(this.#waitMs, wait.to - wait.from);
    this.#deafFor(wait, Math.max(this.#own.within(wait), this.#excuse(wait)));
  }

  #hear(): void {
    for (const { from, to } of this.#late.news()) {
      const wait = { from: from - performance.timeOrigin, to: to - performance.timeOrigin };
      this.#deafFor(wait, this.#excuse(wait));
    }
  }

  /** Of the machine. */
  #excuse(wait: { from: number; to: number }): number {
    return this.#takesCpu ? 0 : this.#reference.longestWithin(wait);
  }

  #deafFor({ from, to }: { from: number; to: number }, excuse: number): void {
    const deafMs = to - from - excuse;
    if (deafMs <= this.#deafMs) return;
    this.#deafMs = deafMs;
    this.#deafAt = performance.timeOrigin + from;
  }

  async #look(): Promise<void> {
    const { pid, folder } = this.#watched;
    while (!this.#over.signal.aborted) {
      this.#hear();
      const rss = memory(pid, 'VmRSS');
      this.#rssPeak = Math.max(this.#rssPeak, rss);
      this.#diskDrop = Math.max(this.#diskDrop, this.#freeDisk - (await freeDiskNow(folder)));
      const gone = this.#freeMemory - freeMemory();
      if (rss > END_RSS_BYTES) this.#endServer(`${mib(rss)} MiB resident`);
      else if (gone > Math.min(END_MACHINE_BYTES, END_MACHINE_SHARE * this.#freeMemory))
        this.#endServer(`the machine has lost ${mib(gone)} MiB of memory`);
      else if (this.#diskDrop > END_DISK_BYTES)
        this.#endServer(`${mib(this.#diskDrop)} MiB of the disk are gone`);
      await pause(PROBE_EVERY_MS);
    }
  }

  #endServer(why: string): void {
    if (this.#ended !== undefined) return;
    this.#ended = why;
    kill(this.#watched.pid);
  }
}

function goFirst(): void {
  try {
    setPriority(constants.priority.PRIORITY_HIGHEST);
  } catch {
    // only root may: then what it could not look at is all that is taken off
  }
}

function p95(values: readonly number[]): number {
  return values.length === 0
    ? 0
    : quantile(
        values.toSorted((a, b) => a - b),
        0.95,
      );
}

function memory(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  return kilobytes(`/proc/${pid}/status`, field);
}

function freeMemory(): number {
  return kilobytes('/proc/meminfo', 'MemAvailable');
}

function kilobytes(path: string, field: string): number {
  try {
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(path, 'latin1'))?.[1] ?? 0) * 1024;
  } catch {
    return 0; // it has ended
  }
}

/** Beside the loop: where the disk is what is attacked, this waits for it. */
async function freeDiskNow(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function freeDisk(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

let watch: Watch | undefined;
answerParent(
  {
    watch: (watched: Watched) => {
      watch = new Watch(watched);
      return Promise.resolve();
    },
    begin: ({ takesCpu }: { takesCpu: boolean }) => Promise.resolve(watch?.begin(takesCpu)),
    figures: () => Promise.resolve(watch?.figures()),
    unwatch: async () => {
      await watch?.end();
      watch = undefined;
    },
  },
  () => watch?.end(),
);
