/** What every KeyStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ApiKey, KeyStore } from '../../src/access/key-store.ts';
import { KEY_SCOPES } from '../../src/access/principal.ts';
import { type ApiKeyId, newId } from '../../src/kernel/id.ts';
import { OURS } from '../support/organisation.ts';

export interface KeyPlatform {
  readonly name: string;
  open(): Promise<{ readonly keys: KeyStore; close(): Promise<void> }>;
}

export function keyStoreContract(platform: KeyPlatform): void {
  describe(`the key store contract on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin(): Promise<KeyStore> {
      const store = await platform.open();
      open.push(store);
      return store.keys;
    }
    const keyOf = (letter: string, given: Partial<ApiKey> = {}): ApiKey => ({
      id: newId('apiKey'),
      organisationId: OURS.id,
      name: 'ci',
      scopes: KEY_SCOPES,
      hash: letter.repeat(64),
      createdAt: 7,
      ...given,
    });

    it('finds a key by its hash and its id, and adds the same hash or id once', async () => {
      const keys = await begin();
      const key = keyOf('a', { scopes: ['sessions:read'], createdBy: newId('apiKey'), expiresAt: 9 });
      expect(await keys.count()).toBe(0);

      expect(await keys.add(key)).toEqual({ added: true, key });
      for (const same of [keyOf('a', { name: 'again' }), keyOf('c', { id: key.id })])
        expect(await keys.add(same)).toEqual({ added: false, key });
      await keys.add(keyOf('b'));

      expect(await keys.count()).toBe(2);
      expect(await keys.byHash(key.hash)).toEqual(key);
      expect(await keys.byId(key.id)).toEqual(key);
      expect(await keys.get(OURS.id, key.id)).toEqual(key);
      expect(await keys.byHash('c'.repeat(64))).toBeUndefined();
      expect(await keys.byId(newId('apiKey'))).toBeUndefined();
      expect(await keys.get(newId('organisation'), key.id)).toBeUndefined();
    });

    it('has one root key after a replacement, and leaves the other keys alone', async () => {
      const keys = await begin();
      const [first, other, named, second] = [
        keyOf('a'),
        keyOf('b'),
        keyOf('d', { name: 'root' }),
        keyOf('c'),
      ] as const;
      await keys.replace(first);
      await keys.add(other);
      await keys.add(named);

      await keys.replace(second);
      expect(await keys.byHash(first.hash)).toBeUndefined();
      expect(await keys.byId(first.id)).toBeUndefined();
      expect(await keys.byHash(second.hash)).toEqual({ ...second, rootHashes: [second.hash] });
      expect(await keys.byHash(other.hash)).toEqual(other);
      expect(await keys.byHash(named.hash), 'a name is only a name').toEqual(named);

      await keys.replace(keyOf('c'));
      expect(await keys.byHash(second.hash), 'the same key stays as it is').toMatchObject(second);

      await keys.replace(keyOf('b', { name: 'root' }));
      expect(await keys.byHash(other.hash), 'it is the root key now').toEqual({
        ...other,
        rootHashes: [other.hash],
      });
      expect(await keys.byHash(second.hash)).toBeUndefined();
      expect(await keys.count()).toBe(2);
    });

    it('proves KEY-4: keeps what a root key was, when it was rotated or revoked before it is replaced', async () => {
      const keys = await begin();
      const [revoked, rotated, next] = [keyOf('a'), keyOf('b'), keyOf('c')];
      await keys.replace(revoked);
      await keys.update(OURS.id, revoked.id, (key) => ({ ...key, revokedAt: 8 }));
      await keys.replace(rotated);
      await keys.update(OURS.id, rotated.id, (key) => ({ ...key, hash: 'd'.repeat(64), rotatedAt: 8 }));

      await keys.replace({ ...next, createdAt: 9 });

      expect(await keys.byHash(revoked.hash)).toMatchObject({ id: revoked.id, revokedAt: 8 });
      for (const hash of [rotated.hash, 'd'.repeat(64)])
        expect(await keys.byHash(hash)).toMatchObject({ id: rotated.id, revokedAt: 9 });
    });

    it('changes a key as it is then, and finds it by each of its values', async () => {
      const keys = await begin();
      const key = keyOf('a', { expiresAt: 50 });
      await keys.add(key);
      const retired = [{ hash: key.hash, until: 20 }];
      const rotated = { ...key, hash: 'b'.repeat(64), retired, rotatedAt: 8, expiresAt: undefined };

      expect(await keys.update(OURS.id, key.id, () => rotated)).toEqual({ before: key, after: rotated });
      for (const hash of [key.hash, rotated.hash]) expect(await keys.byHash(hash)).toEqual(rotated);
      await keys.update(OURS.id, key.id, (there) => ({ ...there, retired: undefined, revokedAt: 9 }));
      expect(await keys.byHash(key.hash)).toBeUndefined();
      expect(await keys.byHash(rotated.hash)).toEqual({ ...rotated, retired: undefined, revokedAt: 9 });

      const refused = keys.update(OURS.id, key.id, () => {
        throw new Error('no');
      });
      await expect(refused).rejects.toThrow('no');
      expect(await keys.update(newId('organisation'), key.id, () => key)).toBeUndefined();
      expect(await keys.update(OURS.id, newId('apiKey'), () => key)).toBeUndefined();
      expect(await keys.byId(key.id)).toMatchObject({ revokedAt: 9 });
    });

    it('loses no change of several at once', async () => {
      const keys = await begin();
      const key = keyOf('a');
      await keys.add(key);
      const names = ['b', 'c', 'd', 'e'];

      await Promise.all(
        names.map((name) => keys.update(OURS.id, key.id, (now) => ({ ...now, name: now.name + name }))),
      );

      const { name = '' } = (await keys.byId(key.id)) ?? {};
      expect(name.slice(2).split('').toSorted()).toEqual(names);
    });

    it('lists those of an organisation newest first, from a place on', async () => {
      const keys = await begin();
      const all = [1, 2, 2, 3].map((createdAt, at) => keyOf(String(at), { createdAt }));
      for (const key of [...all, keyOf('f', { organisationId: newId('organisation') })]) await keys.add(key);
      const order = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));

      expect(await keys.list(OURS.id, { limit: 2 })).toEqual(order.slice(0, 2));
      expect(await keys.list(OURS.id, { limit: 9, before: order[1] })).toEqual(order.slice(2));
    });

    it('revokes a key once, with its values of before', async () => {
      const keys = await begin();
      const [key, last] = [keyOf('a', { retired: [{ hash: 'b'.repeat(64), until: 20 }] }), keyOf('c')];
      for (const one of [key, last]) await keys.add(one);
      const needed = () => ({ scope: 'keys:write', opensAt: 9 }) as const;

      const after = { ...key, retired: undefined, revokedAt: 9 };
      expect(await keys.revoke(OURS.id, key.id, 9, needed)).toEqual({ before: key, after });
      expect(await keys.byHash('b'.repeat(64))).toBeUndefined();
      const again = { ...(await keys.byId(key.id)) };
      expect(again).toEqual({ ...after, retired: undefined });
      expect(await keys.revoke(OURS.id, key.id, 10, needed)).toEqual({ before: again, after: again });
      expect(await keys.revoke(OURS.id, last.id, 10, () => undefined)).toMatchObject({
        after: { revokedAt: 10 },
      });
      for (const [owner, id] of [
        [newId('organisation'), key.id],
        [OURS.id, newId('apiKey')],
      ] as const)
        expect(await keys.revoke(owner, id, 10, needed)).toBeUndefined();
    });

    it.each([
      ['none is there', []],
      ['it has not the scope', [{ scopes: ['sessions:read'] }]],
      ['it has expired', [{ expiresAt: 100 }]],
      ['it was revoked', [{ revokedAt: 5 }]],
      ['it is of another organisation', [{ organisationId: newId('organisation') }]],
    ] as readonly (readonly [string, readonly Partial<ApiKey>[]])[])(
      'revokes no key that another one would have to stay for, when %s',
      async (_why, others) => {
        const keys = await begin();
        const key = keyOf('a');
        for (const one of [key, ...others.map((given, at) => keyOf('bcdef'.charAt(at), given))])
          await keys.add(one);
        const needed = () => ({ scope: 'keys:write', opensAt: 100 }) as const;

        expect(await keys.revoke(OURS.id, key.id, 100, needed)).toBe('last');
        expect(await keys.byId(key.id)).toEqual(key);
        expect(await keys.byHash(key.hash)).toEqual(key);

        await keys.add(keyOf('9', { expiresAt: 101 }));
        const forEver = () => ({ scope: 'keys:write', opensAt: Number.POSITIVE_INFINITY }) as const;
        expect(await keys.revoke(OURS.id, key.id, 100, forEver)).toBe('last');
        expect(await keys.revoke(OURS.id, key.id, 100, needed)).toMatchObject({ before: key });
      },
    );

    it('leaves one of several that are revoked at once and need one another', async () => {
      const keys = await begin();
      const all = 'abcdef'.split('').map((letter) => keyOf(letter));
      for (const one of all) await keys.add(one);

      const outcomes = await Promise.all(
        all.map(({ id }) => keys.revoke(OURS.id, id, 9, () => ({ scope: 'keys:write', opensAt: 9 }))),
      );

      expect(outcomes.filter((outcome) => outcome === 'last')).toHaveLength(1);
      const left = await Promise.all(all.map(({ id }) => keys.byId(id)));
      expect(left.filter((key) => key?.revokedAt === undefined)).toHaveLength(1);
    });

    it('remembers the last use of each, whatever order they are told in, and changes keep it', async () => {
      const keys = await begin();
      const [one, two] = [keyOf('a'), keyOf('b')];
      for (const key of [one, two]) await keys.add(key);
      const usesOf = async (...ids: readonly ApiKeyId[]) =>
        Promise.all(ids.map(async (id) => (await keys.byId(id))?.lastUsedAt));

      await keys.used([{ id: one.id, at: 20 }]);
      await keys.used([
        { id: one.id, at: 10 },
        { id: two.id, at: 30 },
        { id: newId('apiKey'), at: 40 },
      ]);
      expect(await usesOf(one.id, two.id)).toEqual([20, 30]);
      await keys.update(OURS.id, one.id, (key) => ({ ...key, name: 'other', lastUsedAt: 1 }));
      expect(await usesOf(one.id, two.id)).toEqual([20, 30]);
    });
  });
}
