/**
 * A process that cannot outlive the one that started it, however that one ends. A watchdog, a shell that reads from us
 * until it cannot, does what a process that was killed with SIGKILL can no longer do: it kills the child and removes its folder.
 */
import { type ChildProcess, spawn } from 'node:child_process';

/** Of what the process has said, for the error when it fails. */
const OUTPUT_CHARACTERS_KEPT = 4_000;
/** Signals of the terminal go to all processes of a run; the watchdog stays until the pipe ends. */
const WATCHDOG = `trap '' INT TERM HUP; cat >/dev/null; kill -9 "$1" 2>/dev/null; [ -z "$2" ] || rm -rf -- "$2"`;

export class WatchedProcess {
  readonly #child: ChildProcess;
  readonly ended: Promise<void>;
  #output = '';

  /** `temporary` is a folder that is removed when we are killed. */
  constructor(command: string, args: readonly string[], temporary: string | undefined) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString()).slice(-OUTPUT_CHARACTERS_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    this.ended = new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.once('error', (error) => {
        this.#output += error.message;
        resolve();
      });
    });
    if (child.pid !== undefined) this.#watch(child.pid, temporary ?? '');
  }

  #watch(pid: number, temporary: string): void {
    const watchdog = spawn('sh', ['-c', WATCHDOG, 'watchdog', String(pid), temporary], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    watchdog.unref();
    // Once the process has ended, its number may be given to another: the watchdog must not outlive it.
    void this.ended.then(() => watchdog.kill('SIGKILL'));
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#child;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  get output(): string {
    return this.#output;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.isRunning) this.#child.kill(signal);
    await this.ended;
  }
}
