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

    it('gives every heartbeat another number, until its owner retires', async () => {
      const store = await platform.open();
      open.push(store);
      const { owners } = store;
      for (const owner of ['a', 'b', 'c']) await owners.beat(owner);
      const before = await owners.heartbeats();

      await Promise.all([owners.beat('a'), owners.beat('a')]);
      await owners.retire('b');
      await owners.retire('nobody');

      const after = await owners.heartbeats();
      expect(before.map(({ owner }) => owner)).toEqual(['a', 'b', 'c']);
      expect(after).toEqual([{ owner: 'a', beats: expect.any(Number) }, before[2]]);
      expect(after[0]?.beats).not.toBe(before[0]?.beats);
      await owners.beat('b');
      expect((await owners.heartbeats()).map(({ owner }) => owner)).toEqual(['a', 'b', 'c']);
    });
  });
}
