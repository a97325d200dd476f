/** What every CredentialStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import type { Credential, CredentialStore } from '../../src/secrets/credential-store.ts';
import { OURS } from '../support/organisation.ts';

export interface CredentialPlatform {
  readonly name: string;
  open(): Promise<{ readonly credentials: CredentialStore; close(): Promise<void> }>;
}

function credentialOf(given: Partial<Credential> = {}): Credential {
  return {
    id: newId('credential'),
    organisationId: OURS.id,
    provider: 'anthropic',
    name: 'a key',
    last4: 'abcd',
    isDefault: false,
    createdAt: 1,
    rotatedAt: 1,
    requestHash: 'hash',
    secret: 'sealed_1',
    agent: undefined,
    ...given,
  };
}

export function credentialStoreContract(platform: CredentialPlatform): void {
  describe(`the credential store contract on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin(): Promise<CredentialStore> {
      const store = await platform.open();
      open.push(store);
      return store.credentials;
    }

    it('gives back what was created, and answers the one that is there when the id is taken', async () => {
      const credentials = await begin();
      const named = credentialOf();
      const nameless = credentialOf({ name: undefined, agent: 'an agent' });

      expect(await credentials.create(named)).toEqual({ created: true, credential: named });
      expect(await credentials.create(nameless)).toEqual({ created: true, credential: nameless });
      expect(await credentials.create({ ...named, last4: 'zzzz' })).toEqual({
        created: false,
        credential: named,
      });

      expect(await credentials.get(OURS.id, named.id)).toEqual(named);
      expect(await credentials.get(OURS.id, nameless.id)).toEqual(nameless);
      expect(await credentials.get(OURS.id, newId('credential'))).toBeUndefined();
    });

    it('has one default: a new one ends the old one, by create and by update (DEFAULT-1)', async () => {
      const credentials = await begin();
      const first = credentialOf({ isDefault: true });
      const second = credentialOf({ isDefault: true });
      const third = credentialOf();
      expect(await credentials.defaultOf(OURS.id, 'anthropic')).toBeUndefined();

      await credentials.create(first);
      await credentials.create(second);
      await credentials.create(third);
      expect(await credentials.defaultOf(OURS.id, 'anthropic')).toEqual(second);
      expect((await credentials.get(OURS.id, first.id))?.isDefault).toBe(false);

      const rotated = { ...third, isDefault: true, rotatedAt: 5, last4: 'wxyz', secret: 'sealed_2' };
      expect(await credentials.update(OURS.id, third.id, () => rotated)).toEqual({
        before: third,
        after: rotated,
      });
      expect(await credentials.defaultOf(OURS.id, 'anthropic')).toEqual(rotated);
      expect((await credentials.get(OURS.id, second.id))?.isDefault).toBe(false);
      await credentials.update(OURS.id, third.id, (now) => ({ ...now, isDefault: false }));
      expect(await credentials.defaultOf(OURS.id, 'anthropic')).toBeUndefined();
      expect(await credentials.get(OURS.id, third.id)).toEqual({ ...rotated, isDefault: false });
      expect(await credentials.update(OURS.id, newId('credential'), (now) => now)).toBeUndefined();
    });

    it('writes nothing when a change is refused', async () => {
      const credentials = await begin();
      const credential = credentialOf({ isDefault: true });
      await credentials.create(credential);

      const refused = credentials.update(OURS.id, credential.id, () => {
        throw new Error('refused');
      });

      await expect(refused).rejects.toThrow('refused');
      expect(await credentials.get(OURS.id, credential.id)).toEqual(credential);
    });

    it('lists newest first from a place on, and forgets what is deleted', async () => {
      const credentials = await begin();
      const all = [1, 2, 2, 3].map((createdAt) => credentialOf({ createdAt }));
      for (const credential of all) await credentials.create(credential);
      const order = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
      const [newest, next] = order as [Credential, Credential]; // four were made

      expect(await credentials.list(OURS.id, { limit: 2 })).toEqual(order.slice(0, 2));
      expect(await credentials.list(OURS.id, { limit: 9, before: next })).toEqual(order.slice(2));
      expect(await credentials.delete(OURS.id, newest.id)).toEqual(newest);
      expect(await credentials.delete(OURS.id, newest.id)).toBeUndefined();
      expect(await credentials.list(OURS.id, { limit: 9 })).toEqual(order.slice(1));
    });
  });
}
