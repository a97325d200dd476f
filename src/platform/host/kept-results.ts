/**
 * Kept results as files of one folder: `<callId>.started` is there before the tool runs, `<callId>.json` when it is done.
 * Both are on the disk (fsync of file and folder) when the promise resolves. The folder goes when the session does
 * (Launcher.forget).
 *
 * Commands of the session can write to the folder. So a result is checked when it is read, one that is none counts as not
 * known, and nothing here waits for a fifo or follows a link that was planted.
 */
import { constants } from 'node:fs';
import { lstat, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptResults } from '../../hands/kept-results.ts';
import { resultOf } from '../../hands/tool-result.ts';
import { LINE_BYTES_MAX, type ToolResult } from '../../hands/wire.ts';

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;

export function keptResultFiles(folder: string): KeptResults {
  const started = (callId: string): string => join(folder, `${callId}.started`);
  const done = (callId: string): string => join(folder, `${callId}.json`);
  return {
    async find(callId) {
      const result = await readResult(done(callId));
      if (result === 'malformed') return { kind: 'started' };
      if (result !== undefined) return { kind: 'done', result };
      const marker = await lstat(started(callId)).catch(absent);
      return { kind: marker === undefined ? 'none' : 'started' };
    },
    async start(callId) {
      await writeDurably(started(callId), '');
      await syncFolder(folder);
    },
    async settle(callId, result) {
      const temporary = `${done(callId)}.tmp`;
      await writeDurably(temporary, JSON.stringify(result));
      await rename(temporary, done(callId));
      await syncFolder(folder);
    },
  };
}

/** Undefined when there is nothing. */
async function readResult(path: string): Promise<ToolResult | 'malformed' | undefined> {
  if ((await lstat(path).catch(absent)) === undefined) return undefined;
  try {
    const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > LINE_BYTES_MAX) return 'malformed';
      return resultOf(JSON.parse(await file.readFile('utf8'))) ?? 'malformed';
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError || isPlanted(error)) return 'malformed';
    throw error;
  }
}

/** Errors of opening what `settle` has not written: a link, a socket, a file that was closed to its owner. */
function isPlanted(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(ELOOP|ENXIO|EACCES)$/.test(String(error.code));
}

/** Of a new file only: whatever lies there already was not written by us. */
async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const file = await open(folder, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
