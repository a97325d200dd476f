/** Fingerprints of keys, over sealed files that several servers share. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openSecretFiles } from '../../src/platform/local/secret-store.ts';
import { KeyFingerprints } from '../../src/secrets/key-fingerprint.ts';

const KEY = 'sk-ant-canary-do-not-tell';
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-fingerprints-'));
});
afterEach(() => rm(folder, { recursive: true }));

const server = async (of = 'one') =>
  new KeyFingerprints(await openSecretFiles(join(folder, of), join(folder, `${of}.key`)));

it('are the same on all servers that share the sealed files, also at their first use at once', async () => {
  const servers = await Promise.all([server(), server(), server()]);
  const prints = await Promise.all(servers.map((one) => one.of(KEY)));

  expect(new Set([...prints, await (await server()).of(KEY)]).size).toBe(1);
  expect(await readdir(join(folder, 'one'))).toEqual(['request-hash-key']);
});

it('are others elsewhere, and of another key (proves FINGERPRINT-1)', async () => {
  const [here, there] = await Promise.all([server('here'), server('there')]);

  expect(await here.of(KEY)).not.toBe(await there.of(KEY));
  expect(await here.of(KEY)).not.toBe(await here.of(`${KEY}!`));
});
