/** What every RetentionStore must keep: rules and who changes them, the clock, and what has rested longest. */
import { afterEach, describe, expect, it } from 'vitest';
import { newId, type OrganisationId, type SessionId } from '../../src/kernel/id.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { KeptRule, RetentionStore } from '../../src/sessions/retention-store.ts';
import type { RestingStatus } from '../../src/sessions/retention-rule.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { ManualClock, nothing, originOf } from '../support/session-log.ts';
import { OURS } from '../support/organisation.ts';

interface Opened {
  readonly retention: RetentionStore;
  readonly sessions: SessionStore;
  readonly journal: SessionJournal;
  close(): Promise<void>;
}

export interface RetentionPlatform {
  readonly name: string;
  open(options: { readonly clock: ManualClock }): Promise<Opened>;
}

const ME = { kind: 'human' } as const;
const MORE = 1_000_000_000_000;

export function retentionStoreContract(platform: RetentionPlatform): void {
  describe(`the retention store contract on ${platform.name}`, () => {
    const open: Opened[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const clock = new ManualClock(1);
      const store = await platform.open({ clock });
      open.push(store);
      return { ...store, clock };
    }

    it('keeps a rule of an organisation and of an agent, each by itself', async () => {
      const { retention } = await begin();
      const [agentId, another] = [newId('agent'), newId('organisation')];
      const own: KeptRule = { organisationId: OURS.id, rule: { archivedDays: 30 }, updatedAt: 1 };
      const ofAgent: KeptRule = {
        organisationId: OURS.id,
        agentId,
        rule: { idleDays: 7 },
        updatedAt: 2,
        requests: [{ key: 'k', hash: 'h' }],
      };

      expect(await retention.get(OURS.id)).toBeUndefined();
      expect(await retention.rules(OURS.id, 9)).toEqual({ organisation: undefined, agents: new Map() });
      expect(await retention.put(own, undefined)).toBe(true);
      expect(await retention.put(ofAgent, undefined)).toBe(true);

      expect(await retention.get(OURS.id)).toEqual(own);
      expect(await retention.get(OURS.id, agentId)).toEqual(ofAgent);
      expect(await retention.rules(OURS.id, 9)).toEqual({
        organisation: { archivedDays: 30 },
        agents: new Map([[agentId, { idleDays: 7 }]]),
      });
      expect(await retention.get(another)).toBeUndefined();
      expect(await retention.get(another, agentId)).toBeUndefined();
      expect((await retention.rules(another, 9)).organisation).toBeUndefined();
    });

    it('replaces a rule only if it is as it was read, and lists none that was taken back', async () => {
      const { retention } = await begin();
      const agentId = newId('agent');
      const first: KeptRule = { organisationId: OURS.id, agentId, rule: { idleDays: 7 }, updatedAt: 1 };
      await retention.put(first, undefined);

      expect(await retention.put({ ...first, updatedAt: 2 }, undefined)).toBe(false);
      expect(await retention.put({ ...first, updatedAt: 3 }, 2)).toBe(false);
      expect(await retention.get(OURS.id, agentId)).toEqual(first);
      const takenBack = { organisationId: OURS.id, agentId, updatedAt: 3 };
      expect(await retention.put(takenBack, 1)).toBe(true);

      expect(await retention.get(OURS.id, agentId)).toEqual(takenBack);
      expect(await retention.rules(OURS.id, 9)).toEqual({ organisation: undefined, agents: new Map() });
    });

    it('one of eight who set the first rule at once is first', async () => {
      const { retention } = await begin();
      const rules = Array.from({ length: 8 }, (_, index): KeptRule => {
        return { organisationId: OURS.id, rule: { idleDays: index + 1 }, updatedAt: index + 1 };
      });

      const answers = await Promise.all(rules.map((rule) => retention.put(rule, undefined)));

      expect(answers.filter(Boolean)).toHaveLength(1);
      expect(await retention.get(OURS.id)).toEqual(rules[answers.indexOf(true)]);
    });

    it('names the organisations with a rule one after the other, also those of an agent’s rule alone', async () => {
      const { retention } = await begin();
      const ids = [newId('organisation'), newId('organisation'), newId('organisation')].toSorted();
      expect(await retention.next(undefined)).toBeUndefined();
      await retention.advance(5); // which is no rule
      expect(await retention.next(undefined)).toBeUndefined();
      for (const [index, organisationId] of ids.entries()) {
        for (const agentId of [newId('agent'), newId('agent')])
          await retention.put({ organisationId, agentId, rule: { idleDays: 1 }, updatedAt: 1 }, undefined);
        if (index !== 1) await retention.put({ organisationId, rule: {}, updatedAt: 1 }, undefined);
      }

      const met: OrganisationId[] = [];
      let next = await retention.next(undefined);
      while (next !== undefined) {
        met.push(next);
        next = await retention.next(next);
      }

      expect(met).toEqual(ids);
      expect((await retention.rules(ids[0] as OrganisationId, 1)).agents.size, 'at most').toBe(1); // there are three
      expect((await retention.rules(ids[0] as OrganisationId, 1)).organisation).toEqual({});
    });

    it('has a clock that is never set back', async () => {
      const { retention } = await begin();

      expect(await retention.time()).toBeUndefined();
      expect(await retention.advance(50)).toBe(50);
      expect(await retention.advance(40)).toBe(50);
      expect(await retention.time()).toBe(50);
      expect(await retention.advance(60)).toBe(60);
      const ahead = await Promise.all([61, 70, 65].map((at) => retention.advance(at)));

      expect(Math.max(...ahead)).toBe(70);
      expect(await retention.time()).toBe(70);
    });

    it('finds sessions at rest, those that have rested longest first, from a place on', async () => {
      const { retention, sessions, journal, clock } = await begin();
      const agentId = newId('agent');
      /** A session that comes to rest at `at`. */
      const rested = async (at: number, of: object, ...commands: readonly Command[]): Promise<SessionId> => {
        const { session } = await sessions.create(originOf({ createdAt: 1, agentId, ...of }), nothing);
        clock.set(at);
        for (const command of commands)
          await journal.append(session.id, { decide: (record) => decide(record, command) });
        return session.id;
      };
      const archive: Command = { kind: 'archive', actor: ME };
      const send: Command = { kind: 'send', text: 'x', mode: 'steer', actor: ME };
      const lease: Command = { kind: 'takeLease', owner: 'one' };
      const late = await rested(30, {}, archive);
      const early = await rested(10, {}, archive);
      const same = [await rested(20, {}, archive), await rested(20, {}, archive)].toSorted();
      await rested(10, { organisationId: newId('organisation') }, archive);
      await rested(10, {}, send); // queued
      await rested(10, {}, send, lease, { kind: 'beginTurn' }); // runs
      const fresh = await rested(40, {});
      const end: Command = { kind: 'completeTurn', outcome: 'needs_input' };
      const model = { callId: 'c', model: 'm', inputToSeq: 1, attempt: 1 };
      const started: Command = {
        kind: 'record',
        events: [{ type: 'model.started', actor: { kind: 'agent' }, body: model }],
      };
      const asking = await rested(50, {}, send, lease, { kind: 'beginTurn' });
      const { session } = (await sessions.get(asking)) ?? {};
      const turnId = session?.turn?.id;
      const events = started.events.map((event) => ({ ...event, turnId }));
      for (const command of [{ ...started, events }, end] as readonly Command[])
        await journal.append(asking, { decide: (record) => decide(record, command) });

      const of = async (status: RestingStatus, page: object = {}) =>
        (await retention.resting(OURS.id, status, { limit: 9, until: MORE, ...page })).map(({ id }) => id);

      expect(await of('archived')).toEqual([early, ...same, late]);
      expect(await of('archived', { until: 20 })).toEqual([early, ...same]);
      expect(await of('archived', { limit: 2 })).toEqual([early, same[0]]);
      expect(await of('archived', { after: { statusAt: 20, id: same[0] } })).toEqual([same[1], late]);
      expect(await of('archived', { after: { statusAt: 20, id: same[1] }, until: 29 })).toEqual([]);
      expect(await of('failed')).toEqual([]);
      expect(await of('idle')).toEqual([fresh]);
      expect(await retention.resting(OURS.id, 'awaiting_input', { limit: 9, until: MORE })).toEqual([
        { id: asking, agentId, status: 'awaiting_input', statusAt: 50, isLeased: true },
      ]);
      const [first] = await retention.resting(OURS.id, 'archived', { limit: 1, until: MORE });
      expect(first).toEqual({ id: early, agentId, status: 'archived', statusAt: 10, isLeased: false });
      expect(await retention.resting(newId('organisation'), 'archived', { limit: 9, until: MORE })).toEqual(
        [],
      );
    });
  });
}
