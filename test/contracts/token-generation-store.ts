/** What every TokenGenerationStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TokenGenerationStore } from '../../src/access/token-generation-store.ts';
import { newId } from '../../src/kernel/id.ts';
import { OURS } from '../support/organisation.ts';

interface OpenGenerations {
  readonly tokenGenerations: TokenGenerationStore;
  close(): Promise<void>;
}

export interface TokenGenerationPlatform {
  readonly name: string;
  open(options: object): Promise<OpenGenerations>;
}

export function tokenGenerationStoreContract(platform: TokenGenerationPlatform): void {
  describe(`the token generation store contract on ${platform.name}`, () => {
    const open: OpenGenerations[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin(): Promise<TokenGenerationStore> {
      const store = await platform.open({});
      open.push(store);
      return store.tokenGenerations;
    }

    it('answers 0 of what was never raised, and one more after each time, in the order of the question', async () => {
      const store = await begin();
      const [session, key, other] = [newId('session'), newId('apiKey'), newId('session')];
      expect(await store.generationsOf([session, key, session])).toEqual([0, 0, 0]);
      expect(await store.generationsOf([])).toEqual([]);

      await store.raise(OURS.id, session);
      await store.raise(OURS.id, session);
      await store.raise(OURS.id, key);

      expect(await store.generationsOf([other, key, session, other])).toEqual([0, 1, 2, 0]);
    });

    it('is never lower after raises at once', async () => {
      const store = await begin();
      const session = newId('session');

      await Promise.all(Array.from({ length: 8 }, () => store.raise(OURS.id, session)));

      expect(await store.generationsOf([session])).toEqual([8]);
    });
  });
}
