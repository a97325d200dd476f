/**
 * A child process with an end that can be waited for, lines on its stdout, and the last of its stderr for diagnosis.
 * Never throws after it was made; a program that could not be started has ended.
 */
import type { ChildProcess } from 'node:child_process';
import { Lines } from '../../../hands/lines.ts';
import type { Ended } from '../../../supervisor/launcher.ts';

export interface Ears {
  readonly lineBytesMax: number;
  onLine(line: string): void;
  /** A line of stderr, while they are short enough to be lines. */
  onComplaint?(line: string): void;
}

/** Of stderr, the last: enough for a stack trace and what led to it. */
const STDERR_CHARS_MAX = 16 * 1024;
const COMPLAINT_BYTES_MAX = 64 * 1024;
/** Of stderr in a message. */
const WORDS_MAX = 300;
const DEAF: Ears = { lineBytesMax: 1024 * 1024, onLine: () => undefined };

export class Child {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  #hasEnded = false;
  #stderr = '';

  constructor(process: ChildProcess, ears: Ears = DEAF) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.ended = new Promise((resolve) => {
      process.once('error', ({ message }) => {
        this.#hasEnded = true;
        resolve({ code: null, signal: null, stderr: message });
      });
      process.once('close', (code, signal) => {
        this.#hasEnded = true;
        resolve({ code, signal, stderr: this.#stderr });
      });
    });
    process.stdin?.on('error', () => undefined); // it has ended, or will: `ended` says so
    const lines = new Lines(ears.lineBytesMax, (line) => ears.onLine(line));
    process.stdout?.on('data', (chunk: Buffer) => {
      if (!lines.add(chunk)) this.kill();
    });
    this.#listen(ears);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** What every unit takes as: stop in order. */
  endInput(): void {
    this.#process.stdin?.end();
  }

  /** SIGKILL; of bubblewrap, that is the end of everything inside. */
  kill(): void {
    if (!this.#hasEnded) this.#process.kill('SIGKILL');
  }

  /** Asks it to end, and makes it end after `graceMs`; resolves when it has. */
  async stop(graceMs: number): Promise<void> {
    this.endInput();
    const watchdog = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(watchdog);
  }

  #listen(ears: Ears): void {
    let complaints: Lines | undefined = new Lines(COMPLAINT_BYTES_MAX, (line) => ears.onComplaint?.(line));
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-STDERR_CHARS_MAX);
      if (complaints?.add(chunk) === false) complaints = undefined;
    });
  }
}

/** How it ended, in a few words. */
export function describeEnd({ code, signal, stderr }: Ended): string {
  const how = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('Node.js v'));
  // node prints the error, then its stack
  const last =
    lines.findLast((line) => /^\w*Error\b/.test(line)) ?? lines.findLast((line) => line.trim() !== '');
  return last === undefined ? how : `${how}: ${last.slice(0, WORDS_MAX)}`;
}
