/** What every KeyStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ApiKey, KeyStore } from '../../src/access/key-store.ts';
import { newId } from '../../src/kernel/id.ts';
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

    it('finds a key by its hash, and adds the same hash once', async () => {
      const store = await platform.open();
      open.push(store);
      const { keys } = store;
      const key: ApiKey = {
        id: newId('apiKey'),
        organisationId: OURS.id,
        name: 'root',
        hash: 'a'.repeat(64),
        createdAt: 7,
      };
      expect(await keys.count()).toBe(0);

      await keys.add(key);
      await keys.add({ ...key, id: newId('apiKey'), name: 'again' });
      await keys.add({ ...key, id: newId('apiKey'), hash: 'b'.repeat(64) });

      expect(await keys.count()).toBe(2);
      expect(await keys.byHash(key.hash)).toEqual(key);
      expect(await keys.byHash('c'.repeat(64))).toBeUndefined();
    });

    it('has one key of a name after a replacement, and leaves the other names alone', async () => {
      const store = await platform.open();
      open.push(store);
      const { keys } = store;
      const keyOf = (name: string, letter: string): ApiKey => ({
        id: newId('apiKey'),
        organisationId: OURS.id,
        name,
        hash: letter.repeat(64),
        createdAt: 7,
      });
      const [first, other, second] = [keyOf('root', 'a'), keyOf('first start', 'b'), keyOf('root', 'c')];
      await keys.replace(first);
      await keys.add(other);

      await keys.replace(second);
      expect(await keys.byHash(first.hash)).toBeUndefined();
      expect(await keys.byHash(second.hash)).toEqual(second);
      expect(await keys.byHash(other.hash)).toEqual(other);

      await keys.replace({ ...second, id: newId('apiKey') });
      expect(await keys.byHash(second.hash), 'the same key stays as it is').toEqual(second);

      await keys.replace({ ...other, id: newId('apiKey'), name: 'root' });
      expect(await keys.byHash(other.hash), 'it takes the name').toEqual({ ...other, name: 'root' });
      expect(await keys.count()).toBe(1);
    });
  });
}
