/**
 * The small stores on MongoDB keep their ports' contracts, and what a transaction would give: one default per provider, one key
 * of a name, every revision, with two processes at once and with a crash between two writes.
 */
import type { Db } from 'mongodb';
import { afterEach, describe, expect, it } from 'vitest';
import type { ApiKey } from '../../../src/access/key-store.ts';
import { KEY_SCOPES } from '../../../src/access/principal.ts';
import { newId } from '../../../src/kernel/id.ts';
import { MongoAgentStore } from '../../../src/platform/mongo/stores/agent-store.ts';
import { MongoCredentialStore } from '../../../src/platform/mongo/stores/credential-store.ts';
import { MongoDatabase } from '../../../src/platform/mongo/database.ts';
import { MongoKeyStore } from '../../../src/platform/mongo/stores/key-store.ts';
import { MongoTokenGenerationStore } from '../../../src/platform/mongo/stores/token-generation-store.ts';
import { MongoOwnerStore } from '../../../src/platform/mongo/stores/owner-store.ts';
import type { Credential } from '../../../src/secrets/credential-store.ts';
import type { Agent, AgentRevision } from '../../../src/sessions/agent.ts';
import { agentStoreContract } from '../../contracts/agent-store.ts';
import { credentialStoreContract } from '../../contracts/credential-store.ts';
import { keyStoreContract } from '../../contracts/key-store.ts';
import { tokenGenerationStoreContract } from '../../contracts/token-generation-store.ts';
import { ownerStoreContract } from '../../contracts/owner-store.ts';
import { failingAt } from '../../support/failing-writes.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { randomOf } from '../../support/random.ts';
import { OURS } from '../../support/organisation.ts';

const NOW = Date.UTC(2026, 0, 1);

