/**
 * Two processes that append to the same sessions of a MongoDB database and follow them (append-and-follow.ts), and what became of
 * it. Between two faults a test waits until all of them go on; at the end it holds what they were told against what is there.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import type { SessionId } from '../../src/kernel/id.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import type { LoadLine, LoadOrder } from './append-and-follow.ts';
import { eventually } from './eventually.ts';
import { nothing, originOf } from './session-log.ts';

const PROGRAM = join(import.meta.dirname, 'append-and-follow.ts');
/** Longer than the adapter's patience: a server that goes on at all has gone on by then. */
const GOES_ON_MS_MAX = 60_000;
/** Acknowledged by each process, and seen by each of its followers, after a fault. */
const GOES_ON = 3;
const LOGS_KEPT = 4_000;

type Acknowledged = Extract<LoadLine, { kind: 'acknowledged' }>;
type Failed = Extract<LoadLine, { kind: 'failed' }>;
type Seen = Extract<LoadLine, { kind: 'seen' }>;

export class LoadProcess {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly acknowledged: Acknowledged[] = [];
  readonly failed: Failed[] = [];
  readonly seen: Seen[] = [];
  #isReady = false;
  #isStopped = false;
  #line = '';
  #logs = '';

  constructor(order: LoadOrder) {
    this.name = order.name;
    this.#child = spawn(process.execPath, [PROGRAM, JSON.stringify(order)], { stdio: 'pipe' });
    this.#child.stdin.on('error', () => undefined); // it has ended
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#logs = (this.#logs + chunk.toString()).slice(-LOGS_KEPT);
    });
    this.#child.stdout.on('data', (chunk: Buffer) => {
      const lines = (this.#line + chunk.toString()).split('\n');
      this.#line = lines.pop() ?? '';
      for (const line of lines) this.#take(JSON.parse(line) as LoadLine); // as: append-and-follow.ts said it
    });
  }

  async ready(): Promise<void> {
    await this.happens('it is ready', () => this.#isReady);
  }

  async happens(what: string, condition: () => boolean): Promise<void> {
    await eventually(
      `${this.name}: ${what}`,
      () => {
        if (this.#child.exitCode === null && this.#child.signalCode === null) return condition();
        throw new Error(`${this.name} ended. It said: ${this.#logs}`);
      },
      GOES_ON_MS_MAX,
    ).catch((error: unknown) => {
      throw new Error(`${this.name} said: ${this.#logs}`, { cause: error });
    });
  }

  /** What was seen of each session, by the one follower that it has here. */
  seenOf(sessionId: SessionId): readonly (readonly [seq: number, body: string])[] {
    return this.seen.filter((seen) => seen.sessionId === sessionId).flatMap(({ events }) => events);
  }

  async stop(): Promise<void> {
    this.#child.stdin.write('stop\n');
    await this.happens('all appends are answered', () => this.#isStopped);
  }

  /** Answers its exit code. */
  async end(): Promise<number | null> {
    const { exitCode, signalCode } = this.#child;
    const ended = exitCode === null && signalCode === null ? once(this.#child, 'exit') : undefined;
    this.#child.stdin.end();
    await ended;
    return this.#child.exitCode;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #take(line: LoadLine): void {
    if (line.kind === 'acknowledged') this.acknowledged.push(line);
    else if (line.kind === 'failed') this.failed.push(line);
    else if (line.kind === 'seen') this.seen.push(line);
    else if (line.kind === 'ready') this.#isReady = true;
    else this.#isStopped = true;
  }
}

export interface LoadSession {
  readonly id: SessionId;
  readonly keyed: boolean;
}

export class LogLoad {
  readonly sessions: readonly LoadSession[];
  readonly processes: readonly LoadProcess[];

  private constructor(sessions: readonly LoadSession[], processes: readonly LoadProcess[]) {
    this.sessions = sessions;
    this.processes = processes;
  }

  /** `uri` is the database itself; each of `through` is one process's way to it. Both append to all sessions. */
  static async start(uri: string, through: readonly string[]): Promise<LogLoad> {
    const store = await openMongo({ uri });
    const sessions = [true, true, false].map((keyed) => ({ id: originOf().id, keyed }));
    for (const { id } of sessions) await store.sessions.create(originOf({ id }), nothing);
    await store.close();
    const append = sessions.map(({ id: sessionId, keyed }) => ({ sessionId, keyed }));
    const processes = through.map(
      (way, index) =>
        new LoadProcess({
          uri: way,
          name: `process ${index + 1}`,
          append,
          follow: sessions.map(({ id }) => id),
        }),
    );
    const load = new LogLoad(sessions, processes);
    try {
      await Promise.all(processes.map((one) => one.ready()));
      await load.goesOn();
    } catch (error) {
      load.kill();
      throw error;
    }
    return load;
  }

  get acknowledged(): number {
    return this.processes.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0);
  }

  /** Until each process has been acknowledged more in each session, and each of its followers has seen more. */
  async goesOn(more: number = GOES_ON): Promise<void> {
    await Promise.all(
      this.processes.flatMap((one) =>
        this.sessions.map(async ({ id }) => {
          const acknowledged = (): number =>
            one.acknowledged.filter(({ sessionId }) => sessionId === id).length;
          const [before, seenBefore] = [acknowledged(), one.seenOf(id).length];
          await one.happens('appends are acknowledged', () => acknowledged() >= before + more);
          await one.happens('its follower sees more', () => one.seenOf(id).length >= seenBefore + more);
        }),
      ),
    );
  }

  /** Ends the appending; resolves when every follower has seen what `heads` say is there. */
  async settle(heads: () => Promise<ReadonlyMap<SessionId, number>>): Promise<void> {
    await Promise.all(this.processes.map((one) => one.stop()));
    for (const [sessionId, head] of await heads()) {
      for (const one of this.processes)
        await one.happens(`its follower sees ${head} events`, () => one.seenOf(sessionId).length >= head);
    }
  }

  /** Answers the exit codes. */
  end(): Promise<readonly (number | null)[]> {
    return Promise.all(this.processes.map((one) => one.end()));
  }

  kill(): void {
    for (const one of this.processes) one.kill();
  }
}
