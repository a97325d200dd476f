/** The part of the replay contract about agents and credentials (replays.ts). */
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { must } from '../../src/kernel/assert.ts';
import { derivedId, newId } from '../../src/kernel/id.ts';
import { remembered } from '../../src/kernel/answered-requests.ts';
import { requestHash } from '../../src/kernel/request-hash.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { Agents } from '../../src/sessions/agents.ts';
import { type Begin } from './replay-platform.ts';
import { OURS } from '../support/organisation.ts';

const MODEL = 'anthropic/claude-sonnet-5';
const KEY = 'sk-ant-0123456789abcdef';

export function definitionReplays(begin: Begin): void {
  describe('createAgent', () => {
    const one = { name: 'a', model: 'rehearsal/echo', prompt: 'one' };

    it('compares with the agent as it is', async () => {
      const { agents } = await begin();
      const { agent } = await agents.create(one);
      await agents.update(agent.id, { prompt: 'two', limits: { turns: 1 }, settings: { effort: 'low' } });
      const now = { ...one, prompt: 'two', limits: { turns: 1 }, settings: { effort: 'low' } };

      for (const other of [one, { ...one, prompt: 'two' }, { ...now, limits: {} }, { ...now, settings: {} }])
        await expect(agents.create(other)).rejects.toMatchObject({ code: 'AGENT_NAME_TAKEN' });
      expect(await agents.create(now)).toMatchObject({ agent: { id: agent.id }, replayed: true });
    });

    it('compares the model key with the one that the agent has', async () => {
      const { agents } = await begin();
      const keyed = (key: string) => ({ ...one, model: MODEL, key: new Sealed(key) });
      const { agent } = await agents.create(keyed(KEY));
      expect((await agents.create(keyed(KEY))).replayed).toBe(true);
      await agents.update(agent.id, { key: new Sealed(`${KEY}-2`) });

      await expect(agents.create(keyed(KEY))).rejects.toMatchObject({ code: 'AGENT_NAME_TAKEN' });
      await expect(agents.create({ ...one, model: MODEL })).rejects.toMatchObject({
        code: 'AGENT_NAME_TAKEN',
      });
      expect((await agents.create(keyed(`${KEY}-2`))).agent.id).toBe(agent.id);
      await agents.update(agent.id, { credentialId: null });
      expect((await agents.create({ ...one, model: MODEL })).replayed).toBe(true);
    });

    it('proves REPLAY-1: with a key it is answered after any change, also the key that found the agent there', async () => {
      const { agents, credentials } = await begin();
      const { credential } = await credentials.create({ provider: 'anthropic', key: new Sealed(KEY) });
      const keyed = { ...one, model: MODEL, credentialId: credential.id };
      const { agent } = await agents.create({ ...keyed, idempotencyKey: 'made' });
      expect((await agents.create({ ...keyed, idempotencyKey: 'found' })).replayed).toBe(true);
      await agents.update(agent.id, { model: 'rehearsal/echo', prompt: 'two', credentialId: null });
      await credentials.delete(credential.id);

      for (const idempotencyKey of ['made', 'found']) {
        const again = await agents.create({ ...keyed, idempotencyKey });
        expect([again.agent.id, again.agent.revision.prompt, again.replayed]).toEqual([
          agent.id,
          'two',
          true,
        ]);
        await expect(agents.create({ ...keyed, prompt: 'other', idempotencyKey })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
      }
      expect((await agents.create({ ...keyed, runtime: 'claude', idempotencyKey: 'made' })).replayed).toBe(
        true,
      );
    });

    it('knows an agent of a version that hashed requests by the places of their fields', async () => {
      const { agents, store } = await begin();
      const settings = { effort: 'low', maxOutputTokens: 5 } as const;
      const asked = ['a', 'claude', 'one', 'rehearsal/echo', {}, undefined, undefined];
      for (const [key, hash] of [
        ['plain', requestHash(asked)],
        ['set', requestHash([...asked, settings])],
      ] as const) {
        const id = derivedId('agent', key);
        const revision = {
          agentId: id,
          number: 2,
          prompt: 'changed',
          model: 'rehearsal/echo',
          createdAt: 1,
        };
        const times = { createdAt: 1, updatedAt: 2 };
        await store.agents.create({
          ...{
            id,
            organisationId: OURS.id,
            name: `${key} then`,
            runtime: 'claude',
            revision,
            limits: {},
            requestHash: hash,
          },
          ...times,
        });
      }

      expect((await agents.create({ ...one, idempotencyKey: 'plain' })).replayed).toBe(true);
      expect((await agents.create({ ...one, settings, idempotencyKey: 'set' })).replayed).toBe(true);
      await expect(agents.create({ ...one, settings, idempotencyKey: 'plain' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
    });
  });

  describe('updateAgent', () => {
    it('proves REPLAY-1: with a key it does not undo what was changed since', async () => {
      const { agents } = await begin();
      const { agent } = await agents.create({ name: 'a', model: MODEL, prompt: 'one' });
      const asked = { prompt: 'two', key: new Sealed(KEY), idempotencyKey: 'once' };
      const first = await agents.update(agent.id, asked);
      await agents.update(agent.id, { prompt: 'three' });
      const again = await agents.update(agent.id, asked);

      expect([first.replayed, again.replayed]).toEqual([false, true]);
      expect(again.agent.revision).toMatchObject({ number: 3, prompt: 'three' });
      await expect(agents.update(agent.id, { ...asked, prompt: 'four' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
    });

    it('remembers a key also when nothing differed, and many of them', async () => {
      const { agents } = await begin();
      const { agent } = await agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'one' });
      const same = { prompt: 'one', idempotencyKey: 'same' };
      expect((await agents.update(agent.id, same)).replayed).toBe(true);
      await agents.update(agent.id, { prompt: 'two' });
      for (let count = 0; count < 20; count += 1)
        await agents.update(agent.id, { limits: { turns: count + 1 }, idempotencyKey: `n ${count}` });

      expect((await agents.update(agent.id, same)).agent.revision.prompt).toBe('two');
      const back = await agents.update(agent.id, { limits: { turns: 1 }, idempotencyKey: 'n 0' });
      expect([back.agent.limits, back.replayed]).toEqual([{ turns: 20 }, true]);
    });
  });

  describe('credentials', () => {
    const wanted = { provider: 'anthropic', key: new Sealed(KEY), name: 'mine', idempotencyKey: 'once' };

    it('proves REPLAY-1: created once, also when they were renamed, rotated or deleted since', async () => {
      const { credentials } = await begin();
      const { credential } = await credentials.create(wanted);
      await credentials.update(credential.id, { name: 'renamed', key: new Sealed(`${KEY}-2`) });
      expect(await credentials.create({ ...wanted, isDefault: false })).toMatchObject({
        credential: { id: credential.id, name: 'renamed' },
        replayed: true,
      });
      await credentials.delete(credential.id);
      const again = await credentials.create(wanted);

      expect(again).toMatchObject({
        credential: { id: credential.id, isDefault: false },
        replayed: true,
      });
      expect(await credentials.has(credential.id)).toBe(false);
      expect(await credentials.open(credential.id)).toBeUndefined();
      expect(await credentials.defaultOf('anthropic')).toBeUndefined();
      expect(await credentials.list({ limit: 9 })).toEqual([]);
      await expect(credentials.delete(credential.id)).rejects.toMatchObject({
        code: 'CREDENTIAL_NOT_FOUND',
      });
      await expect(credentials.create({ ...wanted, name: 'other' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
    });

    it('know a record of a version that hashed requests by the places of their fields', async () => {
      const { credentials, store } = await begin();
      const id = derivedId('credential', 'once');
      await store.credentials.create({
        organisationId: OURS.id,
        ...{ id, provider: 'anthropic', last4: 'cdef', isDefault: true, createdAt: 1, rotatedAt: 1 },
        ...{ requestHash: requestHash(['anthropic', KEY, 'mine', undefined]), secret: 's' },
      });

      expect((await credentials.create(wanted)).replayed).toBe(true);
    });

    it('know what versions did that hashed the key itself', async () => {
      const { credentials, agents, store } = await begin();
      const asked = { provider: 'anthropic', key: KEY, name: 'mine' };
      const change = { key: new Sealed(`${KEY}-2`), idempotencyKey: 'change' };
      const requests = remembered(undefined, 'change', requestHash({ key: `${KEY}-2` }));
      const id = derivedId('credential', 'once');
      await store.credentials.create({
        organisationId: OURS.id,
        ...{ id, provider: 'anthropic', last4: 'cdef', isDefault: true, createdAt: 1, rotatedAt: 1 },
        ...{ requestHash: requestHash(asked), secret: 's' },
      });
      await store.credentials.update(OURS.id, id, (before) => ({ ...before, requests }));
      const agent = { name: 'then', model: MODEL, prompt: 'p' };
      const { agent: made } = await agents.create({ ...agent, idempotencyKey: 'agent' });
      const hash = requestHash({ key: `${KEY}-2` });
      const was = {
        ...made,
        updatedAt: made.updatedAt + 1,
        requests: remembered(undefined, 'change', hash),
      };
      await store.agents.update(was, made.updatedAt);

      expect((await credentials.create(wanted)).replayed).toBe(true);
      expect((await credentials.update(id, change)).replayed).toBe(true);
      expect((await agents.update(made.id, change)).replayed).toBe(true);
    });

    it('proves FINGERPRINT-1: and agents keep nothing of a key that it could be tried against', async () => {
      const { credentials, agents, store } = await begin();
      const key = new Sealed(KEY);
      const { credential } = await credentials.create(wanted);
      await credentials.update(credential.id, { key, idempotencyKey: 'change' });
      const asked = { name: 'a', model: MODEL, prompt: 'p', key, idempotencyKey: 'agent' };
      const { agent } = await agents.create(asked);
      await agents.update(agent.id, { key, idempotencyKey: 'change' });

      const kept = JSON.stringify([
        await store.credentials.made(OURS.id, credential.id),
        await store.agents.get(OURS.id, agent.id),
      ]);
      const { idempotencyKey: _, ...definition } = asked;
      const guesses = [{ provider: 'anthropic', name: 'mine' }, {}, definition];
      for (const one of guesses) expect(kept).not.toContain(requestHash({ ...one, key: KEY }));
      expect((await credentials.create(wanted)).replayed).toBe(true);
      const again = await credentials.update(credential.id, { key, idempotencyKey: 'change' });
      expect(again.replayed).toBe(true);
      expect((await agents.create(asked)).replayed).toBe(true);
      expect((await agents.update(agent.id, { key, idempotencyKey: 'change' })).replayed).toBe(true);
    });

    it('proves REPLAY-1: changed with a key do not lose what was changed since, also when they are gone', async () => {
      const { credentials } = await begin();
      const { credential } = await credentials.create(wanted);
      const change = { name: 'second', key: new Sealed(`${KEY}-2`), idempotencyKey: 'change' };
      expect((await credentials.update(credential.id, change)).replayed).toBe(false);
      await credentials.update(credential.id, { name: 'third', key: new Sealed(`${KEY}-3`) });

      expect(await credentials.update(credential.id, change)).toMatchObject({
        credential: { name: 'third' },
        replayed: true,
      });
      expect((await credentials.open(credential.id))?.open()).toBe(`${KEY}-3`);
      await expect(credentials.update(credential.id, { ...change, name: 'other' })).rejects.toMatchObject({
        code: 'IDEMPOTENCY_CONFLICT',
      });
      await credentials.delete(credential.id);
      expect((await credentials.update(credential.id, change)).replayed).toBe(true);
      await expect(
        credentials.update(credential.id, { ...change, idempotencyKey: 'new' }),
      ).rejects.toMatchObject({ code: 'CREDENTIAL_NOT_FOUND' });
      await expect(credentials.update(newId('credential'), change)).rejects.toMatchObject({
        code: 'CREDENTIAL_NOT_FOUND',
      });
    });

    it('that an agent was to have, and that were deleted since, are made anew for it', async () => {
      const { credentials, agents, store } = await begin();
      const asked = { name: 'a', model: MODEL, prompt: 'p', key: new Sealed(KEY), idempotencyKey: 'once' };
      const cut = { ...store.agents, byName: async () => undefined, get: async () => undefined };
      const crashing = new Agents({
        agents: { ...cut, create: () => Promise.reject(new Error('the server dies')) },
        credentials,
        clock: systemClock,
        organisation: OURS,
      });
      await expect(crashing.create(asked)).rejects.toThrow('dies');
      const [orphan] = await credentials.list({ limit: 9 });
      await credentials.delete(must(orphan, 'it was left behind').id);
      const { agent } = await agents.create(asked);

      expect(agent.credentialId).not.toBe(orphan?.id);
      const own = must(agent.credentialId, 'it has a key of its own');
      expect((await credentials.open(own))?.open()).toBe(KEY);
    });
  });
}
