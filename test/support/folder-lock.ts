/**
 * One of several processes at a time does a piece of work in a folder; the others wait for it. The holder touches the lock
 * at every heartbeat, so a holder that was killed is noticed and its lock taken over.
 */
import { mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const HEARTBEAT_MS = 1_000;
/** Ten missed heartbeats: a machine can be slow, but not as slow as that. */
const STALE_MS = 10_000;
const POLL_MS = 100;

export async function holding<T>(
  lock: string,
  work: () => Promise<T>,
  staleMs: number = STALE_MS,
): Promise<T> {
  mkdirSync(dirname(lock), { recursive: true });
  while (!taken(lock, staleMs)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  const touching = setInterval(() => utimesSync(lock, new Date(), new Date()), HEARTBEAT_MS);
  const release = (): void => rmSync(lock, { force: true });
  process.once('exit', release);
  try {
    return await work();
  } finally {
    clearInterval(touching);
    process.off('exit', release);
    release();
  }
}

function taken(lock: string, staleMs: number): boolean {
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // as: node:fs throws these
  }
  const touched = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
  if (touched !== undefined && Date.now() - touched > staleMs) rmSync(lock, { force: true });
  return false;
}
