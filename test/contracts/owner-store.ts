/** What every OwnerStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { OwnerStore } from '../../src/supervisor/owner-store.ts';

export interface OwnerPlatform {
  readonly name: string;
  open(): Promise<{ readonly owners: OwnerStore; close(): Promise<void> }>;
}

export function ownerStoreContract(platform: OwnerPlatform): void {
  describe(`the owner store contract on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    it('tells every heartbeat as it was last renewed, until its owner retires', async () => {
      const store = await platform.open();
      open.push(store);
      const { owners } = store;
      await owners.beat('a', 1_000);
      await owners.beat('b', 2_000);
      await owners.beat('c', 2_000);

      await owners.beat('a', 3_000);
      await owners.beat('c', 1_500); // came late
      await owners.retire('b');
      await owners.retire('nobody');

      expect(await owners.heartbeats()).toEqual([
        { owner: 'a', expiresAt: 3_000 },
        { owner: 'c', expiresAt: 2_000 },
      ]);
    });
  });
}
