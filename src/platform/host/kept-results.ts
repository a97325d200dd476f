/**
 * Kept results as files of one folder: `<callId>.started` is there before the call is given to hands, `<callId>.json` when it is done.
 * Both are on the disk (fsync of file and folder) when the promise resolves. Those of the last CALLS_KEPT_MAX calls stay; the folder
 * goes when the session does (Launcher.forget).
 *
 * No command can reach the folder where hands are isolated. Those of earlier versions could, and those in the open can: so a result is
 * checked when it is read, one that is none counts as not known, and nothing here waits for a fifo or follows a link that was planted.
 */
import { constants } from 'node:fs';
import { lstat, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptResults } from '../../hands/kept-results.ts';
import { CALLS_KEPT_MAX } from '../../hands/limit.ts';
import { resultOf } from '../../hands/tool-result.ts';
import { RESULT_LINE_BYTES_MAX, CALL_ID, type ToolResult } from '../../hands/wire.ts';
import { assert } from '../../kernel/assert.ts';
import { removeTree } from './workspace/workspace-removal.ts';

const { O_RDONLY, O_NONBLOCK, O_NOFOLLOW } = constants;
/** Of a call: mark, result, and what a crash has left of writing it. */
const FILES_OF_CALL = 3;

export function keptResultFiles(folder: string): KeptResults {
  const of = (callId: string, end: string): string => {
    assert(CALL_ID.test(callId), `a call id is a safe file name, got ${JSON.stringify(callId)}`);
    return join(folder, `${callId}${end}`);
  };
  const started = (callId: string): string => of(callId, '.started');
  const done = (callId: string): string => of(callId, '.json');
  const temporary = (callId: string): string => of(callId, '.json.tmp');
  let starts = 0;
  return {
    async find(callId) {
      if ((await lstat(started(callId)).catch(absent)) === undefined) return { kind: 'none' };
      const result = await readResult(done(callId));
      return result === undefined ? { kind: 'started' } : { kind: 'done', result };
    },
    async start(callId) {
      if (starts % CALLS_KEPT_MAX === 0) await makeRoom(folder);
      starts += 1;
      const paths = [started(callId), done(callId), temporary(callId)];
      for (const path of paths) await removeTree(path);
      await writeDurably(started(callId), '');
      await syncFolder(folder);
    },
    async settle(callId, result) {
      await writeDurably(temporary(callId), JSON.stringify(result));
      await rename(temporary(callId), done(callId));
      await syncFolder(folder);
    },
  };
}

/** Removes the oldest when there are more than those that stay. */
async function makeRoom(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= CALLS_KEPT_MAX * FILES_OF_CALL) return;
  const aged: { path: string; at: number }[] = [];
  for (const name of names) {
    const path = join(folder, name);
    const stats = await lstat(path).catch(absent);
    if (stats !== undefined) aged.push({ path, at: stats.mtimeMs });
  }
  aged.sort((one, other) => other.at - one.at);
  for (const { path } of aged.slice(CALLS_KEPT_MAX * FILES_OF_CALL)) await removeTree(path);
}

/** Undefined when there is none, or something else in its place. */
async function readResult(path: string): Promise<ToolResult | undefined> {
  try {
    const file = await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    try {
      const stats = await file.stat();
      if (!stats.isFile() || stats.size > RESULT_LINE_BYTES_MAX) return undefined;
      return resultOf(JSON.parse(await file.readFile('utf8')));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof SyntaxError || isPlanted(error)) return undefined;
    throw error;
  }
}

/** Errors of opening what `settle` has not written: nothing, a link, a socket, a file that was closed to its owner. */
function isPlanted(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && /^(ENOENT|ELOOP|ENXIO|EACCES)$/.test(String(error.code))
  );
}

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
