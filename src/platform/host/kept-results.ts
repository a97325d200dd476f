/**
 * Kept results as files of one folder: `<callId>.started` is there before the tool runs, `<callId>.json` when it is done.
 * Both are on the disk (fsync of file and folder) when the promise resolves. The folder goes when the session goes.
 */
import { open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptResults } from '../../hands/kept-results.ts';
import type { ToolResult } from '../../hands/wire.ts';

export function keptResultFiles(folder: string): KeptResults {
  const started = (callId: string): string => join(folder, `${callId}.started`);
  const done = (callId: string): string => join(folder, `${callId}.json`);
  return {
    async find(callId) {
      const text = await readFile(done(callId), 'utf8').catch(absent);
      // this file was written by `settle`, whole or not at all
      if (text !== undefined) return { kind: 'done', result: JSON.parse(text) as ToolResult };
      const marker = await readFile(started(callId)).catch(absent);
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

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
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
