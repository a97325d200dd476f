/** Credentials over the real record store and sealed files: what is refused or replaced leaves no key behind. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { openSecretFiles } from '../../src/platform/local/secret-store.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { Credentials } from '../../src/secrets/credentials.ts';
import { OURS } from '../support/organisation.ts';

let folder: string;
let store: SqliteStore;
let credentials: Credentials;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-credentials-'));
  store = openSqlite({ path: ':memory:' });
  const secrets = await openSecretFiles(join(folder, 'secrets'), join(folder, 'key'));
  credentials = new Credentials({
    credentials: store.credentials,
    secrets,
    clock: systemClock,
    organisation: OURS,
  });
});
afterEach(async () => {
  store.close();
  await rm(folder, { recursive: true });
});

/** Those of credentials. */
const sealedFiles = async (): Promise<string[]> =>
  (await readdir(join(folder, 'secrets'))).filter((name) => name.startsWith('cred_'));
const create = (key: string, more: object = {}) =>
  credentials.create({ provider: 'anthropic', key: new Sealed(key), ...more });

describe('one idempotency key', () => {
  it('used by two at once for different keys keeps the key of the one that was not refused', async () => {
    for (let round = 0; round < 5; round += 1) {
      const idempotencyKey = `round ${round}`;
      const both = await Promise.allSettled(
        ['sk-first-AAAA', 'sk-other-BBBB'].map((key) => create(key, { idempotencyKey })),
      );
      const kept = both.flatMap((one) => (one.status === 'fulfilled' ? [one.value.credential] : []));

      expect(kept).toHaveLength(1);
      for (const { id, last4 } of kept) expect((await credentials.open(id))?.open().slice(-4)).toBe(last4);
      expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
        reason: { code: 'IDEMPOTENCY_CONFLICT' },
      });
      expect(await sealedFiles(), 'nothing is left of the refused one').toHaveLength(round + 1);
    }
  });

  it('used many times at once for the same key makes one credential with one sealed file', async () => {
    const all = await Promise.all(
      Array.from({ length: 5 }, () => create('sk-same-0000', { idempotencyKey: 'same' })),
    );

    expect(new Set(all.map(({ credential }) => credential.id)).size).toBe(1);
    expect(all.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(await sealedFiles()).toHaveLength(1);
  });
});

describe('a rotated key', () => {
  it('is the one that the record tells of, whoever else changes the credential, and the old one is gone', async () => {
    const { credential } = await create('sk-before-0000');
    const { id } = credential;

    await Promise.all([
      credentials.update(id, { key: new Sealed('sk-after-AAAA') }),
      credentials.update(id, { name: 'renamed meanwhile' }),
      credentials.update(id, { key: new Sealed('sk-after-BBBB') }),
    ]);

    const { last4, name } = await credentials.get(id);
    expect((await credentials.open(id))?.open()).toBe(`sk-after-${last4}`);
    expect(name).toBe('renamed meanwhile');
    expect(await sealedFiles()).toHaveLength(1);
  });

  it('of a credential that is not there is not kept', async () => {
    const gone = credentials.update(newId('credential'), { key: new Sealed('sk-nobody-0000') });

    await expect(gone).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' });
    expect(await sealedFiles()).toEqual([]);
  });

  it('is not kept when the rest of the change is refused', async () => {
    const { credential } = await create('sk-before-0000');
    const refused = credentials.update(credential.id, { key: new Sealed('sk-after-1111'), isDefault: false });

    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await credentials.open(credential.id))?.open()).toBe('sk-before-0000');
    expect(await sealedFiles()).toHaveLength(1);
  });
});

it('a deleted credential leaves no key', async () => {
  const { credential } = await create('sk-short-lived');
  await credentials.delete(credential.id);

  expect(await credentials.open(credential.id)).toBeUndefined();
  expect(await sealedFiles()).toEqual([]);
});

it("an agent's inline key is never the default; the first of the others is", async () => {
  const { credential: inline } = await create('sk-inline-0000', { agent: 'keyed' });
  const { credential: first } = await create('sk-first-0000');

  expect([inline.isDefault, first.isDefault]).toEqual([false, true]);
});
