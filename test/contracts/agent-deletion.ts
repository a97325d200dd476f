/** What a deleted agent is on every store, and what becomes of sessions that are started while it is being deleted. */
import { afterEach, describe, expect, it } from 'vitest';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { BODY_INLINE_BYTES_MAX } from '../../src/kernel/limit.ts';
import { AgentGone, AgentInUse } from '../../src/sessions/faults.ts';
import type { Started } from '../../src/sessions/sessions.ts';
import type { StartSession } from '../../src/sessions/start-request.ts';
import { useCasesOver } from '../../src/sessions/use-cases.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { appending, originOf, spoken } from '../support/session-log.ts';
import { memorySecrets } from './replay-platform.ts';
import type { OwnershipPlatform } from './ownership.ts';

type Opened = Awaited<ReturnType<OwnershipPlatform['open']>>;

export interface AgentDeletionPlatform {
  readonly name: string;
  /** Two servers on one empty database where there can be two; else the one twice. */
  open(): Promise<{ readonly servers: readonly [Opened, Opened]; close(): Promise<void> }>;
}

const ME = { kind: 'human' } as const;
/** Of each: starts that cross a deletion, and how often it is tried. */
const STARTS = 6;
const ROUNDS = 12;

export function agentDeletionContract(platform: AgentDeletionPlatform): void {
  describe(`the deletion of agents on ${platform.name}`, () => {
    const open: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const opened = await platform.open();
      open.push(opened);
      const { servers } = opened;
      const [one, other] = servers.map((store) => useCasesOf(store)) as [Uses, Uses]; // of two servers
      const runs = new SessionRuns(servers[0]);
      const start = (request: Partial<StartSession>, by = one): Promise<Started> =>
        by.sessions.start({ agent: 'a', input: 'go', actor: ME, ...request });
      /** As its brain and its supervisor: the turn is over, and nothing runs any more. */
      const rest = async ({ session: { id } }: Started): Promise<void> => {
        await one.sessions.cancel(id, ME, undefined);
      };
      const beginTurn = async ({ session: { id } }: Started): Promise<void> => {
        await runs.supervise(id, { kind: 'takeLease', owner: 'test' });
        await runs.write(id, (await runs.get(id)).session.epoch, undefined, { kind: 'beginTurn' });
      };
      return { one, other, start, rest, beginTurn, store: servers[0] };
    }

    it('proves AGENT-2: keeps its id for the sessions it had, and lets others have its name', async () => {
      const { one, start, rest, store } = await begin();
      const definition = { name: 'a', model: 'rehearsal/echo', prompt: 'one', idempotencyKey: 'k' };
      const { agent } = await one.agents.create(definition);
      await one.agents.update(agent.id, { prompt: 'two' });
      const started = await start({});
      await rest(started);

      const { agent: deleted, replayed } = await one.deleteAgent({ id: agent.id, actor: ME });

      expect(deleted).toMatchObject({ id: agent.id, name: 'a', revision: { number: 2 } });
      expect(deleted.deletedAt).toBeTypeOf('number');
      expect(replayed).toBe(false);
      expect(await one.deleteAgent({ id: agent.id, actor: ME })).toEqual({ agent: deleted, replayed: true });
      expect(await one.agents.get(agent.id)).toEqual(deleted);
      expect((await one.agents.revision(agent.id, 1)).prompt).toBe('one');
      expect((await one.agents.revision(agent.id, 2)).prompt).toBe('two');
      expect(await one.agents.list({ limit: 9 })).toEqual([]);
      await expect(one.agents.find('a')).rejects.toMatchObject({ code: 'AGENT_NOT_FOUND' });
      await expect(one.agents.update(agent.id, { prompt: 'three' })).rejects.toThrow(AgentGone);
      await expect(start({ agent: agent.id })).rejects.toThrow(AgentGone);
      expect(
        await one.agents.create(definition),
        'REPLAY-1: the request that made it is answered again',
      ).toEqual({ agent: deleted, replayed: true });

      const again = await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'new' });
      expect(again).toMatchObject({ replayed: false, agent: { name: 'a', revision: { prompt: 'new' } } });
      expect(again.agent.id).not.toBe(agent.id);
      expect(await one.agents.list({ limit: 9 })).toEqual([again.agent]);
      expect((await one.agents.find('a')).id).toBe(again.agent.id);
      await one.deleteAgent({ id: again.agent.id, actor: ME }); // a second one of this name
      expect((await one.agents.get(again.agent.id)).name).toBe('a');

      const { session } = await one.sessions.send({
        sessionId: started.session.id,
        text: 'go on',
        actor: ME,
      });
      expect(session.status, 'its sessions go on').toBe('queued');
      const { first } = store.organisations;
      expect(await store.agents.update({ ...agent, updatedAt: 9 }, deleted.updatedAt)).toBe(false);
      expect(await store.agents.delete(first, newId('agent'), { at: 1, force: false })).toBeUndefined();
    });

    it('proves REPLAY-1: a start is answered as it was, also when another agent has the name by now', async () => {
      const { one, start, rest } = await begin();
      const { agent } = await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
      const requests = [{ idempotencyKey: 'once' }, { key: 'natural' }];
      const started: Started[] = [];
      for (const request of requests) started.push(await start(request));
      for (const each of started) await rest(each);
      await one.deleteAgent({ id: agent.id, actor: ME });

      for (const again of [false, true]) {
        if (again) await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'new' });
        for (const [index, request] of requests.entries())
          expect(await start(request)).toMatchObject({
            replayed: true,
            session: { id: started[index]?.session.id, agentId: agent.id },
          });
      }
      const { agent: other } = await one.agents.create({ name: 'b', model: 'rehearsal/echo', prompt: 'p' });
      for (const named of ['b', other.id])
        await expect(start({ key: 'natural', agent: named })).rejects.toMatchObject({
          code: 'IDEMPOTENCY_CONFLICT',
        });
    });

    it('proves AGENT-1: a start that looked the agent up before it was deleted leaves nothing', async () => {
      const { one, store } = await begin();
      const { agent } = await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
      await one.deleteAgent({ id: agent.id, actor: ME });
      const { first } = store.organisations;
      const origin = originOf({ organisationId: first, agentId: agent.id, key: 'natural' });
      const long = spoken('x'.repeat(BODY_INLINE_BYTES_MAX)); // lies beside its event

      await expect(store.sessions.create(origin, appending(long))).rejects.toThrow(AgentGone);

      expect(await store.sessions.get(origin.id)).toBeUndefined();
      expect(await store.sessions.list(first, { key: 'natural' }, { limit: 1 })).toEqual([]);
      await expect(store.journal.append(origin.id, { decide: appending(spoken('x')) })).rejects.toThrow(
        SessionNotFound,
      );
    });

    it('proves ORGANISATION-1: nobody of another organisation deletes it', async () => {
      const { one, store } = await begin();
      const second = { id: newId('organisation'), name: 'second', createdAt: 1 };
      await store.organisations.create(second);
      const { agent } = await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });

      await expect(
        useCasesOf(store, second.id).deleteAgent({ id: agent.id, force: true, actor: ME }),
      ).rejects.toMatchObject({ code: 'AGENT_NOT_FOUND' });

      expect(await one.agents.get(agent.id)).toEqual(agent);
    });

    it('proves AGENT-3: is refused while a session is queued or running, unless it is forced', async () => {
      const { one, start, rest, beginTurn } = await begin();
      const { agent } = await one.agents.create({ name: 'a', model: 'rehearsal/echo', prompt: 'p' });
      const [resting, running, queued] = [await start({}), await start({}), await start({})];
      await rest(resting);
      await beginTurn(running);
      const request = { id: agent.id, actor: ME };

      await expect(one.deleteAgent(request)).rejects.toThrow(AgentInUse);
      await rest(queued);
      await expect(one.deleteAgent(request)).rejects.toMatchObject({
        code: 'AGENT_IN_USE',
        agentId: agent.id,
        sessionId: running.session.id,
      });
      expect(await one.agents.get(agent.id), 'as it was').toEqual(agent);
      const later = await start({});

      expect(await one.deleteAgent({ ...request, force: true })).toMatchObject({ replayed: false });

      const statuses = [resting, running, queued, later].map(async ({ session }) => {
        const { session: now } = await one.sessions.get(session.id);
        return now.status;
      });
      expect(await Promise.all(statuses)).toEqual(['idle', 'archived', 'idle', 'archived']);
      const woken = { sessionId: resting.session.id, text: 'on', actor: ME };
      expect((await one.sessions.send(woken)).session.status).toBe('queued');
      expect(await one.deleteAgent({ ...request, force: true })).toMatchObject({ replayed: true });
      expect((await one.sessions.get(resting.session.id)).session.status, 'forced again').toBe('archived');
    });

    it('proves AGENT-1: of starts and a deletion that cross, either the session is there or the agent is gone', async () => {
      const { one, other, start } = await begin();
      const met = new Set<string>();
      for (let round = 0; round < ROUNDS; round += 1) {
        const force = round % 3 === 0;
        const { agent } = await one.agents.create({
          name: `a${round}`,
          model: 'rehearsal/echo',
          prompt: 'p',
        });
        const starting = Array.from({ length: STARTS }, (_, index) =>
          start({ agent: agent.id, idempotencyKey: `${round}/${index}` }, index % 2 === 0 ? one : other),
        );
        // some rounds let the first of them be answered, so that both outcomes are met
        if (round % 2 === 0) await Promise.race(starting.map((started) => started.catch(() => undefined)));
        const deleting = other.deleteAgent({ id: agent.id, force, actor: ME });
        const [deleted, ...starts] = await Promise.allSettled([deleting, ...starting]);

        const isDeleted = deleted.status === 'fulfilled';
        met.add(isDeleted ? 'deleted' : 'in use');
        if (!isDeleted) expect(deleted.reason).toBeInstanceOf(AgentInUse);
        const answered = starts
          .filter((done) => done.status === 'fulfilled')
          .map(({ value }) => value.session.id);
        for (const done of starts)
          if (done.status === 'rejected') expect(done.reason, 'a start says why').toBeInstanceOf(AgentGone);
        const found = await one.sessions.list({ agentId: agent.id }, { limit: 99 });
        // one that a forced deletion has archived before its start was taken back stays, and nobody was told of it
        const told = found.filter(
          ({ session }) => !(force && session.status === 'archived' && !answered.includes(session.id)),
        );
        expect(
          told.map(({ session }) => session.id).toSorted(),
          'whoever was answered has a session',
        ).toEqual(answered.toSorted());
        const running = found.filter(({ session }) => session.status !== 'archived');
        if (isDeleted) expect(running.length, 'nothing of a deleted agent runs').toBe(0);
        else expect((await start({ agent: agent.id })).session.status).toBe('queued');
        if (isDeleted) await expect(start({ agent: agent.id })).rejects.toThrow(AgentGone);
      }
      expect(met).toContain('in use');
      expect(met).toContain('deleted');
    });
  });
}

type Uses = ReturnType<typeof useCasesOf>;

function useCasesOf(store: Opened, id = store.organisations.first) {
  const { first: firstOrganisation } = store.organisations;
  const secrets = memorySecrets();
  return useCasesOver({ ...store, secrets, clock: systemClock, serverKeys: new Set(), firstOrganisation })(
    id,
  );
}
