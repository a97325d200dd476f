/** Folders in folders, deeper than any path can say and than a process may have files open: what a command makes in a second. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { FileChanged, FOLDERS_OPEN_MAX } from '../../../src/platform/host/workspace/folder-path.ts';
import { removeTree } from '../../../src/platform/host/workspace/workspace-removal.ts';
import { restore } from '../../../src/platform/host/workspace/workspace-restore.ts';
import { save } from '../../../src/platform/host/workspace/workspace-save.ts';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { walk } from '../../../src/platform/host/workspace/workspace-tree.ts';
import { memoryClaim } from '../../support/memory-claim.ts';
import { BOUNDS, makeDeep, treeOf } from '../../support/tree.ts';

/** What this process, the test included, opens besides; far below the depth of the folders. */
const OTHER_DESCRIPTORS = 60;
const isRoot = process.getuid?.() === 0;

let folder: string;
let store: WorkspaceStore;
const sessionId = newId('session');
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-deep-'));
  store = new WorkspaceStore(join(folder, 'workspaces'));
});
afterEach(() => void execFileSync('rm', ['-rf', '--', folder]));

/** The most descriptors at one time while it is done, beyond those before; and how often others had their turn. */
async function watched(work: Promise<unknown>): Promise<{ descriptors: number; turns: number }> {
  const before = readdirSync('/proc/self/fd').length;
  const seen = { descriptors: 0, turns: 0, isDone: false };
  const done = work.finally(() => {
    seen.isDone = true;
  });
  while (!seen.isDone) {
    seen.descriptors = Math.max(seen.descriptors, readdirSync('/proc/self/fd').length - before);
    seen.turns += 1;
    await setImmediate(); // the work goes on
  }
  await done;
  return seen;
}

it('five thousand folders in folders are given away and removed with a few descriptors, while others go on (proves FOLDERS-1, REMOVAL-3)', async () => {
  const { files, folder: own } = await store.open(sessionId);
  makeDeep(files, 'd', 5_000, 'x');
  const uid = isRoot ? 210_007 : (process.getuid?.() ?? 0);
  const given = await watched(store.giveTo(sessionId, uid));
  expect(lstatSync(join(files, 'd/d')).uid).toBe(uid);
  const removed = await watched(store.remove(sessionId));

  expect(existsSync(own)).toBe(false);
  expect(given.descriptors).toBeLessThan(FOLDERS_OPEN_MAX + OTHER_DESCRIPTORS);
  expect(removed.descriptors).toBeLessThan(OTHER_DESCRIPTORS);
  for (const { turns } of [given, removed]) expect(turns).toBeGreaterThan(1_000);
}, 240_000);

it('names of 255 bytes, side by side at every level, of several sessions at once, are removed with a few descriptors', async () => {
  const ids = Array.from({ length: 4 }, () => newId('session'));
  for (const id of ids) {
    const { files } = await store.open(id);
    for (const name of ['a', 'b', 'é'.repeat(127)]) makeDeep(files, name, 100, 'x');
  }
  const { descriptors } = await watched(Promise.all([...ids, ...ids].map((id) => store.remove(id))));

  expect(readdirSync(join(folder, 'workspaces'))).toEqual([]);
  expect(descriptors).toBeLessThan(OTHER_DESCRIPTORS);
});

it('a removal goes on with what is left of one that was cut', async () => {
  const { files, folder: own } = await store.open(sessionId);
  makeDeep(files, 'd', 100, 'x');
  mkdirSync(join(own, '0-1/d'), { recursive: true }); // moved up by a removal before
  renameSync(join(files, 'd/d'), join(own, '0-2'));
  await store.remove(sessionId);

  expect(existsSync(own)).toBe(false);
});

it('a removal follows no link, also not one in the place of the folder itself', async () => {
  const outside = join(folder, 'outside');
  mkdirSync(join(outside, 'inner'), { recursive: true });
  writeFileSync(join(outside, 'kept'), 'kept');
  const tree = join(folder, 'tree');
  mkdirSync(join(tree, 'a/b'), { recursive: true });
  for (const at of ['link', 'a/link', 'a/b/link']) symlinkSync(outside, join(tree, at));
  symlinkSync(outside, join(folder, 'itself'));
  await removeTree(tree);
  await removeTree(join(folder, 'itself'));

  expect(readdirSync(folder)).toEqual(['outside']);
  expect(readdirSync(outside).toSorted()).toEqual(['inner', 'kept']);
});

it('a removal opens what its owner has closed or made read-only', async () => {
  const closed = join(folder, 'closed');
  mkdirSync(join(closed, 'read-only/inner/empty'), { recursive: true });
  writeFileSync(join(closed, 'read-only/inner/f'), 'f');
  for (const at of ['read-only/inner/empty', 'read-only/inner', 'read-only'])
    chmodSync(join(closed, at), 0o500);
  chmodSync(closed, 0);
  if (!isRoot) return removeTree(closed);
  // a user who is not root, in a process of its own: rights hold no root back
  execFileSync('chown', ['-R', '65534:65534', folder]);
  chownSync(folder, 65_534, 65_534);
  const program = `import { removeTree } from ${JSON.stringify(join(process.cwd(), 'src/platform/host/workspace/workspace-removal.ts'))};
    process.setgid(65534); process.setuid(65534); await removeTree(${JSON.stringify(closed)});`;
  execFileSync(process.execPath, ['--input-type=module', '-e', program]);

  expect(existsSync(closed)).toBe(false);
});

it('a workspace of a thousand levels is saved and restored with a few descriptors, folders beside included (proves FOLDERS-1)', async () => {
  const workspace = await store.open(sessionId);
  makeDeep(workspace.files, 'd', 900, 'deep');
  makeDeep(workspace.files, 'n'.repeat(200), 100, 'long');
  makeDeep(join(workspace.files, 'd/d/d/d/d'), 'beside', 40, 'beside');
  for (let at = 'd', n = 0; n < 60; n += 1, at = `${at}/d`)
    writeFileSync(join(workspace.files, at, 'z'), `${n}`);
  const target = join(folder, 'restored');
  mkdirSync(target);
  const claim = memoryClaim();
  const saved = await watched(save(claim, workspace, BOUNDS));
  const restored = await watched(restore(claim, target, BOUNDS));

  expect(treeOf(join(target, 'files'))).toEqual(treeOf(workspace.files));
  for (const { descriptors } of [saved, restored])
    expect(descriptors).toBeLessThan(FOLDERS_OPEN_MAX + OTHER_DESCRIPTORS);
});

it('a folder that is moved while the walk is deep in it ends the walk, and leads it nowhere (proves FOLDERS-2)', async () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'other'), { recursive: true });
  makeDeep(root, 'd', 3 * FOLDERS_OPEN_MAX, 'x');
  const names: string[] = [];
  const walking = (async () => {
    for await (const found of walk(root, 'root', 1_000)) {
      if (found.kind !== 'file') continue;
      names.push(found.name.toString());
      renameSync(join(root, 'd/d/d/d'), join(root, 'other/d'));
      writeFileSync(join(root, 'other/secret'), '');
    }
  })();

  await expect(walking).rejects.toBeInstanceOf(FileChanged);
  expect(names).toEqual(['f']);
});
