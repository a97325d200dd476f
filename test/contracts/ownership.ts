/**
 * Two organisations on one store: what is one's is not there for the other, however it is asked for, and both may call things the same.
 * Each case is tried both ways round, since stores keep the first organisation's things in another way.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { KeyStore } from '../../src/access/key-store.ts';
import { KEY_SCOPES } from '../../src/access/principal.ts';
import type { OrganisationStore } from '../../src/access/organisation-store.ts';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type OrganisationId, turnIdOf } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { useCasesOver } from '../../src/sessions/use-cases.ts';
import { memorySecrets, type ReplayPlatform } from './replay-platform.ts';
import { appending, nothing, spoken } from '../support/session-log.ts';

type Opened = Awaited<ReturnType<ReplayPlatform['open']>> & {
  readonly organisations: OrganisationStore;
  readonly keys: KeyStore;
};
export interface OwnershipPlatform extends ReplayPlatform {
  open(options: object): Promise<Opened>;
}

const MODEL = 'anthropic/claude-sonnet-5';
const ME = { kind: 'human' } as const;

export function ownershipContract(platform: OwnershipPlatform): void {
  describe.each(['first', 'second'] as const)(`what the %s organisation has on ${platform.name}`, (which) => {
    const open: Opened[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({});
      open.push(store);
      const second = { id: newId('organisation'), name: 'second', createdAt: 1 };
      await store.organisations.create(second);
      const of = useCasesOver({
        ...store,
        secrets: memorySecrets(),
        clock: systemClock,
        serverKeys: new Set(),
        firstOrganisation: store.organisations.first,
      });
      const ids: readonly OrganisationId[] = [store.organisations.first, second.id];
      const [ownId, otherId] = (which === 'first' ? ids : ids.toReversed()) as [
        OrganisationId,
        OrganisationId,
      ]; // two were made
      return { store, ownId, otherId, own: of(ownId), other: of(otherId) };
    }

    it('proves ORGANISATION-1: agents are not there for the other one', async () => {
      const { own, other } = await begin();
      const { agent } = await own.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'one' });
      await own.agents.update(agent.id, { prompt: 'two' });

      for (const ask of [
        () => other.agents.get(agent.id),
        () => other.agents.find(agent.id),
        () => other.agents.find('a'),
        () => other.agents.revision(agent.id, 1),
        () => other.agents.revision(agent.id, 2),
        () => other.agents.update(agent.id, { prompt: 'three' }),
        () => other.sessions.start({ agent: agent.id, input: 'hi', actor: ME }),
        () => other.sessions.start({ agent: 'a', input: 'hi', actor: ME }),
      ])
        await expect(ask()).rejects.toMatchObject({ code: 'AGENT_NOT_FOUND' });
      expect(await other.agents.list({ limit: 9 })).toEqual([]);
      expect((await own.agents.get(agent.id)).revision).toMatchObject({ number: 2, prompt: 'two' });
      expect((await own.agents.revision(agent.id, 1)).prompt).toBe('one');
      expect((await own.agents.list({ limit: 9 })).map(({ id }) => id)).toEqual([agent.id]);
    });

    it('proves ORGANISATION-1: credentials are not there for the other one, which has a default of its own', async () => {
      const { own, other } = await begin();
      const create = async (side: typeof own, key: string) =>
        (await side.credentials.create({ provider: 'anthropic', key: new Sealed(key) })).credential;
      const mine = await create(own, 'sk-mine-0000');
      expect(await other.credentials.defaultOf('anthropic')).toBeUndefined();
      const theirs = await create(other, 'sk-theirs-00');

      for (const ask of [
        () => other.credentials.get(mine.id),
        () => other.credentials.delete(mine.id),
        () => other.credentials.update(mine.id, { name: 'x' }),
        () => other.agents.create({ name: 'a', model: MODEL, prompt: 'p', credentialId: mine.id }),
      ])
        await expect(ask()).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' });
      expect(await other.credentials.open(mine.id)).toBeUndefined();
      expect((await other.credentials.list({ limit: 9 })).map(({ id }) => id)).toEqual([theirs.id]);
      expect(await own.credentials.defaultOf('anthropic')).toEqual(mine);
      expect(await other.credentials.defaultOf('anthropic')).toEqual(theirs);
      await own.credentials.delete(mine.id);
      expect(await own.credentials.defaultOf('anthropic')).toBeUndefined();
      expect(await other.credentials.defaultOf('anthropic')).toEqual(theirs);
    });

    it('proves ORGANISATION-1: sessions are not there for the other one: not to look at, to list, or to write to', async () => {
      const { store, own, ownId, other, otherId } = await begin();
      await own.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
      const started = await own.sessions.start({ agent: 'a', input: 'hi', key: 'k', actor: ME });
      const { id, agentId } = started.session;
      await own.sessions.send({ sessionId: id, text: 'more', idempotencyKey: 'sent', actor: ME });

      for (const ask of [
        () => other.sessions.get(id),
        () => other.sessions.turn(id, turnIdOf(id, 1)),
        () => other.sessions.send({ sessionId: id, text: 'x', actor: ME }),
        () => other.sessions.send({ sessionId: id, text: 'more', idempotencyKey: 'sent', actor: ME }),
        () => other.sessions.cancel(id, ME),
        () => other.sessions.archive(id, ME, 'key'),
        () => store.journal.append(id, { organisationId: otherId, decide: appending(spoken('x')) }),
        () => store.journal.append(id, { organisationId: otherId, decide: nothing, epoch: 9 }),
      ])
        await expect(ask()).rejects.toEqual(new SessionNotFound(id));
      expect(await other.sessions.turns(id, { limit: 9 })).toEqual([]);
      for (const filter of [{}, { key: 'k' }, { agentId }, { status: 'queued' }] as const) {
        expect(await other.sessions.list(filter, { limit: 9 })).toEqual([]);
        expect((await own.sessions.list(filter, { limit: 9 })).map(({ session }) => session.id)).toEqual([
          id,
        ]);
      }
      expect((await own.sessions.get(id)).session).toMatchObject({ organisationId: ownId, status: 'queued' });
      expect(await store.journal.head(id)).toBe(2);
      const appended = { organisationId: ownId, decide: appending(spoken('mine')) };
      expect((await store.journal.append(id, appended)).lastSeq).toBe(3);
      const { sessionIds } = await store.sessions.wanted({ limit: 9 });
      expect(sessionIds, 'who runs sessions runs those of all').toEqual([id]);
    });

    it('proves ORGANISATION-2: the other one may use its names, its keys and its idempotency keys', async () => {
      const { own, other } = await begin();
      const all = async (side: typeof own, prompt: string) => {
        const credential = { provider: 'anthropic', key: new Sealed('sk-test-0000'), idempotencyKey: 'c' };
        const made = [await side.credentials.create(credential), await side.credentials.create(credential)];
        const definition = { name: 'a', model: 'rehearsal/echo', prompt, idempotencyKey: 'a' };
        const agents = [await side.agents.create(definition), await side.agents.create(definition)];
        const start = { agent: 'a', input: prompt, key: 'k', idempotencyKey: 's', actor: ME };
        const starts = [await side.sessions.start(start), await side.sessions.start(start)];
        const natural = [await side.sessions.start({ ...start, idempotencyKey: undefined })];
        const replays = [made, agents, starts, natural].map((some) => some.map(({ replayed }) => replayed));
        expect(replays).toEqual([[false, true], [false, true], [false, true], [true]]);
        return [made[0]?.credential.id, agents[0]?.agent.id, starts[0]?.session.id];
      };

      const mine = await all(own, 'one');
      const theirs = await all(other, 'another');

      expect(new Set([...mine, ...theirs]).size).toBe(6);
    });

    it('are API keys by their hash, each with its organisation, and one root key in each', async () => {
      const { store, ownId, otherId } = await begin();
      const keyOf = (organisationId: OrganisationId, letter: string) => {
        return {
          id: newId('apiKey'),
          organisationId,
          name: 'root',
          scopes: KEY_SCOPES,
          hash: letter.repeat(64),
          createdAt: 1,
        };
      };
      const [mine, theirs, next] = [keyOf(ownId, 'a'), keyOf(otherId, 'b'), keyOf(ownId, 'c')];
      for (const key of [mine, theirs, next]) await store.keys.replace(key);

      expect(await store.keys.byHash(mine.hash)).toBeUndefined();
      expect(await store.keys.byHash(theirs.hash)).toMatchObject(theirs);
      expect(await store.keys.byHash(next.hash)).toMatchObject(next);
      expect(await store.keys.count()).toBe(2);
    });
  });
}
