/** The sweep of retention over a store in memory, with a deletion that says what it was asked for. */
import { AuditLog } from '../../src/audit/audit-log.ts';
import { afterEach, describe, expect, it } from 'vitest';
import { newId, type OrganisationId, type SessionId } from '../../src/kernel/id.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { RetentionClock } from '../../src/sessions/retention-clock.ts';
import type { RetentionRule } from '../../src/sessions/retention-rule.ts';
import { RetentionSweep, type RetentionSweepPorts } from '../../src/supervisor/retention-sweep.ts';
import { ManualClock, nothing, originOf } from '../support/session-log.ts';

const DAY = 86_400_000;
const NEVER = new AbortController().signal;

/** Time that passes when somebody sleeps. */
class SleepingClock extends ManualClock {
  readonly sleeps: number[] = [];
  override async sleep(ms = 0): Promise<void> {
    this.sleeps.push(ms);
    this.set(this.now() + ms);
  }
}

const open: SqliteStore[] = [];
afterEach(() => {
  for (const store of open.splice(0)) store.close();
});

function begin() {
  const clock = new SleepingClock(1_000 * DAY);
  const store = openSqlite({ path: ':memory:', clock });
  open.push(store);
  const gone: { organisationId: OrganisationId; id: SessionId; status: string | undefined }[] = [];
  const failing = new Set<SessionId>();
  const deleted = new Set<SessionId>();
  const deletions: RetentionSweepPorts['deletions'] = {
    async begin(tombstone, seen) {
      const { id, organisationId } = tombstone;
      if (failing.has(id)) throw new Error('this one cannot be deleted');
      gone.push({ organisationId, id, status: seen?.status });
      deleted.add(id);
      return { tombstone, replayed: false };
    },
  };
  // What was deleted is in no list any more.
  const { retention: kept } = store;
  const retention: RetentionSweepPorts['retention'] = {
    next: (after) => kept.next(after),
    rules: (...asked) => kept.rules(...asked),
    resting: async (...asked) => (await kept.resting(...asked)).filter(({ id }) => !deleted.has(id)),
  };
  const time = new RetentionClock({ store: store.retention, clock, logger: silentLogger });
  const audit = new AuditLog({ audit: store.audit, clock });
  const ports = { retention, time, deletions, audit, clock, logger: silentLogger };
  const sweep = new RetentionSweep(ports);
  const rule = (organisationId: OrganisationId, of: RetentionRule, agentId?: ReturnType<typeof agent>) =>
    store.retention.put({ organisationId, agentId, rule: of, updatedAt: 1 }, undefined);
  /** So many sessions that were archived so many days ago. */
  const archived = async (count: number, days: number, of: object): Promise<readonly SessionId[]> => {
    const at = clock.now();
    clock.set(at - days * DAY);
    const ids = await Promise.all(
      Array.from({ length: count }, async () => {
        const actor = { kind: 'human' } as const;
        const { session } = await store.sessions.create(originOf({ createdAt: 1, ...of }), (fresh) =>
          decide(fresh, { kind: 'archive', actor }),
        );
        return session.id;
      }),
    );
    clock.set(at);
    return ids;
  };
  /** Rounds until nothing is left to do. */
  const sweepAll = async (): Promise<number> => {
    for (let rounds = 1; ; rounds += 1) if (await sweep.round(NEVER)) return rounds;
  };
  const ids = () => gone.map(({ id }) => id);
  return { clock, store, gone, failing, sweep, rule, archived, sweepAll, ids, ports };
}

const agent = () => newId('agent');
const organisation = () => newId('organisation');

