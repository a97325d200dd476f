/** What every AgentStore must keep. */
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import type { Agent } from '../../src/sessions/agent.ts';
import type { AgentStore } from '../../src/sessions/agent-store.ts';
import { OURS } from '../support/organisation.ts';

export interface AgentPlatform {
  readonly name: string;
  open(): Promise<{ readonly agents: AgentStore; close(): Promise<void> }>;
}

function agentOf(given: Partial<Agent> = {}): Agent {
  const id = given.id ?? newId('agent');
  return {
    id,
    organisationId: OURS.id,
    name: `agent ${id}`,
    runtime: 'claude',
    revision: { agentId: id, number: 1, prompt: 'Be kind.', model: 'anthropic/test', createdAt: 1 },
    limits: { tokens: 9 },
    createdAt: 1,
    updatedAt: 1,
    requestHash: 'hash',
    ...given,
  };
}

export function agentStoreContract(platform: AgentPlatform): void {
  describe(`the agent store contract on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin(): Promise<AgentStore> {
      const store = await platform.open();
      open.push(store);
      return store.agents;
    }

    it('finds an agent by id and by name, and its first revision', async () => {
      const agents = await begin();
      const agent = agentOf({ credentialId: newId('credential') });

      expect(await agents.create(agent)).toEqual({ created: true, agent });

      expect(await agents.get(OURS.id, agent.id)).toEqual(agent);
      expect(await agents.byName(OURS.id, agent.name)).toEqual(agent);
      expect(await agents.revision(OURS.id, agent.id, 1)).toEqual(agent.revision);
      expect(await agents.get(OURS.id, newId('agent'))).toBeUndefined();
      expect(await agents.byName(OURS.id, 'nobody')).toBeUndefined();
      expect(await agents.revision(OURS.id, agent.id, 2)).toBeUndefined();
    });

    it('keeps the tools of each revision, whatever names their schemas have', async () => {
      const agents = await begin();
      const inputSchema = {
        type: 'object',
        properties: { 'a.b': { $ref: '#/$defs/c' }, '': {}, $set: { const: { $date: 1 } } },
        $defs: { c: { enum: [1.5, 9_007_199_254_740_991, null, '$x'] } },
      };
      const tools = [{ name: 'lookup', description: 'Looks.', inputSchema, timeoutSeconds: 9 }];
      const bare = agentOf();
      const agent = { ...bare, revision: { ...bare.revision, tools } };
      await agents.create(agent);
      const after = { ...bare, updatedAt: 2, revision: { ...bare.revision, number: 2 } };

      expect(await agents.get(OURS.id, agent.id)).toEqual(agent);
      expect(await agents.revision(OURS.id, agent.id, 1)).toEqual(agent.revision);
      expect(await agents.update(after, 1)).toBe(true);

      expect((await agents.list(OURS.id, { limit: 1 }))[0]).toEqual(after);
      expect(await agents.revision(OURS.id, agent.id, 1)).toEqual(agent.revision);
      expect((await agents.revision(OURS.id, agent.id, 2))?.tools).toBeUndefined();
    });

    it('answers the one that is there when the id or the name is taken', async () => {
      const agents = await begin();
      const first = agentOf({ name: 'first' });
      await agents.create(first);

      expect(await agents.create(agentOf({ id: first.id, name: 'other' }))).toEqual({
        created: false,
        agent: first,
      });
      expect(await agents.create(agentOf({ name: 'first' }))).toEqual({ created: false, agent: first });
      expect(await agents.list(OURS.id, { limit: 9 })).toEqual([first]);
    });

    it('replaces an agent that has not changed since, and keeps every revision', async () => {
      const agents = await begin();
      const first = agentOf();
      await agents.create(first);
      const second: Agent = {
        ...first,
        updatedAt: 2,
        revision: {
          ...first.revision,
          number: 2,
          prompt: 'Be brief.',
          settings: {
            effort: 'high',
            thinking: { mode: 'budget', budgetTokens: 2_048, display: 'omitted' },
            maxOutputTokens: 9_000,
            contextWindow: 1_000_000,
            cacheTtl: '1h',
            fallbackModel: 'anthropic/other',
          },
          createdAt: 2,
        },
      };

      expect(await agents.update(second, 1)).toBe(true);
      expect(await agents.update({ ...first, updatedAt: 3, limits: {} }, 1)).toBe(false);
      expect(await agents.update({ ...second, updatedAt: 3, limits: {} }, 2)).toBe(true);
      expect(await agents.update(agentOf(), 1)).toBe(false);

      expect(await agents.get(OURS.id, first.id)).toEqual({ ...second, updatedAt: 3, limits: {} });
      expect(await agents.revision(OURS.id, first.id, 1)).toEqual(first.revision);
      expect(await agents.revision(OURS.id, first.id, 2)).toEqual(second.revision);

      const third: Agent = { ...first, updatedAt: 4, revision: { ...first.revision, number: 3 } };
      expect(await agents.update(third, 3)).toBe(true);
      expect(await agents.revision(OURS.id, first.id, 2), 'kept, though it is not the active one').toEqual(
        second.revision,
      );
      expect(await agents.revision(OURS.id, first.id, 3)).toEqual(third.revision);
    });

    it('lists newest first from a place on', async () => {
      const agents = await begin();
      const all = [1, 2, 2, 3].map((createdAt) => agentOf({ createdAt }));
      for (const agent of all) await agents.create(agent);
      const order = all.toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));

      const first = await agents.list(OURS.id, { limit: 2 });
      const second = await agents.list(OURS.id, { limit: 9, before: order[1] });

      expect([...first, ...second]).toEqual(order);
    });
  });
}
