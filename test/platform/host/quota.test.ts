/** The bound of the workspace on a real folder, with the moments between measuring and killing in the test's hands. */
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DISK_FREE_BYTES_MIN } from '../../../src/hands/limit.ts';
import { type DiskRoom, diskRoomOf } from '../../../src/platform/host/disk-room.ts';
import { Quota, type QuotaPorts } from '../../../src/platform/host/quota.ts';
import { sizeOf } from '../../../src/platform/host/workspace-size.ts';
import { eventually } from '../../support/eventually.ts';

const BLOCK = 64 * 1024;

let folder: string;
let quota: Quota;
let looks: number;
let kills: string[];
let onKill: () => void;
let room: DiskRoom;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-quota-'));
  for (const name of ['files', 'results']) mkdirSync(join(folder, name));
  looks = 0;
  kills = [];
  onKill = () => undefined;
  room = { freeBytes: 1000 * BLOCK, floorBytes: 100 * BLOCK };
  quota = new Quota(ports());
});
afterEach(async () => {
  await quota.close();
  rmSync(folder, { recursive: true, force: true });
});

const ports = (): QuotaPorts => ({
  folders: [join(folder, 'files'), join(folder, 'results')],
  max: { bytes: 4 * BLOCK, entries: 100 },
  writers: () => {
    looks += 1;
    return 'none'; // each look is asked for by the test
  },
  onOver: (explanation) => {
    kills.push(explanation);
    onKill();
  },
});
/** A command runs as long as the test says; the room on the disk is the test's. */
const whileBusy = (isBusy: () => boolean): QuotaPorts => ({
  ...ports(),
  writers: () => (isBusy() ? 'command' : 'none'),
  room: () => Promise.resolve(room),
});
const write = (name: string, blocks: number): void =>
  writeFileSync(join(folder, 'files', name), Buffer.alloc(blocks * BLOCK, 1));
/** One, and no other is under way after it: it would measure what the test does next at a time that nobody knows. */
async function look(): Promise<void> {
  const before = looks;
  quota.watch();
  await eventually('a look has been taken', () => looks > before);
}

it('lets a workspace grow up to its bound, and ends what writes beyond it', async () => {
  write('a', 3);
  await look();
  expect(kills).toEqual([]);

  write('b', 3);
  await look();
  expect(kills).toEqual([expect.stringContaining('over its limit')]);
});

it('does not kill the clean-up for what was still written while the writer was being killed', async () => {
  write('a', 6);
  onKill = () => write('b', 3);
  await look();
  await look();
  await look();

  expect(kills).toHaveLength(1);
});

it('ends what adds to a workspace that is over its bound, and not what removes from it', async () => {
  write('a', 6);
  write('b', 6);
  await look();
  await look();
  rmSync(join(folder, 'files', 'b'));
  await look();
  expect(kills).toHaveLength(1);

  write('c', 3);
  await look();
  expect(kills).toHaveLength(2);
});

it('counts files as well as bytes', async () => {
  for (let n = 0; n <= 100; n += 1) writeFileSync(join(folder, 'files', String(n)), '');
  await look();

  expect(kills).toHaveLength(1);
});

it('refuses a write while over, and no longer once there is room', async () => {
  write('a', 6);
  await look();
  expect(await quota.refusal()).toContain('over its limit');

  rmSync(join(folder, 'files', 'a'));
  expect(await quota.refusal()).toBeUndefined();
});

it('counts what was written beside the workspace, in the results folder', async () => {
  write('a', 3);
  write('../results/b', 3);
  await look();

  expect(kills).toEqual([expect.stringContaining('over its limit')]);
});

it('counts what is in a folder whose owner has closed it, and leaves it closed', async () => {
  mkdirSync(join(folder, 'files', 'closed', 'deep'), { recursive: true });
  write('closed/deep/a', 6);
  for (const name of ['closed/deep', 'closed']) chmodSync(join(folder, 'files', name), 0);
  await look();

  expect(kills).toHaveLength(1);
  expect(statSync(join(folder, 'files', 'closed')).mode & 0o777).toBe(0);
  for (const name of ['closed', 'closed/deep']) chmodSync(join(folder, 'files', name), 0o700);
});

it('leaves open what a command opens while it is measured', async () => {
  const folders = Array.from({ length: 50 }, (_, n) => join(folder, 'files', `d${n}`));
  for (const path of folders) {
    mkdirSync(path);
    for (let n = 0; n < 20; n += 1) writeFileSync(join(path, `${n}`), '');
    chmodSync(path, 0);
  }
  const modes = (): readonly number[] => folders.map((path) => statSync(path).mode & 0o777);
  const none = new AbortController().signal;
  let isMeasured = false;
  const measured = sizeOf([join(folder, 'files')], { bytes: Infinity, entries: Infinity }, none).finally(
    () => {
      isMeasured = true;
    },
  );
  const isOver = (): boolean => isMeasured;
  while (!isOver() && modes().every((mode) => mode === 0)) await new Promise(setImmediate); // all were listed
  for (const path of folders) chmodSync(path, 0o700);

  expect(isMeasured).toBe(false);
  expect(await measured).toMatchObject({ entries: 50 + 50 * 20 });
  expect(new Set(modes())).toEqual(new Set([0o700]));
});

