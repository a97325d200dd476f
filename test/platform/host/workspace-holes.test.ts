/** Files with holes and with several names through a checkpoint: what comes back, what it costs, and what a forger can do. */
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  CheckpointDamaged,
  NoRoomForWorkspace,
  WorkspaceUnsaved,
} from '../../../src/hands/workspace-archive.ts';
import { diskRoomOf } from '../../../src/platform/host/disk-room.ts';
import { RANGES_AT_ONCE } from '../../../src/platform/host/workspace/data-ranges.ts';
import { RestoredLinks } from '../../../src/platform/host/workspace/restored-links.ts';
import {
  type FileEntry,
  HEADER,
  HEADER_2,
  lineOf,
} from '../../../src/platform/host/workspace/workspace-manifest.ts';
import { restore } from '../../../src/platform/host/workspace/workspace-restore.ts';
import { save, type Saved } from '../../../src/platform/host/workspace/workspace-save.ts';
import type { Workspace } from '../../../src/platform/host/workspace/workspace-store.ts';
import { memoryClaim, type MemoryClaim } from '../../support/memory-claim.ts';
import { BOUNDS, newWorkspace, treeOf } from '../../support/tree.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const TIB = 1024 * GIB;

let folder: string;
let workspace: Workspace;
let claim: MemoryClaim;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-holes-'));
  workspace = await newWorkspace(folder);
  claim = memoryClaim();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: string): string => join(workspace.files, name);
const saved = (): Promise<Saved> => save(claim, workspace, BOUNDS);
const restored = async (from = claim): Promise<string> => {
  const target = mkdtempSync(join(folder, 'restored-'));
  await restore(from, target, BOUNDS);
  return target;
};
const diskBytes = (path: string): number => lstatSync(path).blocks * 512;
const hashOf = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const kept = (path: string): readonly string[] =>
  treeOf(path).filter((line) => /^\/(files|results)/.test(line));

/** A file of that length, with these pieces in it. */
function sparse(
  name: string,
  length: number,
  pieces: readonly (readonly [at: number, bytes: Buffer])[],
): void {
  const fd = openSync(file(name), 'w');
  ftruncateSync(fd, length);
  for (const [at, bytes] of pieces) writeSync(fd, bytes, 0, bytes.length, at);
  closeSync(fd);
}

