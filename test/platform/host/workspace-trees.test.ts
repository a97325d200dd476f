/**
 * Trees that one seed decides, saved, changed, saved again and restored: everything that a checkpoint keeps is equal, and takes no more of the disk.
 * HOLDFAST_TREE_SEED=<n> plays one again.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { restore } from '../../../src/platform/host/workspace/workspace-restore.ts';
import { save } from '../../../src/platform/host/workspace/workspace-save.ts';
import { memoryClaim } from '../../support/memory-claim.ts';
import { type Random, randomOf } from '../../support/random.ts';
import { BOUNDS, newWorkspace } from '../../support/tree.ts';

const KIB = 1024;
const ENTRIES = 60;
/** Longer files are read at a few places only: the rest is holes in them. */
const READ_BYTES_MAX = 16 * 1024 * KIB;
const SEEDS = process.env['HOLDFAST_TREE_SEED']?.split(',').map(Number) ?? [
  1,
  2,
  3,
  4,
  5,
  Date.now() % 1_000_000,
];

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

it.each(SEEDS)('a tree of seed %i comes back equal, twice', async (seed) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-trees-'));
  folders.push(folder);
  const workspace = await newWorkspace(folder);
  const claim = memoryClaim();
  const random = randomOf(seed);
  const roots = [workspace.files, workspace.results] as const;
  for (let round = 0; round < 2; round += 1) {
    const made = grow(roots, random);
    await save(claim, workspace, BOUNDS, { isLive: round === 0 });
    const target = join(folder, `restored ${round}`);
    mkdirSync(target);
    await restore(claim, target, BOUNDS);

    for (const [at, root] of ['files', 'results'].entries())
      expect(said(join(target, root)), `seed ${seed}`).toEqual(said(roots[at] ?? ''));
    expect(readdirSync(target).toSorted()).toEqual(['files', 'results']);
    for (const { path, root, at } of made) {
      const back = lstatSync(Buffer.concat([Buffer.from(`${join(target, root)}/`), at]));
      expect(back.blocks * 512).toBeLessThanOrEqual(lstatSync(path).blocks * 512 * 1.1 + 64 * KIB);
    }
  }
});

interface Made {
  readonly path: Buffer;
  readonly root: string;
  /** Below the root. */
  readonly at: Buffer;
}

/** Adds to what is there; returns the files that were made. */
function grow(roots: readonly [string, string], random: Random): readonly Made[] {
  const below: { readonly path: Buffer; readonly root: string; readonly at: Buffer }[] = roots.map(
    (path, n) => ({ path: Buffer.from(path), root: n === 0 ? 'files' : 'results', at: Buffer.alloc(0) }),
  );
  const made: Made[] = [];
  for (let n = 0; n < ENTRIES; n += 1) {
    const parent = below[random.below(below.length)] ?? below[0];
    if (parent === undefined) throw new Error('there are two roots');
    const name = nameOf(random, n);
    const slash = Buffer.from('/');
    const path = Buffer.concat([parent.path, slash, name]);
    const at = parent.at.length === 0 ? name : Buffer.concat([parent.at, slash, name]);
    const mtime = `${random.pick([-2_000_000_000.5, -0.001, 0, 1, 1_700_000_000.123, 9_999_999_999.999])}`;
    const kind = random.below(10);
    const other = made[random.below(made.length || 1)];
    if (kind < 2) {
      mkdirSync(path);
      below.push({ path, root: parent.root, at });
    } else if (kind === 2) {
      symlinkSync(random.pick(['.', '/etc/passwd', '../../..', 'nowhere', name.toString('latin1')]), path);
      lutimesSync(path, mtime, mtime);
    } else if (kind < 5 && other !== undefined) linkSync(other.path, path);
    else {
      fill(path, random);
      chmodSync(path, random.pick([0o000, 0o444, 0o644, 0o755, 0o4711]));
      utimesSync(path, mtime, mtime);
      made.push({ path, root: parent.root, at });
    }
  }
  return made;
}

function nameOf(random: Random, n: number): Buffer {
  const noise = Buffer.from(Array.from({ length: 1 + random.below(20) }, () => 1 + random.below(255)));
  for (const [at, byte] of noise.entries()) if (byte === 0x2f) noise[at] = 0x20;
  return Buffer.concat([noise, Buffer.from(`${Date.now()} ${n}`)]);
}

function fill(path: Buffer, random: Random): void {
  const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
  const unit = random.pick([1, 511, 4096, 65_536, 262_144, 1_000_000, 1_000_000_000]);
  const length = unit * random.below(6) + random.pick([0, 0, 1, 4095]);
  ftruncateSync(fd, length);
  const pieces = length === 0 ? 0 : random.pick([0, 1, 2, 7]);
  for (let n = 0; n < pieces; n += 1) {
    const bytes = Buffer.alloc(Math.min(1 + random.below(300_000), length), random.pick([0, 1, 120]));
    const at = random.below(Math.min(length - bytes.length + 1, 2 ** 32 - 1));
    writeSync(fd, bytes, 0, bytes.length, random.below(2) === 0 ? at : at - (at % 4096));
  }
  closeSync(fd);
}

/** One line for each entry: name, kind, rights, time, length, what is in it, and which others are the same file. */
function said(path: string): readonly string[] {
  const lines: string[] = [];
  const firsts = new Map<number, string>();
  const look = (folder: Buffer, prefix: string): void => {
    for (const name of readdirSync(folder, { encoding: 'buffer' }).sort(Buffer.compare)) {
      const inner = Buffer.concat([folder, Buffer.from('/'), name]);
      const stats = lstatSync(inner, { bigint: true });
      const where = `${prefix}/${name.toString('latin1')}`;
      const time = Math.round(Number(stats.mtimeNs) / 1_000_000);
      const first = firsts.get(Number(stats.ino)) ?? where;
      firsts.set(Number(stats.ino), first);
      const mode = (Number(stats.mode) & 0o777).toString(8);
      if (stats.isSymbolicLink()) lines.push(`${where} -> ${readlinkSync(inner, 'latin1')} ${time}`);
      else if (stats.isDirectory()) lines.push(`${where}/ ${mode} ${time}`);
      else lines.push(`${where} ${mode} ${time} ${stats.size} ${digest(inner, Number(stats.size))} ${first}`);
      if (stats.isDirectory()) look(inner, where);
    }
  };
  look(Buffer.from(path), '');
  return lines;
}

function digest(path: Buffer, length: number): string {
  const fd = openSync(path, 'r');
  const hash = createHash('sha256');
  const part = Buffer.alloc(1024 * KIB);
  const step = length <= READ_BYTES_MAX ? part.length : Math.ceil(length / 16);
  for (let at = 0; at < length; at += step)
    hash.update(part.subarray(0, readSync(fd, part, 0, part.length, at)));
  closeSync(fd);
  return hash.digest('hex');
}