it('counts a file that was deleted and is still open, once, until it is closed', async () => {
  write('a', 3);
  const path = join(folder, 'files', 'a');
  const fds = [openSync(path, 'r'), openSync(path, 'r')];
  rmSync(path);
  await look();
  expect(kills).toEqual([]);

  write('b', 3);
  await look();
  expect(kills).toEqual([expect.stringContaining('deleted files that are still open')]);
  for (const fd of fds) closeSync(fd);
  expect(await quota.refusal()).toBeUndefined();
});

it('counts what is at the end of a path that is longer than the system takes', async () => {
  const files = join(folder, 'files');
  const name = 'd'.repeat(200);
  write('a', 6);
  mkdirSync(join(files, name));
  renameSync(join(files, 'a'), join(files, name, 'a'));
  for (let depth = 1; depth < 30; depth += 1) {
    renameSync(join(files, name), join(files, 'inner')); // built from the inside: no path is ever long
    mkdirSync(join(files, name));
    renameSync(join(files, 'inner'), join(files, name, name));
  }
  await look();

  expect(kills).toHaveLength(1);
});

it('counts a workspace that is too deep to be measured as over, at every look, until it is no more', async () => {
  const files = join(folder, 'files');
  mkdirSync(join(files, 'd'));
  for (let depth = 0; depth < 1_100; depth += 1) {
    mkdirSync(join(files, 'outer', 'beside'), { recursive: true }); // or the walk would not have to come back
    renameSync(join(files, 'd'), join(files, 'outer', 'd'));
    renameSync(join(files, 'outer'), join(files, 'd'));
  }
  quota = new Quota({ ...ports(), max: { bytes: 4 * BLOCK * 1_000, entries: 10_000 } });
  await look();
  await look();
  expect(kills).toEqual(Array(2).fill(expect.stringContaining('cannot be measured')));
  expect(await quota.refusal()).toContain('too deep');

  rmSync(join(files, 'd'), { recursive: true });
  expect(await quota.refusal()).toBeUndefined();
});

it('a file with several names counts once, wherever they are, and each name as an entry', async () => {
  write('a', 3);
  for (const name of ['files/b', 'files/c', 'results/d'])
    linkSync(join(folder, 'files/a'), join(folder, name));
  await look();
  expect(kills).toEqual([]);
  const measured = await sizeOf(
    ports().folders,
    { bytes: Infinity, entries: 100 },
    new AbortController().signal,
  );
  expect(measured).toMatchObject({ bytes: 3 * BLOCK, entries: 4 });

  write('e', 2);
  await look();
  expect(kills).toHaveLength(1);
});

it('lets nothing grow while the disk is below its floor, and lets room be made (proves QUOTA-1)', async () => {
  let isBusy = true;
  let taken = 0;
  quota = new Quota({
    ...whileBusy(() => isBusy),
    writers: () => {
      taken += 1; // at the end of each look
      return isBusy ? 'command' : 'none';
    },
  });
  write('a', 2);
  room = { freeBytes: 99 * BLOCK, floorBytes: 100 * BLOCK };
  quota.watch();
  await eventually('it was looked at several times', () => taken > 3);
  expect(kills).toEqual([]); // it is there, and does not grow

  rmSync(join(folder, 'files', 'a'));
  const before = taken;
  await eventually('the smaller size was seen', () => taken > before + 1);
  expect(kills).toEqual([]);

  write('b', 1);
  await eventually('what grows was ended', () => kills.length > 0);
  expect(kills[0]).toContain('the disk of this machine is almost full');
  isBusy = false;
});

it('ends everything that could write when the disk has half of its floor left, without measuring (proves QUOTA-1)', async () => {
  let isBusy = true;
  quota = new Quota(whileBusy(() => isBusy));
  quota.watch();
  room = { freeBytes: 49 * BLOCK, floorBytes: 100 * BLOCK };

  await eventually('it was ended', () => kills.length > 0);
  expect(kills[0]).toContain('the disk of this machine is almost full');
  isBusy = false;
});

it('refuses a write while the disk is below its floor (proves QUOTA-1)', async () => {
  quota = new Quota(whileBusy(() => false));
  expect(await quota.refusal()).toBeUndefined();

  room = { freeBytes: 99 * BLOCK, floorBytes: 100 * BLOCK };
  expect(await quota.refusal()).toContain('almost full');
});

it('has a floor for every disk: a part of a small one, and no more than a gigabyte of a large one', async () => {
  const { freeBytes, floorBytes } = await diskRoomOf(folder);

  expect(freeBytes).toBeGreaterThan(0);
  expect(floorBytes).toBeGreaterThan(0);
  expect(floorBytes).toBeLessThanOrEqual(DISK_FREE_BYTES_MIN);
});