describe('a file with holes', () => {
  it.each([
    ['at its start', 2 * MIB, [[MIB + 5_000, randomBytes(10_000)]]],
    ['at its end', 2 * MIB + 1, [[0, randomBytes(10_000)]]],
    [
      'in its middle',
      2 * MIB - 1,
      [
        [0, randomBytes(4096)],
        [2 * MIB - 4097, randomBytes(4096)],
      ],
    ],
    [
      'of one block',
      64 * KIB,
      [
        [0, randomBytes(32 * KIB)],
        [36 * KIB, randomBytes(28 * KIB)],
      ],
    ],
    ['and nothing else', 3 * MIB, []],
    ['shorter than a block', 100, []],
    [
      'around data over many parts',
      9 * MIB,
      [
        [MIB - 7, randomBytes(3 * MIB)],
        [8 * MIB, randomBytes(77)],
      ],
    ],
  ] as const)('%s comes back as it was, and takes as much of the disk', async (_, length, pieces) => {
    sparse('f', length, pieces);
    await saved();
    const back = join(await restored(), 'files/f');

    expect(hashOf(readFileSync(back))).toBe(hashOf(readFileSync(file('f'))));
    expect(lstatSync(back).size).toBe(length);
    expect(diskBytes(back)).toBeLessThanOrEqual(diskBytes(file('f')) * 1.1 + 64 * KIB);
  });

  it('costs what it has, however long it is, in each turn that changes it', async () => {
    sparse('f', 4 * TIB, [[3 * TIB, randomBytes(4096)]]);
    const first = await saved();
    expect(first).toMatchObject({ files: 1, bytes: 4096 + 12, storedBytes: 4096 + 12 });
    const fd = openSync(file('f'), 'r+');
    writeSync(fd, Buffer.from('x'), 0, 1, TIB);
    closeSync(fd);
    const before = claim.writtenBytes;
    await saved();
    expect(claim.writtenBytes - before).toBeLessThan(10 * KIB);

    const back = join(await restored(), 'files/f');
    expect(lstatSync(back).size).toBe(4 * TIB);
    expect(diskBytes(back)).toBeLessThanOrEqual(64 * KIB);
  });

  it('and more pieces of data than one answer tells comes back as it was', async () => {
    const count = 3 * RANGES_AT_ONCE + 1;
    const pieces = Array.from({ length: count }, (_, n) => [n * 3 * 4096, randomBytes(4096)] as const);
    sparse('f', count * 3 * 4096, pieces);
    expect(await saved()).toMatchObject({ bytes: count * (4096 + 12) });

    const back = join(await restored(), 'files/f');
    expect(hashOf(readFileSync(back))).toBe(hashOf(readFileSync(file('f'))));
    expect(diskBytes(back)).toBeLessThanOrEqual(diskBytes(file('f')) * 1.1 + 64 * KIB);
  });

  it('is not read again, and gives no new checkpoint, when nobody has changed it', async () => {
    sparse('f', GIB, [[MIB, randomBytes(600 * KIB)]]);
    sparse('hole', GIB, []);
    const { checkpoint } = await saved();
    const before = claim.writtenBytes;

    expect(await saved()).toMatchObject({ checkpoint, storedBytes: 0 });
    expect(claim.writtenBytes).toBe(before);
    rmSync(workspace.hashes); // also when all is read
    expect(await saved()).toMatchObject({ checkpoint, storedBytes: 0 });
  });

  it('gives the same checkpoint wherever its holes are holes and wherever they were written as zeros', async () => {
    const data = randomBytes(700 * KIB);
    sparse('f', 2 * MIB, [[MIB, data]]);
    const { checkpoint } = await saved();
    const { mtime } = lstatSync(file('f'));
    const whole = readFileSync(file('f'));
    writeFileSync(file('f'), whole);
    utimesSync(file('f'), mtime, mtime);
    expect(diskBytes(file('f'))).toBe(2 * MIB);

    expect((await saved()).checkpoint).toEqual(checkpoint);
  });

  it('of zeros that were written costs no room in the archive, and none on the next disk', async () => {
    writeFileSync(file('bomb'), Buffer.alloc(40 * MIB));
    expect(await saved()).toMatchObject({ bytes: 0, storedBytes: 0 });

    const back = join(await restored(), 'files/bomb');
    expect(lstatSync(back).size).toBe(40 * MIB);
    expect(diskBytes(back)).toBeLessThanOrEqual(64 * KIB);
  });

  it('of an older server, which saved them filled, has them again: proves RESTORE-1', async () => {
    const content = Buffer.concat([Buffer.alloc(5 * MIB), Buffer.from('data'), Buffer.alloc(MIB)]);
    const sha256 = hashOf(content);
    claim.contents.set(`1/${sha256}`, content);
    const bytes = content.length;
    const place = { content: `1/${sha256}`, offset: 0, bytes, contentBytes: bytes };
    const entry = { kind: 'file', name: Buffer.from('old'), mode: 0o644, mtimeMs: 0, bytes, sha256 } as const;
    claim.forge(
      [HEADER, lineOf({ kind: 'place', sha256, place }), '["d","files",448,0]', lineOf(entry), '["u"]'],
      hashOf,
    );

    const back = join(await restored(), 'files/old');
    expect(hashOf(readFileSync(back))).toBe(sha256);
    expect(diskBytes(back)).toBeLessThanOrEqual(64 * KIB);
  });

  it('is of the format that older servers read when it has neither holes nor hard links', async () => {
    writeFileSync(file('plain'), 'plain');
    const root = (): string => claim.contents.get((claim.checkpoint ?? { root: '' }).root)?.toString() ?? '';
    await saved();
    expect(root().startsWith(`${HEADER}\n`)).toBe(true);
    sparse('holes', MIB, []);
    await saved();
    expect(root().startsWith(`${HEADER_2}\n`)).toBe(true);
  });

  it('is copied with its holes when it changes while it is saved', async () => {
    sparse('a-first', MIB, [[0, randomBytes(MIB)]]);
    sparse('z', 2 * TIB, [[TIB, randomBytes(MIB)]]);
    const write: MemoryClaim['write'] = async (sha256, bytes) => {
      const fd = openSync(file('z'), 'r+');
      writeSync(fd, randomBytes(10), 0, 10, TIB + claim.writtenBytes);
      closeSync(fd);
      return claim.write(sha256, bytes);
    };
    const disturbed: MemoryClaim = { ...claim, write };
    await save(disturbed, workspace, BOUNDS, { isLive: true });

    const back = join(await restored(), 'files/z');
    expect(lstatSync(back).size).toBe(2 * TIB);
    expect(diskBytes(back)).toBeLessThanOrEqual(diskBytes(file('z')) + 64 * KIB);
  });

  it('that is longer than any disk can have, or may be read, is refused with what to do: proves HOLES-1', async () => {
    const bounds = { bytesMax: 8 * MIB, entriesMax: 100 };
    writeFileSync(file('long'), '');
    truncateSync(file('long'), 9 * TIB);
    await expect(saved()).rejects.toThrow(/longer than 8796093022208 bytes is not saved/);
    rmSync(file('long'));
    writeFileSync(file('written'), Buffer.alloc(17 * MIB));
    await expect(save(claim, workspace, bounds)).rejects.toBeInstanceOf(WorkspaceUnsaved);
    expect(claim.writtenBytes).toBe(0);
  });
});

