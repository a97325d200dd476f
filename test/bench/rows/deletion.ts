/**
 * What the deletion of ten thousand sessions costs one that runs: its appends, one after the other with a little rest between them, in the
 * process that marks and erases the others. The reference are the same appends with nothing beside them.
 */
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { newId, type OrganisationId, type SessionId } from '../../../src/kernel/id.ts';
import { silentLogger } from '../../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../../src/platform/sqlite/store.ts';
import { Erasure } from '../../../src/supervisor/erasure.ts';
import { withFolders } from '../folders.ts';
import type { Figure, Row, RunOptions } from '../row.ts';
import { quantile } from '../statistics.ts';
import { measuredByTurns } from '../turns.ts';

/** In all runs together. */
const SESSIONS = 10_000;
/** Of each session that is deleted: some turns, as most have. */
const EVENTS = 20;
const BODY = 'x'.repeat(300);
/** Between two appends of the session that runs. */
const REST_MS = 2;
const SYSTEM = { kind: 'system' } as const;

export const deletion: Row = {
  name: 'deletion',
  measures:
    'One append after the other to a session that runs, on SQLite, while 10,000 sessions (over all runs) are deleted: marked, and erased ' +
    'with their files. Reference: the same appends with nothing beside them.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const place = await folder();
  const store = openSqlite({ path: join(place, 'holdfast.db') });
  const workspaces = new WorkspaceStore(join(place, 'workspaces'));
  const organisationId = store.organisations.first;
  const perRun = Math.ceil((quick ? SESSIONS / 10 : SESSIONS) / runs);
  try {
    const running = await born(store, organisationId, 1);
    const [id] = running as [SessionId];
    let tookMs = 0;
    const beside = async (): Promise<Spread> => {
      const ids = await born(store, organisationId, perRun);
      for (const one of ids) await workspaces.open(one);
      await appending(store, id, async () => pause(200)); // what was written before has gone its way
      const startedAt = performance.now();
      const spread = await appending(store, id, () => deleteAll(store, workspaces, organisationId, ids));
      tookMs = performance.now() - startedAt;
      return spread;
    };
    const alone = (): Promise<Spread> => appending(store, id, () => pause(tookMs));
    say(`${perRun} sessions of ${EVENTS} events are deleted in a run`);
    const measured = await measuredByTurns(runs, beside, alone);
    const of = (share: keyof Spread) => ({
      ours: measured.ours.map((one) => one[share]),
      reference: measured.reference.map((one) => one[share]),
    });
    say(`the last run took ${Math.round(tookMs)} ms`);
    return [
      {
        label: 'append while 10,000 sessions are deleted, p50',
        unit: 'ms',
        ...of('p50'),
        goal: { kind: 'ratio', atMost: 2 },
      },
      { label: 'the same, p99', unit: 'ms', ...of('p99'), goal: { kind: 'ratio', atMost: 2 } },
    ];
  } finally {
    store.close();
  }
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
}

async function born(
  { sessions }: SqliteStore,
  organisationId: OrganisationId,
  count: number,
): Promise<readonly SessionId[]> {
  const event = {
    type: 'agent.message',
    actor: { kind: 'agent' },
    body: { callId: 'c', text: BODY },
  } as const;
  const events = Array.from({ length: EVENTS }, () => event);
  return Promise.all(
    Array.from({ length: count }, async () => {
      const origin = {
        id: newId('session'),
        organisationId,
        createdAt: systemClock.now(),
        agentId: newId('agent'),
        agentRevision: 1,
        model: 'rehearsal/echo',
        limits: {},
        requestHash: '',
      };
      return (await sessions.create(origin, () => ({ kind: 'append', events }))).session.id;
    }),
  );
}

/** Appends to the session as long as the work takes. */
async function appending(store: SqliteStore, id: SessionId, work: () => Promise<unknown>): Promise<Spread> {
  const over = new AbortController();
  const working = work().finally(() => over.abort());
  const waits: number[] = [];
  while (!over.signal.aborted) {
    const from = performance.now();
    await store.journal.append(id, {
      decide: () => ({
        kind: 'append',
        events: [{ type: 'agent.message', actor: { kind: 'agent' }, body: { callId: 'c', text: BODY } }],
      }),
    });
    waits.push(performance.now() - from);
    await pause(REST_MS);
  }
  await working;
  waits.sort((a, b) => a - b);
  return { p50: quantile(waits, 0.5), p99: quantile(waits, 0.99) };
}

/** As a sweep over old sessions marks them, one after the other, and as the supervisor erases them. */
async function deleteAll(
  { deletions }: SqliteStore,
  workspaces: WorkspaceStore,
  organisationId: OrganisationId,
  ids: readonly SessionId[],
): Promise<void> {
  const stop = new AbortController();
  const launcher = {
    forget: async (id: SessionId) => {
      await workspaces.remove(id);
      return true;
    },
  };
  const erasure = new Erasure({ deletions, launcher, clock: systemClock, logger: silentLogger });
  const erasing = erasure.run(stop.signal, () => false);
  for (const id of ids) {
    await deletions.begin({ id, organisationId, deletedAt: systemClock.now(), deletedBy: SYSTEM });
    erasure.told(id);
  }
  while ((await deletions.pending({ limit: 1 })).length > 0) await pause(20);
  stop.abort();
  await erasing;
}
