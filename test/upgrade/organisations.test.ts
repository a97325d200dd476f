/** A database from before organisations, opened by this version: all that is in it belongs to the first one, and another one finds nothing. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import type { KeyStore } from '../../src/access/key-store.ts';
import type { OrganisationStore } from '../../src/access/organisation-store.ts';
import { hashOf } from '../../src/access/key-value.ts';
import { KEY_SCOPES } from '../../src/access/principal.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Unauthenticated } from '../../src/kernel/fault.ts';
import { newId } from '../../src/kernel/id.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';
import type { AgentStore } from '../../src/sessions/agent-store.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import type { OwnerStore } from '../../src/supervisor/owner-store.ts';
import { mongoServer } from '../support/mongo.ts';
import { onEachStore } from '../support/stores.ts';
import { ROOT_KEY } from '../support/world.ts';
import { layOut, loadInto, OLDER, readFixture } from '../support/upgrade.ts';

interface Opened {
  readonly organisations: OrganisationStore;
  readonly agents: AgentStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly owners: OwnerStore;
}

await onEachStore((store) => {
  describe.each(OLDER)('a database of %s', (older) => {
    const closing: (() => unknown)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).toReversed()) await close();
    });

    async function opened(): Promise<Opened> {
      if (store === 'mongo') {
        const mongo = await mongoServer();
        closing.push(() => mongo.close());
        const uri = mongo.uri(); // another database each time
        await loadInto(older, uri);
        const found = await openMongo({ uri });
        closing.push(() => found.close());
        return found;
      }
      const { folder, remove } = await layOut(older, store);
      closing.push(remove);
      const found = openSqlite({ path: join(folder, 'holdfast.db') });
      closing.push(() => found.close());
      return found;
    }

    it('proves ORGANISATION-3: is the first organisation’s, and another may use its names and keys', async () => {
      const { told } = await readFixture(older, store);
      const { organisations, agents, sessions, keys, owners } = await opened();
      const { first } = organisations;
      const second = { id: newId('organisation'), name: 'second', createdAt: 1 };
      for (const { owner } of await owners.heartbeats()) await owners.retire(owner); // of the server that was killed
      await organisations.create(second);

      const ofFirst = await sessions.list(first, {}, { limit: 9 });
      expect(ofFirst.map(({ session }) => session.id).toSorted()).toEqual(
        Object.values(told.sessions).toSorted(),
      );
      for (const { session } of ofFirst) {
        expect(session.organisationId).toBe(first);
        expect(await sessions.get(session.id, first)).toMatchObject({ session: { id: session.id } });
        expect(await sessions.get(session.id, second.id)).toBeUndefined();
        expect(await sessions.list(first, { key: session.key }, { limit: 9 })).toHaveLength(1);
        expect(await sessions.list(second.id, { key: session.key }, { limit: 9 })).toEqual([]);
      }
      expect(await sessions.list(second.id, {}, { limit: 9 })).toEqual([]);

      const then = await agents.byName(first, 'then');
      expect(then).toMatchObject({ id: told.agentId, organisationId: first });
      expect(await agents.list(second.id, { limit: 9 })).toEqual([]);
      if (then === undefined) return;
      const same = { ...then, id: newId('agent'), organisationId: second.id };
      expect(await agents.create(same)).toEqual({ created: true, agent: same });
      expect(await agents.create({ ...same, id: newId('agent'), organisationId: first })).toMatchObject({
        created: false,
        agent: { id: then.id },
      });
      expect(await keys.count()).toBe(1);
    });

    it('has a root key that may do everything, under the id which it had, and still the one root key', async () => {
      const { organisations, keys } = await opened();
      const { first } = organisations;
      const [there] = await keys.list(first, { limit: 9 });
      const hash = hashOf(ROOT_KEY);
      expect(there).toMatchObject({ organisationId: first, name: 'root', scopes: KEY_SCOPES, hash });
      const access = new Access({
        keys,
        tokenGenerations: undefined as never, // nobody comes with a client token
        clock: systemClock,
        signingKey: randomBytes(32),
        firstOrganisation: first,
      });

      await access.ensureKey(ROOT_KEY);
      expect(await access.authenticate(ROOT_KEY)).toMatchObject({ keyId: there?.id, scopes: KEY_SCOPES });
      await access.ensureKey('root-key-of-another-start');
      await expect(access.authenticate(ROOT_KEY)).rejects.toThrow(Unauthenticated);
      expect(await keys.count()).toBe(1);
    });
  });
});
