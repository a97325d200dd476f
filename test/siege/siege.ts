/**
 * The conductor: a server, its watcher, a reference and a model service, each a process of its own; then one kind after the other, and all of
 * them at once. A kind is judged when what it did has ended: verdict.ts. Every step has a bound, and so has the whole.
 */
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { Child } from '../bench/child.ts';
import { diceOf } from '../simulate/dice.ts';
import { eventually } from '../support/eventually.ts';
import { within } from '../support/within.ts';
import { Besieged } from './besieged.ts';
import { Ground, type GroundSize } from './ground.ts';
import { KeyWatch } from './key-watch.ts';
import type { Action, Kind } from './kind.ts';
import { ACTION_MS_MAX, END_MS_MAX, GROWTH_BYTES, GROWTH_LOOK_MS, GROWTH_MS_MAX } from './limit.ts';
import type { ModelServiceCommands } from './model-service.ts';
import { pause } from './probe.ts';
import type { ReferenceCommands } from './reference-server.ts';
import { Tally } from './tally.ts';
import { type Figures, type Violation, violationsOf } from './verdict.ts';
import type { WatcherCommands } from './watcher.ts';

export const CANARY = 'sk-ant-CanaryOfTheSiege7xZ9mP4vL2nR8tB5wJ3kQ';
const ROOT_KEY = 'root-key-of-the-siege-0123456789';
const ATTACKER_NICENESS = 10;
/** Of what was begun last, when a siege hangs. */
const LAST_TOLD = 5;
/** Of the log of a server that died: why it did. */
const CRASH_CHARS = 600;
/** Between kinds: what the one before has left behind is not the next one's. */
const CALM_MS = 500;

export interface SiegeOptions {
  readonly seed: number;
  readonly kinds: readonly Kind[];
  readonly size: GroundSize;
  /** How long a kind goes on; it also ends after `actionsMax(kind)` actions. */
  readonly msPerKind: number;
  readonly quietMs: number;
  readonly actionsMax: (kind: Kind) => number;
  /** Number of the first action: one of a report, to see it again. */
  readonly from?: number | undefined;
  /** Whether a kind that failed leaves a server that the next one must not have. A dead one is replaced anyway. */
  readonly freshAfterFailure: boolean;
  /** Whether the attackers give way, so that what is measured is the server and not the machine. */
  readonly givesWay: boolean;
  /** All of it: what takes longer hangs, and is told with what it was doing. */
  readonly msMax?: number | undefined;
  say(line: string): void;
}

export interface Round {
  readonly kind: Kind;
  readonly tally: Tally;
  readonly figures: Figures;
  readonly violations: readonly Violation[];
  /** The end of the server's log, when something is wrong. */
  readonly logTail: string;
}

export interface SiegeReport {
  readonly quiet: Figures;
  readonly rounds: readonly Round[];
}

export class Siege {
  readonly #options: SiegeOptions;
  readonly #keys = new KeyWatch(CANARY);
  #watcher!: Child<WatcherCommands>; // set by run()
  #reference!: Child<ReferenceCommands>; // set by run()
  #model!: Child<ModelServiceCommands>; // set by run()
  #server!: Besieged; // set by run()
  #ground!: Ground; // set by #open()
  #tally = new Tally();
  #quiet!: Figures; // set by run()
  #step = 'its start';
  #isOver = false;

  constructor(options: SiegeOptions) {
    this.#options = options;
  }

