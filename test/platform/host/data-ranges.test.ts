/** Where a file has data, as the system tells it, and what a save does where nothing tells. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { COMMANDS, type Command, DataRanges } from '../../../src/platform/host/workspace/data-ranges.ts';
import { FileContents } from '../../../src/platform/host/workspace/file-contents.ts';
import { sortedNames } from '../../../src/platform/host/workspace/sorted-names.ts';
import { Packs } from '../../../src/platform/host/workspace/workspace-packs.ts';
import { memoryClaim } from '../../support/memory-claim.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-ranges-'));
  path = join(folder, 'f');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A file of that length, with these pieces in it. */
function sparse(at: string, length: number, pieces: readonly (readonly [at: number, bytes: Buffer])[]): void {
  const fd = openSync(at, 'w');
  ftruncateSync(fd, length);
  for (const [position, bytes] of pieces) writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}

describe('without a program that tells where data is', () => {
  const stored = async (ranges: DataRanges, readBytesMax: number): Promise<unknown> => {
    const contents = new FileContents({ packs: new Packs(memoryClaim(), new Map()), ranges, readBytesMax });
    const handle = await open(path);
    const { size } = await handle.stat();
    try {
      return await contents.store(handle, size, true);
    } finally {
      await handle.close();
      await ranges.close();
    }
  };

  it('a file is read whole, and is the same content', async () => {
    sparse(path, 3 * MIB, [[MIB + 5, randomBytes(300 * KIB)]]);

    expect(await stored(new DataRanges([]), 8 * MIB)).toEqual(await stored(new DataRanges(), 8 * MIB));
  });

  it('a file is refused before its first byte when it is longer than what may be read: proves HOLES-1', async () => {
    sparse(path, 4 * TIB, []); // to read it would take an hour
    await expect(stored(new DataRanges([]), 8 * GIB)).rejects.toThrow(/also those that are mostly holes/);
  });
});

it('names are sorted by bytes, however many there are', async () => {
  const names = Array.from({ length: 35_000 }, () => randomBytes(8));

  expect(await sortedNames(names)).toEqual(names.toSorted(Buffer.compare));
  expect(await sortedNames([])).toEqual([]);
});

describe('where data is', () => {
  const all = async (ranges: DataRanges): Promise<unknown> => {
    const fd = openSync(path, 'r');
    try {
      return await ranges.after(fd, 0);
    } finally {
      closeSync(fd);
      await ranges.close();
    }
  };

  const isMissing = ([program]: Command): boolean => spawnSync(program, ['-h']).error !== undefined;
  it.for(COMMANDS)('is told by $0', async (command, { skip }) => {
    skip(isMissing(command), `there is no ${command[0]}`);
    sparse(path, TIB, [
      [MIB, randomBytes(8192)],
      [GIB, randomBytes(4096)],
    ]);

    expect(await all(new DataRanges([command]))).toEqual([
      { start: MIB, end: MIB + 8192 },
      { start: GIB, end: GIB + 4096 },
    ]);
    sparse(path, TIB, []);
    expect(await all(new DataRanges([command]))).toEqual([]);
  });

  const silent: readonly (readonly [string, readonly Command[]])[] = [
    ['a system that has no such program', [['holdfast-no-such-program']]],
    ['one that ends at once', [['true']]],
    ['one that says nonsense', [['sh', '-c', 'while read line; do echo 5 3; done']]],
    ['one that says too much', [['yes', 'n'.repeat(100_000)]]],
  ];
  it.each(silent)('is not known to %s', async (_, commands) => {
    sparse(path, MIB, []);

    expect(await all(new DataRanges(commands))).toBeUndefined();
  });
});
