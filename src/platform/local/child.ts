/** A child process with what every unit needs: lines from its stdout, the end of its stderr, an end that can be awaited. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Ended } from '../../supervisor/launcher.ts';
import type { Wrapped } from './enclosure.ts';

/** The end of stderr that is kept for diagnosis. */
const STDERR_CHARS_MAX = 8_192;

export interface Child {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** A line to its stdin; dropped when it has ended. */
  write(line: string): void;
  onLine(listener: (line: string) => void): void;
  /** Closes stdin, which every unit takes as the wish to end, and sends SIGKILL after `graceMs`; resolves when it has ended. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
}

/** Resolves when it runs; rejects when it cannot be started (ENOENT: not installed). */
export async function startChild(
  wrapped: Wrapped,
  options: { env: Readonly<Record<string, string>>; folder?: string | undefined; onStderr?: ((text: string) => void) | undefined },
): Promise<Child> {
  const child = spawn(wrapped.command, [...wrapped.args], {
    env: { ...options.env },
    cwd: options.folder,
    stdio: ['pipe', 'pipe', 'pipe', ...wrapped.descriptors],
  });
  for (const descriptor of wrapped.descriptors) closeSync(descriptor);
  const ended = endOf(child, options.onStderr);
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const { stdin, stdout, pid = 0 } = child;
  stdin?.on('error', () => undefined); // it ended while we wrote: `ended` tells
  return {
    pid,
    ended,
    write: (line) => void stdin?.write(`${line}\n`),
    onLine: (listener) => {
      if (stdout !== null) createInterface({ input: stdout }).on('line', listener);
    },
    async stop(graceMs) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      stdin?.end();
      const force = setTimeout(() => child.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(force);
    },
    kill: () => void child.kill('SIGKILL'),
  };
}

function endOf(child: ChildProcess, onStderr: ((text: string) => void) | undefined): Promise<Ended> {
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX);
    onStderr?.(text);
  });
  return new Promise((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal, stderr }));
    child.once('error', (error) => resolve({ code: null, signal: null, stderr: String(error) }));
  });
}