await mongoSuite('the small stores on MongoDB', (server) => {
  const open: MongoDatabase[] = [];
  afterEach(async () => {
    for (const database of open.splice(0)) await database.close();
  });

  async function openAt(uri: string): Promise<MongoDatabase> {
    const database = await MongoDatabase.open({ uri });
    open.push(database);
    return database;
  }

  const platform = {
    name: 'MongoDB',
    async open() {
      const database = await MongoDatabase.open({ uri: server.uri() });
      return {
        agents: new MongoAgentStore(database),
        credentials: new MongoCredentialStore(database),
        keys: new MongoKeyStore(database),
        tokenGenerations: new MongoTokenGenerationStore(database),
        owners: new MongoOwnerStore(database),
        close: () => database.close(),
      };
    },
  };
  agentStoreContract(platform);
  credentialStoreContract(platform);
  keyStoreContract(platform);
  tokenGenerationStoreContract(platform);
  ownerStoreContract(platform);

  describe('agents on MongoDB', () => {
    it('creates an agent once when eight callers want the same name at once', async () => {
      const uri = server.uri();
      const [one, two] = [new MongoAgentStore(await openAt(uri)), new MongoAgentStore(await openAt(uri))];

      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          (index % 2 === 0 ? one : two).create(agentOf({ name: 'wanted' })),
        ),
      );

      expect(answers.filter((answer) => answer.created)).toHaveLength(1);
      expect(new Set(answers.map((answer) => answer.agent.id)).size).toBe(1);
    });

    it('keeps every revision of an agent that two processes change at once', async () => {
      const uri = server.uri();
      const [one, two] = [new MongoAgentStore(await openAt(uri)), new MongoAgentStore(await openAt(uri))];
      const first = agentOf();
      await one.create(first);

      const written = await Promise.all(
        [one, two].flatMap((store, writer) => [0, 1].map(() => revise(store, first, `writer ${writer}`, 4))),
      );

      const last = await one.get(OURS.id, first.id);
      expect(last?.revision.number).toBe(1 + written.flat().length);
      for (const revision of written.flat()) {
        expect(await two.revision(OURS.id, first.id, revision.number)).toEqual(revision);
      }
      expect(await one.revision(OURS.id, first.id, 1)).toEqual(first.revision);
    });

    it('shows no revision of a change that was refused or cut off before it happened', async () => {
      const database = await openAt(server.uri());
      const store = new MongoAgentStore(database);
      const first = agentOf();
      await store.create(first);
      // A crash after the copy of the active revision, before the agent's own document.
      await database.db.collection<{ _id: string }>('agent_revision').insertOne({
        _id: `${first.id}/1`,
        ...first.revision,
      });

      expect(await store.revision(OURS.id, first.id, 1)).toEqual(first.revision);
      expect(await store.revision(OURS.id, first.id, 2)).toBeUndefined();
      const second = { ...first, updatedAt: 2, revision: { ...first.revision, number: 2, prompt: 'Again.' } };
      expect(await store.update(second, 1)).toBe(true);
      expect(await store.revision(OURS.id, first.id, 1)).toEqual(first.revision);
      expect(await store.revision(OURS.id, first.id, 2)).toEqual(second.revision);
    });
  });

  describe('the default credential on MongoDB', () => {
    it('is one and stays one while two processes create, change and delete at random', async () => {
      const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000));
      const uri = server.uri();
      const [one, two] = [await openAt(uri), await openAt(uri)];
      const stores = [new MongoCredentialStore(one), new MongoCredentialStore(two)] as const;
      const known: Credential[] = [];
      const over = new AbortController();
      const worker = async (store: MongoCredentialStore): Promise<void> => {
        for (let step = 0; step < 25; step += 1)
          await act(store, known, random.below(10), random.below(1_000));
      };
      const reader = async (): Promise<void> => {
        while (!over.signal.aborted) {
          const listed = await stores[0].list(OURS.id, { limit: 500 });
          expect(
            listed.filter((credential) => credential.isDefault).length,
            `seed ${random.seed}`,
          ).toBeLessThanOrEqual(1);
        }
      };

      const reading = reader();
      await Promise.all([...stores, ...stores].map(worker)).finally(() => over.abort());
      await reading;

      const [seenByOne, seenByTwo] = await Promise.all(
        stores.map(async (store) => ({
          fallback: await store.defaultOf(OURS.id, 'anthropic'),
          listed: await store.list(OURS.id, { limit: 500 }),
        })),
      );
      expect(seenByTwo, `seed ${random.seed}`).toEqual(seenByOne);
      expect(
        seenByOne?.listed.filter((credential) => credential.isDefault),
        `seed ${random.seed}`,
      ).toEqual(seenByOne?.fallback === undefined ? [] : [seenByOne.fallback]);
      const last = credentialOf({ isDefault: true });
      await stores[1].create(last);
      expect(await stores[0].defaultOf(OURS.id, 'anthropic')).toEqual(last);
    });

    it('is still the old one after a crash of who was about to make a new one (DEFAULT-1)', async () => {
      const database = await openAt(server.uri());
      const store = new MongoCredentialStore(database);
      const old = credentialOf({ isDefault: true });
      await store.create(old);
      // All that such a crash leaves: a number that nobody uses.
      await database.db
        .collection<{ _id: string }>('numbering')
        .updateOne({ _id: 'credential.claim' }, { $inc: { last: 1 } });

      expect(await store.defaultOf(OURS.id, 'anthropic')).toEqual(old);
      const next = credentialOf({ isDefault: true });
      await store.create(next);
      expect(await store.defaultOf(OURS.id, 'anthropic')).toEqual(next);
    });

    it('does not go back to an older one when the default is deleted, whatever write is the last (DEFAULT-3)', async () => {
      const database = await openAt(server.uri());
      const store = new MongoCredentialStore(database);
      const { firstOrganisation } = database;
      for (let at = 1, crashed = true; crashed; at += 1) {
        const older = credentialOf({ isDefault: true });
        const newer = credentialOf({ isDefault: true });
        for (const one of [older, newer]) await store.create(one);
        const view = failingAt(database, at, false);
        const deleting = new MongoCredentialStore({ ...view.database, firstOrganisation }).delete(
          OURS.id,
          newer.id,
        );
        await deleting.catch((error: unknown) => expect(String(error)).toContain('cut here'));
        crashed = view.hasFailed();

        expect([older.id, undefined], `write ${at}`).not.toContain(
          (await store.defaultOf(OURS.id, 'anthropic'))?.id ?? '',
        );
        await store.delete(OURS.id, newer.id);
        expect(await store.defaultOf(OURS.id, 'anthropic')).toBeUndefined();
        expect(await store.get(OURS.id, newer.id)).toBeUndefined();
      }
    });

    it('is not an older one either to who reads while it is deleted (DEFAULT-4)', async () => {
      const database = await openAt(server.uri());
      const store = new MongoCredentialStore(database);
      const [older, newer] = [credentialOf({ isDefault: true }), credentialOf({ isDefault: true })];
      for (const one of [older, newer]) await store.create(one);
      const view = afterFirstRead(database.db, async () => void (await store.delete(OURS.id, newer.id)));

      const seen = await new MongoCredentialStore({
        db: view,
        firstOrganisation: database.firstOrganisation,
      }).defaultOf(OURS.id, 'anthropic');

      expect(await store.get(OURS.id, newer.id)).toBeUndefined();
      expect(seen?.id).not.toBe(older.id);
    });

    it('does not go back to an older one when the default is deleted, also not after a crash in between', async () => {
      const database = await openAt(server.uri());
      const store = new MongoCredentialStore(database);
      const [older, newer] = [credentialOf({ isDefault: true }), credentialOf({ isDefault: true })];
      await store.create(older);
      await store.create(newer);
      // The crash: the floor is raised to the claim of the newer one, which is still there.
      await database.db
        .collection<{ _id: string }>('credential_default')
        .updateOne({ _id: `${OURS.id}/anthropic` }, { $max: { floor: 2 } }, { upsert: true });

      expect(await store.defaultOf(OURS.id, 'anthropic')).toBeUndefined();
      expect(await store.get(OURS.id, newer.id)).toEqual({ ...newer, isDefault: false });
      await store.delete(OURS.id, newer.id);
      expect(await store.defaultOf(OURS.id, 'anthropic')).toBeUndefined();
      await store.update(OURS.id, older.id, (credential) => ({ ...credential, isDefault: true }));
      expect(await store.defaultOf(OURS.id, 'anthropic')).toEqual(older);
    });

    it('is nobody after it was given up, though there was one before (DEFAULT-2)', async () => {
      const store = new MongoCredentialStore(await openAt(server.uri()));
      const [older, newer] = [credentialOf({ isDefault: true }), credentialOf({ isDefault: true })];
      await store.create(older);
      await store.create(newer);

      await store.update(OURS.id, newer.id, (credential) => ({ ...credential, isDefault: false }));

      expect(await store.defaultOf(OURS.id, 'anthropic')).toBeUndefined();
      expect((await store.list(OURS.id, { limit: 9 })).some((credential) => credential.isDefault)).toBe(
        false,
      );
    });

    it('loses no change when two processes change one credential at once', async () => {
      const uri = server.uri();
      const [one, two] = [
        new MongoCredentialStore(await openAt(uri)),
        new MongoCredentialStore(await openAt(uri)),
      ];
      const credential = credentialOf({ rotatedAt: 0 });
      await one.create(credential);

      const raise = (now: Credential): Credential => ({ ...now, rotatedAt: now.rotatedAt + 1 });
      await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          (index % 2 === 0 ? one : two).update(OURS.id, credential.id, raise),
        ),
      );

      expect((await two.get(OURS.id, credential.id))?.rotatedAt).toBe(12);
    });
  });

  describe('keys on MongoDB', () => {
    it('are one root key after replacements by two processes at once, and never none', async () => {
      const uri = server.uri();
      const [one, two] = [new MongoKeyStore(await openAt(uri)), new MongoKeyStore(await openAt(uri))];
      const keys = Array.from({ length: 8 }, (_, index) => keyOf('root', String(index)));

      await Promise.all(keys.map((key, index) => (index % 2 === 0 ? one : two).replace(key)));

      expect(await one.count()).toBe(1);
      const there = await Promise.all(keys.map((key) => two.byHash(key.hash)));
      expect(there.filter((key) => key !== undefined)).toHaveLength(1);
    });

    it('keep the old one beside the new one after a crash between the two writes, until the next replacement', async () => {
      const database = await openAt(server.uri());
      const store = new MongoKeyStore(database);
      const [old, next] = [keyOf('root', 'a'), keyOf('root', 'b')];
      await store.replace(old);
      const { id, ...rest } = next;
      const found = { hashes: [next.hash], rootHashes: [next.hash], version: 1, order: 2 };
      await database.db
        .collection<{ _id: string }>('api_key_record')
        .insertOne({ _id: id, ...rest, ...found });

      expect(await store.byHash(old.hash)).toMatchObject(old);
      expect(await store.byHash(next.hash)).toMatchObject(next);
      await store.replace(next);
      expect(await store.byHash(old.hash)).toBeUndefined();
      expect(await store.byHash(next.hash)).toMatchObject(next);
    });
  });

  it('takes a key away from servers of the version before when it is revoked, rotated or replaced, and shows them no new one', async () => {
    const database = await openAt(server.uri());
    const store = new MongoKeyStore(database);
    const older = database.db.collection<{ _id: string }>('api_key'); // as that version has it
    const hashes = async () => (await older.find().toArray()).map(({ _id }) => _id);
    const [revoked, rotated, replaced, stays] = ['a', 'b', 'c', 'd'].map((letter) => keyOf('k', letter));
    if (!revoked || !rotated || !replaced || !stays) return;
    await store.replace(replaced);
    for (const key of [revoked, rotated, stays]) await store.add(key);
    expect(await hashes()).toEqual([]);
    for (const { hash } of [revoked, rotated, replaced, stays]) await older.insertOne({ _id: hash });

    await store.update(OURS.id, revoked.id, (key) => ({ ...key, revokedAt: 8 }));
    await store.update(OURS.id, rotated.id, (key) => ({ ...key, hash: 'e'.repeat(64), rotatedAt: 8 }));
    await store.replace(keyOf('k', 'f'));

    expect(await hashes()).toEqual([stays.hash]);
  });

  it('has heartbeats that servers of the version before see change, and sees theirs, whatever clocks say', async () => {
    const database = await openAt(server.uri());
    const before = database.db.collection<{ _id: string; expiresAt: number }>('owner'); // as that version has it
    let skewMs = 0;
    const owners = new MongoOwnerStore(database, { now: () => NOW + skewMs });
    const expiresAt = async () => (await before.findOne({ _id: 'new' }))?.expiresAt ?? 0;
    const beatsOf = async (owner: string) =>
      (await owners.heartbeats()).find((heartbeat) => heartbeat.owner === owner)?.beats;
    await owners.beat('new');
    const first = await expiresAt();
    skewMs = -600_000; // put back
    await owners.beat('new');
    const second = await expiresAt();

    expect(first).not.toBe(second);
    expect(Math.min(first, second)).toBeGreaterThan(NOW + 600_000); // to no clock of theirs it has run out long ago
    await before.updateOne({ _id: 'old' }, { $max: { expiresAt: NOW } }, { upsert: true });
    const seen = await beatsOf('old');
    await before.updateOne({ _id: 'old' }, { $max: { expiresAt: NOW + 5_000 } }, { upsert: true });
    expect(await beatsOf('old')).not.toBe(seen);
  });
});

