/** What loop-lag.ts has written, read as it grows. In memory where there is such a folder: where the disk is attacked, a write would be late itself. */
import { closeSync, existsSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const IN_MEMORY = '/dev/shm';
/** More than is written between two looks. */
const READ_BYTES = 16 * 1024;

/** In milliseconds since the epoch. */
export interface Late {
  readonly from: number;
  readonly to: number;
}

export function makeLagFile(): string {
  const folder = mkdtempSync(join(existsSync(IN_MEMORY) ? IN_MEMORY : tmpdir(), 'holdfast-siege-lag-'));
  const path = join(folder, 'lag');
  writeFileSync(path, '');
  return path;
}

export function removeLagFile(path: string): void {
  rmSync(dirname(path), { recursive: true, force: true });
}

export class LagFile {
  readonly #file: number;
  #rest = '';

  constructor(path: string) {
    this.#file = openSync(path, 'r');
  }

  /** What was written since the last time, whole lines of it. */
  news(): readonly Late[] {
    const bytes = Buffer.alloc(READ_BYTES);
    const lines = (this.#rest + bytes.toString('latin1', 0, readSync(this.#file, bytes))).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => {
      const [to = 0, lateMs = 0] = line.split(' ').map(Number);
      return { from: to - lateMs, to };
    });
  }

  close(): void {
    closeSync(this.#file);
  }
}
