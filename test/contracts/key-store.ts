/** What every KeyStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { ApiKey, KeyStore } from '../../src/access/key-store.ts';
import { newId } from '../../src/kernel/id.ts';

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
      const key: ApiKey = { id: newId('apiKey'), name: 'root', hash: 'a'.repeat(64), createdAt: 7 };
      expect(await keys.count()).toBe(0);

      await keys.add(key);
      await keys.add({ ...key, id: newId('apiKey'), name: 'again' });
      await keys.add({ ...key, id: newId('apiKey'), hash: 'b'.repeat(64) });

      expect(await keys.count()).toBe(2);
      expect(await keys.byHash(key.hash)).toEqual(key);
      expect(await keys.byHash('c'.repeat(64))).toBeUndefined();
    });
  });
}