/** A view of the database in which `then` happens as soon as the first read has been answered. */
function afterFirstRead(db: Db, then: () => Promise<void>): Db {
  let isFirst = true;
  const answered = async (answer: unknown): Promise<unknown> => {
    const value = await answer;
    if (isFirst) {
      isFirst = false;
      await then();
    }
    return value;
  };
  const watched = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(of, property) {
        const found: unknown = Reflect.get(of, property, of);
        if (typeof found !== 'function') return found;
        return (...args: unknown[]): unknown => {
          const answer: unknown = Reflect.apply(found, of, args);
          if (property === 'findOne' || property === 'toArray') return answered(answer);
          return typeof answer === 'object' && answer !== null ? watched(answer) : answer;
        };
      },
    });
  return watched(db);
}

function agentOf(given: Partial<Agent> = {}): Agent {
  const id = given.id ?? newId('agent');
  return {
    id,
    organisationId: OURS.id,
    name: `agent ${id}`,
    runtime: 'claude',
    revision: { agentId: id, number: 1, prompt: 'Be kind.', model: 'anthropic/test', createdAt: 1 },
    limits: {},
    createdAt: 1,
    updatedAt: 1,
    requestHash: 'hash',
    ...given,
  };
}

/** Adds `count` revisions as a use case does: reads, writes if nobody else has, and reads again otherwise. */
async function revise(store: MongoAgentStore, { id }: Agent, prompt: string, count: number) {
  const written: AgentRevision[] = [];
  while (written.length < count) {
    const now = await store.get(OURS.id, id);
    if (now === undefined) throw new Error('The agent is gone.');
    const revision: AgentRevision = {
      ...now.revision,
      number: now.revision.number + 1,
      prompt: `${prompt}, ${written.length}`,
    };
    if (await store.update({ ...now, revision, updatedAt: now.updatedAt + 1 }, now.updatedAt))
      written.push(revision);
  }
  return written;
}

function credentialOf(given: Partial<Credential> = {}): Credential {
  const id = newId('credential');
  const rest = {
    provider: 'anthropic',
    last4: 'abcd',
    isDefault: false,
    createdAt: 1,
    rotatedAt: 1,
  } as const;
  return { id, organisationId: OURS.id, ...rest, requestHash: 'hash', secret: 'sealed_1', ...given };
}

function keyOf(name: string, letter: string): ApiKey {
  return {
    id: newId('apiKey'),
    organisationId: OURS.id,
    name,
    scopes: KEY_SCOPES,
    hash: letter.repeat(64),
    createdAt: 7,
  };
}

async function act(
  store: MongoCredentialStore,
  known: Credential[],
  what: number,
  which: number,
): Promise<void> {
  const chosen = known[which % Math.max(known.length, 1)];
  if (chosen === undefined || what < 3) {
    const made = credentialOf({ isDefault: what < 2, createdAt: which });
    known.push(made);
    await store.create(made);
  } else if (what < 5) {
    await store.delete(OURS.id, chosen.id);
  } else {
    await store.update(OURS.id, chosen.id, (now) => ({
      ...now,
      isDefault: what === 5 ? now.isDefault : what < 8,
    }));
  }
}
