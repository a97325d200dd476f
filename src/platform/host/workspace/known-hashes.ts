/**
 * Hashes of files that were saved before, in a file beside the workspace, so that files which nobody has touched since are not read
 * again. A file is known by what no command can set (device, inode, ctime, size), and without that file everything is read.
 *
 * KNOWN-1 A hash counts only as long as the clock that writes ctimes cannot have shown the same time twice: the first line says when, by that
 *    clock, the system was started, and which start that was. When that lies earlier now, the clock was put back, and nothing is known.
 */
import { open, readFile } from 'node:fs/promises';
import { uptime } from 'node:os';

/** A file that was changed so shortly before may change again and show the same time: kernels count it in steps of some milliseconds. */
const RECENT_MS = 1_000;
const CLOCK = /^clock (\S+) (-?\d+)$/;
const LINE = /^(\S+) ([0-9a-f]{64}|-) (\d+|-)$/;
const MS = 1_000;

/** What there is in the archive of a file: Stored of file-contents.ts, without the length. */
export interface Known {
  readonly sha256: string | undefined;
  readonly sparseBytes: number | undefined;
}

/** Of the file system that a workspace is on. */
export interface FileClock {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The start of the system, by this clock. */
  readonly startedAt: number;
  /** Which start that was. */
  readonly boot: string;
}

export interface KnownHashes {
  /** By identity (FoundFile.identity). */
  readonly files: ReadonlyMap<string, Known>;
  /** The clock as it was furthest ahead. */
  readonly clock: FileClock;
}

/** `now` is the ctime of a file that was made just now. */
export async function fileClock(now: number): Promise<FileClock> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '');
  return { now, startedAt: Math.round(now - uptime() * MS), boot: boot.trim() || '-' };
}

/** What is in the files of these paths, the later ones first. */
export async function readHashes(paths: readonly string[], clock: FileClock): Promise<KnownHashes> {
  const files = new Map<string, Known>();
  let { startedAt } = clock;
  for (const path of paths) {
    const at = await read(path, clock, files);
    startedAt = Math.max(startedAt, at ?? startedAt); // so that many small steps back do not add up unseen
  }
  return { files, clock: { ...clock, startedAt } };
}

/** Undefined when nothing in it counts. */
async function read(path: string, clock: FileClock, files: Map<string, Known>): Promise<number | undefined> {
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined; // none was written yet
  let startedAt: number | undefined;
  for await (const line of file.readLines()) {
    if (startedAt === undefined) {
      const [, boot, at] = CLOCK.exec(line) ?? [];
      const wasAt = Number(at);
      if (boot !== clock.boot || !(clock.startedAt >= wasAt - RECENT_MS)) break; // KNOWN-1
      startedAt = wasAt;
      continue;
    }
    const [, identity, sha256, bytes] = LINE.exec(line) ?? []; // a line that a crash has cut is of no use
    if (identity === undefined || bytes === undefined) continue;
    const sparseBytes = bytes === '-' ? undefined : Number(bytes);
    files.set(identity, { sha256: sha256 === '-' ? undefined : sha256, sparseBytes });
  }
  await file.close().catch(() => undefined); // lines that are read to their end close it
  return startedAt;
}

export function clockLine({ boot, startedAt }: FileClock): string {
  return `clock ${boot} ${startedAt}`;
}

export function hashLine(identity: string, { sha256 = '-', sparseBytes }: Known): string {
  return `${identity} ${sha256} ${sparseBytes ?? '-'}`;
}

/** Whether a file that was last changed then shows it when it is changed again. KNOWN-1 stands on that, too. */
export function isSettled(changedAtMs: number, { now }: FileClock): boolean {
  return now - changedAtMs > RECENT_MS;
}
