/** What every OrganisationStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import type { OrganisationRecord, OrganisationStore } from '../../src/access/organisation-store.ts';
import { Organisations } from '../../src/access/organisations.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { must } from '../../src/kernel/assert.ts';
import { isId, newId } from '../../src/kernel/id.ts';

interface OpenOrganisations {
  readonly organisations: OrganisationStore;
  close(): Promise<void>;
  reopen?(): Promise<OpenOrganisations>;
}

export interface OrganisationPlatform {
  readonly name: string;
  open(options: object): Promise<OpenOrganisations>;
}

export function organisationStoreContract(platform: OrganisationPlatform): void {
  describe(`the organisation store contract on ${platform.name}`, () => {
    const open: OpenOrganisations[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({});
      open.push(store);
      return store;
    }
    const recordOf = (given: Partial<OrganisationRecord> = {}): OrganisationRecord => {
      const id = newId('organisation');
      return { id, name: `name of ${id}`, createdAt: 1, ...given };
    };

    it('has a first one from the beginning, the same after it was opened again', async () => {
      const store = await begin();
      const { first } = store.organisations;

      expect(isId('organisation', first)).toBe(true);
      expect(await store.organisations.get(first)).toEqual({
        id: first,
        name: 'first',
        createdAt: expect.any(Number),
      });
      expect(await store.organisations.list({ limit: 9 })).toHaveLength(1);
      if (store.reopen === undefined) return;
      const again = must(await store.reopen(), 'it was opened again');
      open.splice(open.indexOf(store), 1, again);
      expect(again.organisations.first).toBe(first);
    });

    it('answers the one that is there when the id or the name is taken', async () => {
      const { organisations } = await begin();
      const one = recordOf();

      expect(await organisations.create(one)).toEqual({ created: true, organisation: one });
      for (const taken of [recordOf({ id: one.id }), recordOf({ name: one.name })])
        expect(await organisations.create(taken)).toEqual({ created: false, organisation: one });
      expect(await organisations.get(one.id)).toEqual(one);
      expect(await organisations.get(newId('organisation'))).toBeUndefined();
    });

    it('lists newest first from a place on, the first one last', async () => {
      const { organisations } = await begin();
      const later = systemClock.now() + 1_000;
      const all = [1, 2, 2, 3].map((at) => recordOf({ createdAt: later + at }));
      for (const one of all) await organisations.create(one);
      const order = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));

      const pages = [
        ...(await organisations.list({ limit: 2 })),
        ...(await organisations.list({ limit: 9, before: order[1] })),
      ];

      expect(pages.slice(0, -1)).toEqual(order);
      expect(pages.at(-1)?.id).toBe(organisations.first);
    });

    it('makes one once for an idempotency key, and refuses its name to another', async () => {
      const organisations = new Organisations({ ...(await begin()), clock: systemClock });
      const request = { name: 'one', idempotencyKey: 'k' };
      const { organisation } = await organisations.create(request);

      expect(await organisations.create(request)).toEqual({ organisation, replayed: true });
      for (const [other, code] of [
        [{ ...request, name: 'other' }, 'IDEMPOTENCY_CONFLICT'],
        [{ name: 'one' }, 'ORGANISATION_NAME_TAKEN'],
        [{ name: 'first' }, 'ORGANISATION_NAME_TAKEN'],
        [{ name: ' ' }, 'INVALID_INPUT'],
      ] as const)
        await expect(organisations.create(other)).rejects.toMatchObject({ code });
      expect(await organisations.get(organisation.id)).toEqual(organisation);
      await expect(organisations.get(newId('organisation'))).rejects.toMatchObject({
        code: 'ORGANISATION_NOT_FOUND',
      });
      expect(await organisations.list({ limit: 9 })).toHaveLength(2);
    });
  });
}
