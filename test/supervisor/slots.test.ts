/** Which sessions get the slots of a server, which slots give way, and what a slot writes for its brain. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import {
  type Brain,
  type Ended,
  type Hands,
  LaunchFailed,
  type Launcher,
} from '../../src/supervisor/launcher.ts';
import { BEGIN_MS_MAX, LOSSES_MAX } from '../../src/supervisor/limit.ts';
import { Owners } from '../../src/supervisor/owners.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import { eventually } from '../support/eventually.ts';
import { queuedSession } from '../support/session-log.ts';
import { ShiftedClock } from '../support/shifted-clock.ts';
import { OURS } from '../support/organisation.ts';

/** Processes that do nothing until they are told to end. */
class Stage implements Launcher {
  readonly brains: { assigned: string[]; alive: boolean; end: (how: Ended) => void }[] = [];
  hands = 0;
  /** Processes that commands have left behind, and how often it was asked for them. */
  background = 0;
  asked = 0;
  readonly forgotten: SessionId[] = [];
  /** What happens while a brain is being ended. */
  onStop: () => Promise<unknown> = async () => undefined;

  /** Why no brain is to be had, if so. */
  noBrain: LaunchFailed | undefined;
  /** How often one was wanted. */
  wanted = 0;

  async launchBrain(): Promise<Brain> {
    this.wanted += 1;
    if (this.noBrain !== undefined) throw this.noBrain;
    const { promise: ended, resolve: end } = Promise.withResolvers<Ended>();
    const brain = { assigned: [] as string[], alive: true, end };
    void ended.then(() => (brain.alive = false));
    this.brains.push(brain);
    return {
      pid: 1_000 + this.brains.length,
      ended,
      assign: (token) => void brain.assigned.push(token),
      stop: async () => {
        await this.onStop();
        end({ code: 0, signal: null, stderr: '' });
      },
    };
  }

  async launchHands(): Promise<Hands> {
    const { promise: ended, resolve: end } = Promise.withResolvers<Ended>();
    this.hands += 1;
    return {
      pid: 2_000,
      ended,
      filesAsOf: { kind: 'now' },
      call: async () => ({ outcome: 'ok', output: '', durationMs: 1 }),
      cancel: () => undefined,
      kill: () => undefined,
      background: async () => {
        this.asked += 1;
        return this.background;
      },
      stop: async () => end({ code: 0, signal: null, stderr: '' }),
    };
  }

  async checkpoint(): Promise<boolean> {
    return true;
  }

  async told(): Promise<void> {}

  async rest(): Promise<void> {}

  async forget(sessionId: SessionId): Promise<boolean> {
    this.forgotten.push(sessionId);
    return true;
  }

  async sessions(): Promise<readonly SessionId[]> {
    return [];
  }

  get aliveBrains(): number {
    return this.brains.filter(({ alive }) => alive).length;
  }
}

let store: SqliteStore;
let clock: ShiftedClock;
let stage: Stage;
let stop: AbortController;
let running: Promise<void>[];
let logs: string;
let workbench: Workbench;

beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
  clock = new ShiftedClock();
  stage = new Stage();
  stop = new AbortController();
  running = [];
  logs = '';
});

afterEach(async () => {
  stop.abort();
  await Promise.all(running);
  store.close();
});

/** A server; a second one may be on the same store. */
function supervise(slotsMax = 4, { idleMs = 60_000, owner = 'me' } = {}): void {
  const logger = jsonLogger('debug', (line) => {
    logs += line;
  });
  const { journal, sessions: records } = store;
  const sessions = new SessionRuns({ journal, sessions: records });
  workbench = new Workbench({
    launcher: stage,
    log: new WorkspaceLog({ sessions, journal, owner }),
    clock,
    logger,
  });
  const supervisor = new Supervisor({
    sessions,
    journal,
    store: records,
    deletions: store.deletions,
    owners: new Owners(store.owners, clock),
    access: new Access({ ...store, clock, signingKey: randomBytes(32), firstOrganisation: OURS.id }),
    spares: new Spares({ launcher: stage, clock, logger }, 0),
    workbench,
    launcher: stage,
    clock,
    logger,
    owner,
    idleMs,
    backgroundMs: 60_000,
    slotsMax,
    draftOf: () => undefined,
  });
  running.push(supervisor.run(stop.signal));
}

