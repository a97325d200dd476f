import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { UserSlots, UserSlotsTaken } from '../../../src/platform/local/isolation/user-slots.ts';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { makeDeep } from '../../support/tree.ts';

const sessionId = newId('session');
let folder: string;
let outside: string;
let store: WorkspaceStore;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-workspaces-'));
  outside = join(folder, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'kept'), 'kept');
  store = new WorkspaceStore(join(folder, 'workspaces'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('opens the same private folders again with what is in them', async () => {
  const { files, results } = await store.open(sessionId);
  writeFileSync(join(files, 'a'), 'a');

  expect(await store.open(sessionId)).toMatchObject({ files, results });
  expect(existsSync(join(files, 'a'))).toBe(true);
  for (const path of [files, results]) expect(statSync(path).mode & 0o777).toBe(0o700);
});

it('removes a session and what was planted in it, but not what a link leads to', async () => {
  const { files } = await store.open(sessionId);
  symlinkSync(outside, join(files, 'planted'));
  mkdirSync(join(files, 'locked'));
  writeFileSync(join(files, 'locked', 'a'), 'a');
  chmodSync(join(files, 'locked'), 0);
  await store.remove(sessionId);

  expect(existsSync(files)).toBe(false);
  expect(existsSync(join(outside, 'kept'))).toBe(true);
  await store.remove(sessionId); // again is no matter
});

it('removes folders whose path is longer than the system takes', async () => {
  const { files } = await store.open(sessionId);
  makeDeep(files, 'n'.repeat(200), 30, 'x');
  await store.giveTo(sessionId, process.getuid?.() ?? 0);
  await store.remove(sessionId);

  expect(existsSync(files)).toBe(false);
});

it('replaces a session as a whole, and removes what a crash left of that', async () => {
  const { files } = await store.open(sessionId);
  writeFileSync(join(files, 'old'), 'old');
  const failed = store.replace(sessionId, () => Promise.reject(new Error('no room')));
  await expect(failed).rejects.toThrow('no room');
  expect(readdirSync(files)).toEqual(['old']);
  await store.replace(sessionId, async (made) => {
    mkdirSync(join(made, 'files', 'new'), { recursive: true });
  });
  mkdirSync(join(folder, 'workspaces', '.new-1', 'files'), { recursive: true });

  expect(readdirSync(files)).toEqual(['new']);
  expect(await store.sessions()).toEqual([sessionId]);
  expect(readdirSync(join(folder, 'workspaces'))).toEqual([sessionId]);
});

it('gives the files away without following a planted link', async () => {
  const { files } = await store.open(sessionId);
  symlinkSync(join(outside, 'kept'), join(files, 'file'));
  symlinkSync(outside, join(files, 'folder'));
  mkdirSync(join(files, 'deep'));
  writeFileSync(join(files, 'deep', 'a'), 'a');
  const uid = process.getuid?.() === 0 ? 210_007 : (process.getuid?.() ?? 0); // others may only give to themselves
  const before = statSync(join(outside, 'kept')).uid;
  await store.giveTo(sessionId, uid);

  for (const name of ['', 'file', 'folder', 'deep', 'deep/a'])
    expect(lstatSync(join(files, name)).uid).toBe(uid);
  expect(await store.ownerOf(sessionId)).toBe(uid);
  expect([statSync(outside).uid, statSync(join(outside, 'kept')).uid]).toEqual([before, before]);
});

it("a user id is nobody else's until it is released, and a workspace keeps its own when it can", () => {
  const slots = new UserSlots();
  const first = slots.take(0);

  expect(slots.take(first)).not.toBe(first);
  slots.release(first);
  expect(slots.take(first)).toBe(first);
  expect(slots.take(1_000)).toBeGreaterThanOrEqual(210_000);
  expect(() => {
    for (;;) slots.take(0);
  }).toThrow(UserSlotsTaken);
});