  async run(): Promise<SiegeReport> {
    const script = (name: string): string => join(import.meta.dirname, name);
    this.#watcher = await Child.start<WatcherCommands>(script('watcher.ts'));
    this.#reference = await Child.start<ReferenceCommands>(script('reference-server.ts'));
    this.#model = await Child.start<ModelServiceCommands>(script('model-service.ts'));
    this.#server = new Besieged(ROOT_KEY, `http://127.0.0.1:${await this.#model.ask('port')}`);
    try {
      const { msMax } = this.#options;
      return await (msMax === undefined
        ? this.#siege()
        : within(msMax, this.#siege(), () => this.#whatHangs()));
    } finally {
      this.#isOver = true;
      await this.#server.close();
      for (const child of [this.#watcher, this.#model, this.#reference]) await child.stop();
    }
  }

  async #siege(): Promise<SiegeReport> {
    const { quietMs, kinds } = this.#options;
    const rounds: Round[] = [];
    await this.#open();
    this.#step = 'the time of quiet';
    await pause(quietMs / 2); // its first turns start what later ones find started
    await this.#watcher.ask('begin', { takesCpu: false });
    await pause(quietMs);
    await eventually('a turn of the other tenant ends before anything is tried', async () => {
      this.#quiet = await this.#watcher.ask('figures');
      return this.#quiet.turns > 0;
    });
    for (const kind of kinds) {
      this.#step = kind.name;
      rounds.push(await this.#round(kind));
    }
    this.#step = 'its end';
    rounds.push(...(await this.#atTheEnd()));
    return { quiet: this.#quiet, rounds };
  }

  #whatHangs(): string {
    const last = this.#tally.lastActions.slice(-LAST_TOLD);
    return [`The siege hangs in: ${this.#step}`, ...last, this.#server.logTail].join('\n');
  }

  /** Starts the server, or starts it again, and makes what is attacked. */
  async #open(): Promise<void> {
    giveWay(0); // what we start would give way as we do
    await this.#server.start();
    if (this.#options.givesWay) giveWay(ATTACKER_NICENESS);
    const { port, pid, folder, lagPath } = this.#server;
    this.#ground = new Ground(port, this.#server.key, CANARY, this.#keys);
    await this.#ground.prepare(this.#options.size);
    const referencePort = await this.#reference.ask('port');
    const key = this.#ground.politeKey;
    await this.#watcher.ask('watch', { port, pid, referencePort, key, folder, lagPath });
  }

  async #round(kind: Kind): Promise<Round> {
    const ground = this.#ground;
    ground.begin();
    this.#tally = ground.tally;
    await this.#watcher.ask('begin', { takesCpu: kind.takesCpu === true });
    await this.#act(kind, ground);
    await this.#growth();
    this.#server.look();
    if (this.#server.isAlive) await this.#calmDown(ground);
    if (this.#isOver) throw new Error('The siege was given up.');
    // It may also have died of what it was left with.
    const crashed = this.#server.isAlive ? undefined : this.#server.logTail.slice(-CRASH_CHARS);
    const figures = await this.#watcher.ask('figures');
    const leaked = crashed === undefined ? await this.#hands() : await this.#server.leaked();
    const takesCpu = kind.takesCpu === true;
    const { findings } = ground.tally;
    const deafAfter = ground.tally.actionsAt(figures.deafAt);
    const seen = { figures, takesCpu, crashed, leaked, echoes: ground.echoes, findings, deafAfter };
    const violations = violationsOf(seen, this.#quiet);
    const round = { kind, tally: ground.tally, figures, violations, logTail: this.#server.logTail };
    this.#options.say(
      `${kind.name}: ${violations.length === 0 ? 'held' : violations.map(({ message }) => message).join('; ')}`,
    );
    // What one kind has made of the server is not the next one's.
    const isSpoilt = this.#options.freshAfterFailure && violations.some(({ rule }) => rule !== 'key');
    if (!this.#server.isAlive || isSpoilt) await this.#openAgain();
    return round;
  }

  /** Actions one after the other by the dice, so many at once, until the time is over. */
  async #act(kind: Kind, ground: Ground): Promise<void> {
    const { seed, from = 0, msPerKind, actionsMax } = this.#options;
    const endAt = performance.now() + msPerKind;
    const last = from + actionsMax(kind);
    let next = from;
    const worker = async (): Promise<void> => {
      while (performance.now() < endAt && next < last && this.#server.isAlive) {
        const number = next++;
        const action = kind.action(diceOf(seed, kind.name, number), ground);
        ground.tally.begun(`${kind.name} ${number}: ${action.told}`);
        await Promise.race([
          action.run().catch((error: unknown) => ground.tally.refused(reasonOf(error))),
          late(),
        ]);
      }
    };
    await Promise.all(Array.from({ length: kind.atOnce }, worker));
  }

  /** Resolves when what was asked for has cost what it costs. */
  async #growth(): Promise<void> {
    const endAt = performance.now() + GROWTH_MS_MAX;
    for (let bytes = -Infinity; this.#server.isAlive && performance.now() < endAt; ) {
      const { rssPeakBytes } = await this.#watcher.ask('figures');
      if (rssPeakBytes < bytes + GROWTH_BYTES) return;
      bytes = rssPeakBytes;
      await pause(GROWTH_LOOK_MS);
    }
  }

  /** Lets go of what the kind holds. A server that cannot do that any more has failed, and is started anew. */
  async #calmDown(ground: Ground): Promise<void> {
    ground.held.releaseAll();
    const left = ground.leave().then(() => true);
    const done = await Promise.race([left.catch(() => false), pause(END_MS_MAX).then(() => false)]);
    if (!done && this.#server.isAlive) ground.tally.found('the sessions could not be archived afterwards');
    await pause(CALM_MS);
  }

  /** Hands that are still there when their sessions are archived. */
  async #hands(): Promise<readonly string[]> {
    try {
      await eventually('hands end with their sessions', () => this.#server.hands().length === 0, END_MS_MAX);
      return [];
    } catch {
      return this.#server.hands().slice(0, 3);
    }
  }

  async #openAgain(): Promise<void> {
    if (this.#isOver) return;
    await this.#server.crash(); // it may be past stopping
    await this.#watcher.ask('unwatch');
    await this.#server.close();
    this.#server = new Besieged(ROOT_KEY, `http://127.0.0.1:${await this.#model.ask('port')}`);
    await this.#open();
  }

  /** The server ends in order, leaves nothing behind, and has written the key nowhere. */
  async #atTheEnd(): Promise<readonly Round[]> {
    await this.#watcher.ask('unwatch');
    await this.#server.stop();
    this.#ground.begin();
    const kind: Kind = {
      name: 'its end',
      attacks: 'the server is stopped',
      atOnce: 0,
      few: 0,
      action: () => NOTHING,
    };
    const seen = {
      figures: this.#quiet,
      takesCpu: false,
      findings: [],
    };
    const leaked = await this.#server.leaked();
    const echoes = await keyInFiles(this.#server.folder, this.#keys);
    const violations = violationsOf({ ...seen, leaked, echoes }, this.#quiet);
    return [
      { kind, tally: this.#ground.tally, figures: seen.figures, violations, logTail: this.#server.logTail },
    ];
  }
}

const NOTHING: Action = { told: 'nothing', run: () => Promise.resolve() };

function giveWay(niceness: number): void {
  try {
    setPriority(niceness);
  } catch {
    // only root takes back what it gave: the next server then gives way as well
  }
}

/** An action that hangs must not keep the others from their turn; what it holds is let go of with the rest. */
function late(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ACTION_MS_MAX).unref());
}

function reasonOf(error: unknown): string {
  const { code, message = '' } = error as { code?: string; message?: string };
  return code ?? /"code":\s*"(\w+)"/.exec(message)?.[1] ?? message.slice(0, 40);
}

async function keyInFiles(folder: string, keys: KeyWatch): Promise<readonly string[]> {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
  const telling: string[] = [];
  for (const file of files) {
    if (!isFile(file)) continue;
    const heard = keys.stream();
    for await (const chunk of createReadStream(file, { encoding: 'latin1' }) as AsyncIterable<string>) {
      const how = heard(chunk);
      if (how === undefined) continue;
      telling.push(`the key (${how}) stands in ${file.slice(folder.length)}`);
      break;
    }
  }
  return telling;
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}
