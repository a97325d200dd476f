/** How fast this machine is at this minute: figures of two runs are only comparable where these are alike. */
import { spawn } from 'node:child_process';
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { withFolders } from './folders.ts';
import { median } from './statistics.ts';

export interface Machine {
  readonly cores: number;
  readonly nodeVersion: string;
  /** A bare `node -e 0`, from spawn to exit. */
  readonly nodeStartMs: number;
  /** p50 of a 4 KiB overwrite made durable. */
  readonly fdatasyncMs: number;
  /** A fixed piece of work on one core. */
  readonly workMs: number;
  readonly load: number;
}

const STARTS = 7;
const SYNCS = 200;
const WORKS = 5;
const BLOCK = Buffer.alloc(4096, 'x');

export async function measureMachine(): Promise<Machine> {
  const [load = 0] = loadavg();
  const starts: number[] = [];
  for (let start = 0; start < STARTS; start += 1) starts.push(await nodeStart());
  return {
    cores: availableParallelism(),
    nodeVersion: process.versions.node,
    nodeStartMs: median(starts),
    fdatasyncMs: await fdatasyncMs(),
    workMs: median(Array.from({ length: WORKS }, workMs)),
    load,
  };
}

async function nodeStart(): Promise<number> {
  const from = performance.now();
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await new Promise((resolve) => child.once('exit', resolve));
  return performance.now() - from;
}

function fdatasyncMs(): Promise<number> {
  return withFolders(async (folder) => {
    const file = openSync(join(await folder(), 'sync'), 'w');
    const took = Array.from({ length: SYNCS }, () => {
      writeSync(file, BLOCK, 0, BLOCK.length, 0);
      const from = performance.now();
      fdatasyncSync(file);
      return performance.now() - from;
    });
    closeSync(file);
    return median(took);
  });
}

function workMs(): number {
  const from = performance.now();
  let length = 0;
  for (let turn = 0; turn < 40_000; turn += 1) {
    length += JSON.stringify(JSON.parse(`{"turn":${turn},"list":[1,2,3],"text":"a piece of work"}`)).length;
  }
  if (length === 0) throw new Error('The work was not done.');
  return performance.now() - from;
}
