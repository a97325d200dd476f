/**
 * The server under siege: the whole product in a process of its own, on the loopback and a folder of its own, with as few open files
 * as a shell gives. It ends with the siege, however that ends. A server that died is started again on what it left.
 */
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEAP_FLAGS } from '../../src/processes/heap.ts';
import { eventually } from '../support/eventually.ts';
import { commandLine, descendants, Launched } from '../support/processes.ts';
import { WatchedProcess } from '../support/watched-process.ts';
import { makeLagFile, removeLagFile } from './lag-file.ts';
import { END_MS_MAX, SERVER_OPEN_FILES } from './limit.ts';

const ENTRY = join(import.meta.dirname, '../../src/processes/all-in-one.ts');
const LOOP_LAG = join(import.meta.dirname, 'loop-lag.ts');
/** A server that cannot say where it is by then has not started. */
const START_MS_MAX = 60_000;
const LOG_TAIL_CHARS = 1_500;

export class Besieged {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-siege-'));
  /** How late its event loop is (loop-lag.ts). */
  readonly lagPath = makeLagFile();
  readonly key: string;
  readonly #modelUrl: string;
  #process: WatchedProcess | undefined;
  #launched: Launched | undefined;
  #port = 0;

  constructor(key: string, modelUrl: string) {
    this.key = key;
    this.#modelUrl = modelUrl;
  }

  get port(): number {
    return this.#port;
  }

  get pid(): number {
    return this.#process?.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#process?.isRunning === true;
  }

  get dataFolder(): string {
    return join(this.folder, 'data');
  }

  get #log(): string {
    return join(this.folder, 'server.log');
  }

  async start(): Promise<void> {
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOLDFAST_DATA: this.dataFolder,
      HOLDFAST_ROOT_KEY: this.key,
      HOLDFAST_LOG: 'info',
      HOLDFAST_GRAPHIQL: 'on',
      ANTHROPIC_BASE_URL: this.#modelUrl,
      HOST: '127.0.0.1',
      PORT: '0',
      NODE_ENV: 'production',
      SIEGE_LAG_FILE: this.lagPath,
    };
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const limited = [
      'prlimit',
      `--nofile=${SERVER_OPEN_FILES}:${SERVER_OPEN_FILES}`,
      process.execPath,
      ...HEAP_FLAGS,
      '--import',
      LOOP_LAG,
      ENTRY,
    ];
    const script = 'log=$1; shift; exec env -i "$@" 2>>"$log"';
    const server = new WatchedProcess(
      'sh',
      ['-c', script, 'siege', this.#log, ...words, ...limited],
      this.folder,
    );
    this.#process = server;
    this.#port = await eventually(
      'the server says where it is',
      () => {
        if (!server.isRunning) throw new Error(`the server ended: ${server.output} ${this.logTail}`);
        const port = /http:\/\/[^\s:]+:(\d+)\/graphql/.exec(server.output)?.[1];
        return port === undefined ? undefined : Number(port);
      },
      START_MS_MAX,
    );
  }

  /** Looks at what runs below it, so that what outlives it is found. */
  look(): void {
    if (this.isAlive) this.#launched = new Launched(this.pid);
  }

  /** Command lines of hands and of all that runs in them, as they are now. */
  hands(): readonly string[] {
    if (!this.isAlive) return [];
    const roots = descendants(this.pid).filter((pid) => commandLine(pid).includes('processes/hands.ts'));
    const below = new Set(roots.flatMap((pid) => [pid, ...descendants(pid)]));
    return [...below].map((pid) => `${pid} ${commandLine(pid).slice(0, 120)}`);
  }

  /** After the server's end: what is left of what it had launched. */
  async leaked(): Promise<readonly string[]> {
    try {
      await this.#launched?.ends();
      return [];
    } catch (error) {
      const { cause } = error as Error; // eventually() threw it
      return [(cause instanceof Error ? cause.message : String(error)).slice(0, 500)];
    }
  }

  async stop(): Promise<void> {
    this.look();
    const late = setTimeout(() => void this.#process?.end('SIGKILL'), END_MS_MAX);
    await this.#process?.end('SIGTERM');
    clearTimeout(late);
  }

  async crash(): Promise<void> {
    await this.#process?.end('SIGKILL');
  }

  get logTail(): string {
    return readEnd(this.#log, LOG_TAIL_CHARS);
  }

  /** Stops it and removes what it kept. */
  async close(): Promise<void> {
    await this.stop();
    removeLagFile(this.lagPath);
    // Folders may lie deeper in each other than Node's rm can name them.
    await new WatchedProcess('rm', ['-rf', '--', this.folder], undefined).ended;
  }
}

function readEnd(path: string, chars: number): string {
  try {
    return statSync(path).size === 0 ? '' : readFileSync(path, 'utf8').slice(-chars);
  } catch {
    return ''; // it was removed, or never written
  }
}