describe('the sweep of retention', () => {
  it('deletes what is due and nothing else, and writes nothing where there is no rule (proves RETENTION-1)', async () => {
    const { store, rule, archived, sweepAll, gone } = begin();
    const [one, other] = [organisation(), organisation()];
    const old = await archived(3, 31, { organisationId: one });
    await archived(3, 29, { organisationId: one });
    await archived(3, 400, { organisationId: other });

    await sweepAll();
    expect(gone).toEqual([]);
    expect(await store.retention.time()).toBeUndefined();
    await rule(one, { archivedDays: 30, idleDays: 1 });
    await sweepAll();

    expect(gone.map(({ id }) => id).toSorted()).toEqual(old.toSorted());
    expect(new Set(gone.map(({ organisationId, status }) => `${organisationId} ${status}`))).toEqual(
      new Set([`${one} archived`]),
    );
  });

  it('lets an agent’s rule keep and take what the organisation’s does not (proves RETENTION-2)', async () => {
    const { rule, archived, sweepAll, ids } = begin();
    const of = { organisationId: organisation() };
    const [keeps, takes] = [agent(), agent()];
    await archived(700, 300, { ...of, agentId: keeps }); // more than one look passes over
    const due = [
      ...(await archived(2, 100, of)),
      ...(await archived(2, 3, { ...of, agentId: takes })),
      ...(await archived(1, 400, { ...of, agentId: keeps })),
    ];
    await archived(2, 3, of);
    await rule(of.organisationId, { archivedDays: 30 });
    await rule(of.organisationId, { archivedDays: 365 }, keeps);
    await rule(of.organisationId, { archivedDays: 2 }, takes);

    await sweepAll();

    expect(ids().toSorted()).toEqual(due.toSorted());
  });

  it('goes round the organisations: nobody’s many sessions keep another’s waiting (proves RETENTION-5)', async () => {
    const { rule, archived, sweep, clock, gone, sweepAll } = begin();
    const [many, few] = [organisation(), organisation()].toSorted() as [OrganisationId, OrganisationId]; // two
    await archived(100, 9, { organisationId: many });
    const ids = await archived(2, 9, { organisationId: few });
    for (const whose of [many, few]) await rule(whose, { archivedDays: 5 });

    expect(await sweep.round(NEVER)).toBe(false);

    const of = (whose: OrganisationId) => gone.filter(({ organisationId }) => organisationId === whose);
    expect(
      of(few)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(ids.toSorted());
    expect(of(many).length).toBeLessThan(100);
    expect(clock.sleeps.length, 'with a pause').toBeGreaterThan(0);
    await sweepAll();
    expect(of(many)).toHaveLength(100);
  });

  it('hands on what it has seen, so that one that was woken meanwhile is kept (proves RETENTION-4)', async () => {
    const { rule, store, ports, clock } = begin();
    const organisationId = organisation();
    const actor = { kind: 'human' } as const;
    const { session } = await store.sessions.create(originOf({ createdAt: 1, organisationId }), nothing);
    await rule(organisationId, { idleDays: 5 });
    clock.set(clock.now() + 10 * DAY);
    const asked: string[] = [];
    const deletions: RetentionSweepPorts['deletions'] = {
      async begin(tombstone, seen) {
        const { id } = tombstone;
        const send = { kind: 'send', text: 'wait', mode: 'steer', actor } as const;
        await store.journal.append(id, { decide: (record) => decide(record, send) }); // comes first
        asked.push(id);
        return store.deletions.begin(tombstone, seen);
      },
    };

    await new RetentionSweep({ ...ports, deletions }).round(NEVER);

    expect(asked).toEqual([session.id]);
    expect((await store.sessions.get(session.id))?.session.status).toBe('queued');
    expect(await store.retention.resting(organisationId, 'idle', { limit: 9, until: clock.now() })).toEqual(
      [],
    );
  });

  it('is not stopped by what cannot be deleted, and comes back to it', async () => {
    const { rule, archived, failing, sweepAll, ids } = begin();
    const of = { organisationId: organisation() };
    const [stuck = newId('session')] = await archived(1, 20, of);
    const rest = await archived(30, 9, of);
    failing.add(stuck);
    await rule(of.organisationId, { archivedDays: 5 });

    await sweepAll();
    expect(ids().toSorted()).toEqual(rest.toSorted());
    failing.clear();
    await sweepAll();

    expect(ids()).toContain(stuck);
  });

  it('deletes a day’s worth in an hour when the clock is set a year ahead (proves RETENTION-3)', async () => {
    const { rule, archived, sweep, clock, store, ids, ports } = begin();
    const of = { organisationId: organisation() };
    await rule(of.organisationId, { archivedDays: 100 });
    const soon = await archived(1, 99.5, of);
    await archived(50, 1, of);
    await sweep.round(NEVER);
    // the wall clock alone: what passes is measured by another one
    const start = clock.now();
    let passed = 0;
    const jumped = {
      now: () => start + 365 * DAY + passed,
      monotonicNow: () => passed,
      sleep: async (ms: number) => void (passed += ms),
    };
    const time = new RetentionClock({ store: store.retention, clock: jumped, logger: silentLogger });
    const seen: SessionId[] = [];
    const deletions: RetentionSweepPorts['deletions'] = {
      async begin(tombstone) {
        seen.push(tombstone.id);
        return { tombstone, replayed: false };
      },
    };
    const own = new RetentionSweep({ ...ports, time, deletions, clock: jumped });

    while (jumped.monotonicNow() < 3_600_000) {
      await own.round(NEVER);
      await jumped.sleep(60_000);
    }

    expect(new Set(seen)).toEqual(new Set(soon));
    expect(ids()).toEqual([]);
  });

  it('ends when it is told to, in the midst of a round', async () => {
    const { rule, archived, sweep, clock } = begin();
    const of = { organisationId: organisation() };
    await archived(100, 9, of);
    await rule(of.organisationId, { archivedDays: 5 });
    const told = new AbortController();
    clock.sleep = async () => told.abort();

    await sweep.run(told.signal);

    expect(told.signal.aborted).toBe(true);
  });
});
