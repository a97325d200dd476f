/** Marks of deletions that were cut off: a server that was killed between its mark and what comes of it. */
import { afterEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { AgentGone } from '../../../src/sessions/faults.ts';
import type { Agent } from '../../../src/sessions/agent.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { ManualClock, nothing, originOf } from '../../support/session-log.ts';

const NOW = 1_763_800_000_000;

await mongoSuite('an agent with a mark of a deletion', (server) => {
  const open: MongoStore[] = [];
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
  });

  async function begin(markedAt: number) {
    const store = await openMongo({ uri: server.uri(), clock: new ManualClock(NOW) });
    open.push(store);
    const id = newId('agent');
    const { first: organisationId } = store.organisations;
    const agent: Agent = {
      id,
      organisationId,
      name: 'a',
      runtime: 'claude',
      revision: { agentId: id, number: 1, prompt: 'p', model: 'rehearsal/echo', createdAt: 1 },
      limits: {},
      createdAt: 1,
      updatedAt: 1,
      requestHash: '',
    };
    await store.agents.create(agent);
    const agents = store.database.db.collection<{ _id: string; mark?: object }>('agent');
    await agents.updateOne({ _id: id }, { $set: { mark: { by: 'a dead server', at: markedAt } } });
    const start = () => store.sessions.create(originOf({ organisationId, agentId: id }), nothing);
    const mark = async () => (await agents.findOne({ _id: id }))?.mark;
    return { store, organisationId, agent, start, mark };
  }

  describe('that is young', () => {
    it('starts nothing, and is as it was otherwise (proves AGENT-1)', async () => {
      const { store, organisationId, agent, start, mark } = await begin(NOW - 1);

      await expect(start()).rejects.toThrow(AgentGone);

      expect(await store.sessions.list(organisationId, {}, { limit: 9 })).toEqual([]);
      expect(await store.agents.get(organisationId, agent.id)).toEqual(agent);
      expect(await mark()).toBeDefined();
    });

    it('is deleted by whoever asks again', async () => {
      const { store, organisationId, agent, mark } = await begin(NOW - 1);

      const deleted = await store.agents.delete(organisationId, agent.id, { at: NOW, force: false });

      expect(deleted).toMatchObject({ kind: 'deleted', replayed: false, agent: { deletedAt: NOW } });
      expect(await mark()).toBeUndefined();
    });
  });

  it('that was left behind long ago is taken away by the next start', async () => {
    const { store, organisationId, agent, start, mark } = await begin(NOW - 60_000);

    expect(await start()).toMatchObject({ created: true });

    expect(await mark()).toBeUndefined();
    expect(await store.agents.get(organisationId, agent.id)).toEqual(agent);
  });

  it('is without it once it was changed: whoever deletes begins again', async () => {
    const { store, agent, start, mark } = await begin(NOW - 1);

    expect(await store.agents.update({ ...agent, limits: { turns: 2 }, updatedAt: 2 }, 1)).toBe(true);

    expect(await mark()).toBeUndefined();
    expect(await start()).toMatchObject({ created: true });
  });
});
