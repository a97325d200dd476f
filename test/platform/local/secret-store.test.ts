import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Sealed } from '../../../src/kernel/sealed.ts';
import { openSecretFiles } from '../../../src/platform/local/secret-store.ts';

let folder: string;
const open = () => openSecretFiles(join(folder, 'secrets'), join(folder, 'keys', 'master.key'));

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('keeps, replaces and deletes values over restarts', async () => {
  await (await open()).put('cred_a', new Sealed('first'));
  await (await open()).put('cred_a', new Sealed('second'));

  expect((await (await open()).get('cred_a'))?.open()).toBe('second');
  await (await open()).delete('cred_a');
  expect(await (await open()).get('cred_a')).toBeUndefined();
});

it('leaves no readable value in any file, and no file readable by others', async () => {
  await (await open()).put('cred_a', new Sealed('sk-ant-canary'));
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));

  expect(paths).toHaveLength(2);
  for (const path of paths) {
    expect(await readFile(path, 'latin1')).not.toContain('sk-ant-canary');
    expect((await stat(path)).mode & 0o077).toBe(0);
  }
});

it('refuses a key file that others may read, and says what to type', async () => {
  await open();
  const keyFile = join(folder, 'keys', 'master.key');
  await chmod(keyFile, 0o644);

  await expect(open()).rejects.toThrow(`chmod 600 ${keyFile}`);
});

it('does not open a file under another name, with another key, or changed', async () => {
  const store = await open();
  await store.put('a', new Sealed('value'));
  await rename(join(folder, 'secrets', 'a'), join(folder, 'secrets', 'b'));
  await expect(store.get('b')).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });

  await store.put('c', new Sealed('value'));
  const sealed = await readFile(join(folder, 'secrets', 'c'));
  sealed[sealed.length - 1] = (sealed.at(-1) ?? 0) ^ 1;
  await writeFile(join(folder, 'secrets', 'c'), sealed);
  await expect(store.get('c')).rejects.toMatchObject({ code: 'SECRET_UNREADABLE' });
});
