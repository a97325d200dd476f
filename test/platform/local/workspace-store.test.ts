import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { UserSlots, UserSlotsTaken } from '../../../src/platform/local/user-slots.ts';
import { WorkspaceStore } from '../../../src/platform/local/workspace-store.ts';

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

  expect(await store.open(sessionId)).toEqual({ files, results });
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