const queued = (): Promise<SessionId> => queuedSession(store);
const status = async (id: SessionId) => (await store.sessions.get(id))?.session;

describe('slots', () => {
  /** A session whose turn is over and whose hands have a process in the background. */
  async function inBackground(): Promise<SessionId> {
    const id = await queued();
    await eventually('the brain', () => stage.brains.at(-1)?.assigned.length === 1);
    void workbench.call(id, { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 });
    await eventually('the hands', () => stage.hands === 1);
    stage.background = 2;
    await store.journal.append(id, {
      decide: (session) => decide(session, { kind: 'cancel', actor: { kind: 'human' } }),
    });
    return id;
  }
  const hibernated = async (id: SessionId): Promise<unknown> => {
    const events = await store.journal.read(id, { after: 0, limit: 100 });
    const event = events.find(({ type }) => type === 'session.hibernated');
    return event === undefined ? undefined : JSON.parse(event.body);
  };

  const begun = async (id: SessionId): Promise<void> => {
    await store.journal.append(id, { decide: (session) => decide(session, { kind: 'beginTurn' }) });
  };
  const stopTurn = (id: SessionId) =>
    store.journal.append(id, {
      decide: (session) => decide(session, { kind: 'cancel', actor: { kind: 'human' } }),
    });

  const isServed = async (id: SessionId) => (await status(id))?.lease !== undefined;
  const lives = (owner: string) => store.owners.beat(owner);
  const leaseBy = (id: SessionId, owner: string) =>
    store.journal.append(id, { decide: (session) => decide(session, { kind: 'takeLease', owner }) });
  const typesOf = async (id: SessionId) =>
    (await store.journal.read(id, { after: 0, limit: 100 })).map(({ type }) => type);
  /** So that what happens next has a later time. */
  const later = async (id: SessionId): Promise<void> => {
    const { statusAt = 0 } = (await status(id)) ?? {};
    await eventually('time has passed', () => clock.now() > statusAt);
  };

  it('end brain and hands of a session that is deleted, and what it has left is removed after that', async () => {
    const forgottenAlive: boolean[] = [];
    const forget = stage.forget.bind(stage);
    stage.forget = async (sessionId) => {
      forgottenAlive.push(stage.aliveBrains > 0);
      return forget(sessionId);
    };
    supervise();
    const id = await inBackground();

    const deletedBy = { kind: 'human' } as const;
    await store.deletions.begin({ id, organisationId: OURS.id, deletedAt: 1, deletedBy });
    await eventually(
      'nothing is left',
      async () => (await store.deletions.pending({ limit: 9 })).length === 0,
    );

    expect(stage.aliveBrains).toBe(0);
    expect(stage.forgotten).toContain(id);
    expect(forgottenAlive).not.toContain(true);
    expect(logs).not.toContain('slot failed');
  });

  it('wait for a brain while the machine has no room for one, and lose none by that (proves SLOT-5)', async () => {
    stage.noBrain = new LaunchFailed('no room', { isShortage: true });
    supervise();
    const id = await queued();
    await eventually('it was tried some times', () => stage.wanted > LOSSES_MAX);
    const { wanted } = stage;
    clock.pass(BEGIN_MS_MAX); // a brain that was there would hang
    await eventually('it was tried again', () => stage.wanted > wanted + 1);
    stage.noBrain = undefined;
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);

    expect(await typesOf(id)).not.toContain('brain.lost');
    expect(logs).toContain('brain did not start');
  });

  it('wait for no brain when nobody wants one any more, and end the turn when none ever comes up', async () => {
    stage.noBrain = new LaunchFailed('no room', { isShortage: true });
    supervise(4, { idleMs: 1 });
    const [stopped, broken] = [await queued(), await queued()];
    await eventually('it was tried', () => stage.wanted > 2);
    await stopTurn(stopped);
    await eventually('it hibernates', async () => (await typesOf(stopped)).includes('session.hibernated'));
    stage.noBrain = new LaunchFailed('broken');

    await eventually('the turn is over', async () => (await typesOf(broken)).includes('turn.completed'));
  });

  it('end the turn of a brain only once that is dead (SLOT-2)', async () => {
    const alive: number[] = [];
    const unsubscribe = store.journal.onHint(({ events = [] }) => {
      if (events.some(({ type }) => type === 'turn.completed')) alive.push(stage.aliveBrains);
    });
    supervise();
    const id = await queuedSession(store, { limits: { turnSeconds: 1 } });
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    await begun(id);

    await eventually('the turn is over', () => alive.length > 0);
    expect(alive).toEqual([0]);
    unsubscribe();
  });

  it('write nothing of their brain once they were replaced (SLOT-3)', async () => {
    supervise();
    const id = await queued();
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    await lives('other');
    stage.onStop = () => leaseBy(id, 'other');
    stage.brains[0]?.end({ code: 1, signal: null, stderr: '' });

    await eventually('the slot has ended', () => logs.includes('slot ended'));
    expect(await typesOf(id)).toEqual(['user.message', 'brain.started', 'brain.started']);
    expect((await status(id))?.lease?.owner).toBe('other');
  });

  it('are one for each session, however often it is looked for (SUPERVISOR-1)', async () => {
    supervise();
    const [id, closed] = [await queued(), await queued()];
    await eventually('both are served', async () => (await isServed(id)) && isServed(closed));
    await store.journal.append(closed, {
      decide: (session) => decide(session, { kind: 'archive', actor: { kind: 'human' } }),
    });
    await eventually('every session was looked for', () => stage.forgotten.includes(closed));
    const next = await queued();

    await eventually('the next is served', () => isServed(next));
    expect((await status(id))?.epoch).toBe(1);
    expect(await typesOf(id)).toEqual(['user.message', 'brain.started']);
  });

  it('of two servers that see a session free at once take one lease (SUPERVISOR-1)', async () => {
    for (const owner of ['me', 'you']) {
      await lives(owner);
      supervise(4, { owner });
    }
    const ids = [await queued(), await queued(), await queued()];

    for (const id of ids) await eventually('it is served', () => isServed(id));
    await eventually('brains', () => stage.brains.filter(({ assigned }) => assigned.length > 0).length === 3);
    for (const id of ids) expect(await typesOf(id)).toEqual(['user.message', 'brain.started']);
  });

  it('are not opened for a session of another server that lives (SUPERVISOR-2)', async () => {
    const id = await queued();
    await leaseBy(id, 'other');
    await lives('other');
    supervise();
    const next = await queued();
    await eventually('the next is served', () => isServed(next));
    expect((await status(id))?.lease?.owner).toBe('other');
    await store.owners.retire('other');

    await eventually('it is taken over', async () => (await status(id))?.lease?.owner === 'me');
  });

  it('give way in the order in which they became idle (SUPERVISOR-3)', async () => {
    supervise(2);
    const [last, first] = [await queued(), await queued()];
    await eventually('both are served', async () => (await isServed(last)) && isServed(first));
    await stopTurn(first);
    await later(first);
    await stopTurn(last);
    const next = await queued();

    await eventually('the next is served', () => isServed(next));
    expect(await hibernated(first)).toBeDefined();
    expect(await hibernated(last)).toBeUndefined();
  });

  it('give way last when commands run in the background (SUPERVISOR-3)', async () => {
    supervise(2, { idleMs: 1_000 });
    const busy = await inBackground();
    await eventually('it was asked for', () => stage.asked >= 1);
    const idle = await queued();
    await eventually('it is served', () => isServed(idle));
    await stopTurn(idle);
    const next = await queued();

    await eventually('the next is served', () => isServed(next));
    expect(await hibernated(idle)).toBeDefined();
    expect(await hibernated(busy)).toBeUndefined();
  });

  it('go to the session that has waited longest (SUPERVISOR-3)', async () => {
    supervise(1);
    const first = await queued();
    await eventually('the first is served', () => isServed(first));
    const older = await queued();
    await later(older);
    const newer = await queued();
    await stopTurn(first);

    await eventually('one of them is served', async () => (await isServed(older)) || isServed(newer));
    expect([await isServed(older), await isServed(newer)]).toEqual([true, false]);
    expect((await status(newer))?.status).toBe('queued');
  });
});