describe('hard links', () => {
  it('are one file again, stored once, in whatever folders their names are', async () => {
    mkdirSync(file('a'));
    mkdirSync(file('z'));
    writeFileSync(file('a/first'), randomBytes(300 * KIB));
    sparse('a/holes', GIB, [[MIB, randomBytes(4096)]]);
    for (const name of ['b', 'z/far']) linkSync(file('a/first'), file(name));
    linkSync(file('a/holes'), join(workspace.results, 'holes'));
    chmodSync(file('a'), 0o500);
    utimesSync(file('a/first'), '-1000.25', '-1000.25');
    const first = await saved();
    expect(first.files).toBe(2);
    expect(first.bytes).toBeLessThan(310 * KIB);

    const target = await restored();
    expect(treeOf(join(target, 'files/z'))).toEqual(treeOf(file('z')));
    const inode = (name: string): number => lstatSync(join(target, name)).ino;
    expect(new Set(['files/a/first', 'files/b', 'files/z/far'].map(inode)).size).toBe(1);
    expect(inode('files/a/holes')).toBe(inode('results/holes'));
    expect(lstatSync(join(target, 'files/b')).nlink).toBe(3);
    expect(lstatSync(join(target, 'files/b')).mtimeMs).toBe(-1_000_250);
    expect(lstatSync(join(target, 'files/a')).mode & 0o777).toBe(0o500);
    chmodSync(join(target, 'files/a'), 0o700);
    chmodSync(file('a'), 0o700);
  });

  it('are as many as the file system lets a file have names, and one more file beyond', async () => {
    const target = await open(folder);
    const links = new RestoredLinks(target);
    const entry: FileEntry = {
      kind: 'file',
      name: Buffer.from('f'),
      mode: 0,
      mtimeMs: 0,
      bytes: 0,
      sha256: '',
    };
    links.expect(7, entry);
    writeFileSync(file('f'), '');
    await links.keep(7, Buffer.from(file('f')));
    let isFull = false;
    for (let n = 0; n < 66_000 && !isFull; n += 1) isFull = !linked(file('f'), file(`${n}`)); // ext4: 65,000

    expect(await links.make(7, Buffer.from(file('more')))).toEqual(isFull ? entry : undefined);
    await links.close();
    await target.close();
    expect(existsSync(join(folder, 'links.tmp'))).toBe(false);
  });
});

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch {
    return false;
  }
}

it('times before 1970 and far from now come back, of files, folders and links', async () => {
  writeFileSync(file('f'), 'f');
  mkdirSync(file('d'));
  symlinkSync('loop', file('loop'));
  for (const name of ['f', 'd']) utimesSync(file(name), '-86400.001', '-86400.001');
  lutimesSync(file('loop'), '-2000000000', '-2000000000');
  writeFileSync(file('later'), '');
  utimesSync(file('later'), 9_000_000_000.5, 9_000_000_000.5);
  await saved();

  expect(treeOf(await restored())).toEqual(kept(workspace.folder));
});

it('what is no file is left out and counted, and rights of others are dropped', async () => {
  execFileSync('mkfifo', [file('fifo')]);
  writeFileSync(file('program'), 'x');
  chmodSync(file('program'), 0o4755);

  expect(await saved()).toMatchObject({ files: 1, leftOut: 1 });
  const target = await restored();
  expect(lstatSync(join(target, 'files/program')).mode & 0o7777).toBe(0o755);
  expect(treeOf(join(target, 'files'))).toHaveLength(1);
});

it('a hash is not trusted once the clock was put back: proves KNOWN-1', async () => {
  writeFileSync(file('f'), 'right');
  writeFileSync(file('other'), 'wrong');
  await saved();
  const { dev, ino, ctimeNs, size } = lstatSync(file('f'), { bigint: true });
  const [clock = ''] = readFileSync(workspace.hashes, 'utf8').split('\n');
  const [word, boot, startedAt] = clock.split(' ');
  const stale = `${dev}.${ino}.${ctimeNs}.${size} ${hashOf('wrong')} -\n`;
  const content = async (): Promise<string> => {
    await saved();
    return readFileSync(join(await restored(), 'files/f'), 'utf8');
  };

  writeFileSync(workspace.hashes, `${clock}\n${stale}`);
  expect(await content()).toBe('wrong'); // what is known is believed
  writeFileSync(workspace.hashes, `${word} ${boot} ${Number(startedAt) + 5_000}\n${stale}`);
  expect(await content()).toBe('right');
  writeFileSync(workspace.hashes, `${word} another-boot ${startedAt}\n${stale}`);
  expect(await content()).toBe('right');
  appendFileSync(workspace.hashes, 'cut');
  expect(await content()).toBe('right');
});

