/**
 * A child process with an end that can be waited for, lines on its stdout, and the last of its stderr for diagnosis.
 * Never throws after it was made; a program that could not be started has ended. What it says once it was made to end is not heard.
 */
import type { ChildProcess } from 'node:child_process';
import { Lines } from '../../../hands/lines.ts';
import type { Ended } from '../../../supervisor/launcher.ts';

export interface Ears {
  readonly lineBytesMax: number;
  onLine(line: string): void;
  /** A line of stderr, while they are short enough to be lines. */
  onComplaint?(line: string): void;
  /** More than this on stderr ends it; without, it may complain for ever, and of that the last is kept. */
  readonly stderrBytesMax?: number | undefined;
}

/** Of stderr, the last: enough for a stack trace and what led to it. */
const STDERR_CHARS_MAX = 16 * 1024;
const COMPLAINT_BYTES_MAX = 64 * 1024;
/** Of stderr in a message. */
const WORDS_MAX = 300;
/** What others that hold its pipes may still say after its end: nobody that is to be listened to lives longer. */
const PIPES_MS_MAX = 2_000;
const DEAF: Ears = { lineBytesMax: 1024 * 1024, onLine: () => undefined };

export class Child {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  #hasEnded = false;
  #stderr = '';
  /** Why it was made to end. */
  #why: string | undefined;
  #isDeaf = false;

  constructor(process: ChildProcess, ears: Ears = DEAF) {
    this.#process = process;
    this.pid = process.pid ?? 0;
    this.ended = this.#end(process);
    // the streams are not there where the machine had no descriptor left for them (node: ChildProcess.spawn after EMFILE)
    process.stdin?.on('error', () => undefined); // it has ended, or will: `ended` says so
    const lines = new Lines(ears.lineBytesMax, (line) => {
      if (!this.#isDeaf) ears.onLine(line);
    });
    process.stdout?.on('data', (chunk: Buffer) => {
      if (!this.#isDeaf && !lines.add(chunk))
        this.kill(`it said a line of more than ${ears.lineBytesMax} bytes`);
    });
    this.#listen(ears);
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** What was sent and it has not taken yet. */
  get unreadBytes(): number {
    return this.#process.stdin?.writableLength ?? 0;
  }

  send(line: string): void {
    this.#process.stdin?.write(`${line}\n`);
  }

  /** What every unit takes as: stop in order. */
  endInput(): void {
    this.#process.stdin?.end();
  }

  /**
   * SIGKILL to it and its process group; of bubblewrap, that is the end of everything inside, and of a child that waits for it
   * before it has a group of its own (jail.ts ORPHAN-1).
   */
  kill(why: string): void {
    if (this.#hasEnded) return;
    this.#why ??= why;
    this.#isDeaf = true;
    killGroup(this.pid);
    this.#process.kill('SIGKILL');
  }

  /** Asks it to end, and makes it end after `graceMs`; resolves when it has. */
  async stop(graceMs: number): Promise<void> {
    this.endInput();
    const watchdog = setTimeout(() => this.kill(`it did not stop within ${graceMs} ms`), graceMs);
    await this.ended;
    clearTimeout(watchdog);
  }

  #end(process: ChildProcess): Promise<Ended> {
    return new Promise((resolve) => {
      const end = (code: number | null, signal: string | null, stderr = this.#stderr): void => {
        this.#hasEnded = true;
        resolve({ code, signal, stderr, why: this.#why });
      };
      process.once('error', (error: NodeJS.ErrnoException) => {
        if (process.pid !== undefined) return; // a signal that could not be sent
        this.#hasEnded = true;
        resolve({ code: null, signal: null, stderr: error.message, errno: error.code });
      });
      process.once('exit', (code, signal) => {
        killGroup(this.pid); // its number is not given anew while the group has members
        const watchdog = setTimeout(() => {
          for (const stream of process.stdio) stream?.destroy();
          end(code, signal);
        }, PIPES_MS_MAX);
        process.once('close', () => clearTimeout(watchdog));
      });
      process.once('close', (code, signal) => end(code, signal));
    });
  }

  #listen({ onComplaint, stderrBytesMax = Infinity }: Ears): void {
    let complaints: Lines | undefined = new Lines(COMPLAINT_BYTES_MAX, (line) => {
      if (line !== '') onComplaint?.(line);
    });
    let bytes = 0;
    this.#process.stderr?.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > stderrBytesMax) return this.kill(`it complained more than ${stderrBytesMax} bytes`);
      this.#stderr = `${this.#stderr}${chunk.toString()}`.slice(-STDERR_CHARS_MAX);
      if (complaints?.add(chunk) === false) complaints = undefined;
    });
  }
}

/** Of a program that leads its group; does nothing for any other, and when nobody is left in it. */
function killGroup(leader: number): void {
  if (leader <= 1) return; // -1 would mean everyone
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // there is no such group
  }
}

/** How it ended, in a few words. */
export function describeEnd({ code, signal, stderr, why }: Ended): string {
  if (why !== undefined) return why;
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