describe('a manifest that somebody forged', () => {
  const run = (offset: number, bytes: Buffer): Buffer => {
    const head = Buffer.alloc(12);
    head.writeBigUInt64BE(BigInt(offset), 0);
    head.writeUInt32BE(bytes.length, 8);
    return Buffer.concat([head, bytes]);
  };
  const page = randomBytes(4096);
  const forged = (length: number, content: Buffer): void => {
    const sha256 = hashOf(content);
    claim.contents.set(`1/${sha256}`, content);
    const bytes = content.length;
    claim.forge(
      [
        HEADER_2,
        lineOf({
          kind: 'place',
          sha256,
          place: { content: `1/${sha256}`, offset: 0, bytes, contentBytes: bytes },
        }),
        '["d","files",448,0]',
        JSON.stringify(['s', 'f', 420, 0, length, sha256, bytes]),
        '["u"]',
      ],
      hashOf,
    );
  };

  it.each([
    ['data beyond the end', 8192, run(8192, page)],
    ['data twice', 16_384, Buffer.concat([run(4096, page), run(4096, page)])],
    ['data that goes back', 16_384, Buffer.concat([run(8192, page), run(0, page)])],
    ['a byte for each block', MIB, Buffer.concat([run(0, Buffer.from('x')), run(4096, Buffer.from('x'))])],
    ['data at no block', MIB, run(1, page)],
    ['data of no length', MIB, run(0, Buffer.alloc(0))],
    ['data that is not there', MIB, run(0, page).subarray(0, 100)],
    ['half a head', MIB, Buffer.concat([run(0, page), Buffer.alloc(5)])],
    ['an offset that no number can hold', MIB, Buffer.concat([Buffer.alloc(8, 0xff), run(0, page)])],
    ['a file that is longer than any', 9 * TIB, run(0, page)],
  ])('writes nothing for %s', async (_, length, content) => {
    forged(length, content);

    await expect(restored()).rejects.toBeInstanceOf(CheckpointDamaged);
  });

  it.each([
    ['a link to nothing', ['["h","x",0]']],
    ['a number that two files have', ['["f","x",420,0,0,"",0]', '["f","y",420,0,0,"",0]']],
    ['a link in the place of a file', ['["f","x",420,0,0,"",0]', '["h","x",0]']],
    ['a link that leads up', ['["f","x",420,0,0,"",0]', '["h","../../x",0]']],
    ['a link by no number', ['["h","x","0"]']],
  ])('is refused for %s', async (_, lines) => {
    claim.forge([HEADER_2, '["d","files",448,0]', ...lines, '["u"]'], hashOf);

    await expect(restored()).rejects.toBeInstanceOf(CheckpointDamaged);
  });

  it('that says more than is saved, or than the disk has room for, makes nothing at all: proves RESTORE-2', async () => {
    const many = Array.from({ length: 40 }, (_, n) => `["f","f${n}",420,0,${10 * MIB},"${'a'.repeat(64)}"]`);
    claim.forge([HEADER, '["d","files",448,0]', ...many, '["u"]'], hashOf);
    const target = mkdtempSync(join(folder, 'restored-'));
    await expect(restore(claim, target, BOUNDS)).rejects.toBeInstanceOf(CheckpointDamaged);
    expect(treeOf(target)).toEqual([]);

    const { freeBytes, floorBytes } = await diskRoomOf(folder);
    const bytes = freeBytes - Math.floor(floorBytes / 2); // it would fit, and leave less than has to stay
    claim.forge(
      [HEADER, '["d","files",448,0]', `["f","f",420,0,${bytes},"${'a'.repeat(64)}"]`, '["u"]'],
      hashOf,
    );
    const room = restore(claim, target, { bytesMax: 2 * bytes, entriesMax: 10 });
    await expect(room).rejects.toBeInstanceOf(NoRoomForWorkspace);
    expect(treeOf(target)).toEqual([]);
  });

  it('with contents without end is refused', async () => {
    const places = Array.from({ length: 200 }, (_, n) => {
      const hash = n.toString(16).padStart(64, '0');
      return `["c","${hash}","1/${hash}",0,5,5]`;
    });
    claim.forge([HEADER, ...places], hashOf);
    const target = mkdtempSync(join(folder, 'restored-'));

    await expect(restore(claim, target, { bytesMax: MIB, entriesMax: 100 })).rejects.toThrow(
      /too many contents/,
    );
  });
});
