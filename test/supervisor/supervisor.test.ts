/** The supervisor and its slots over a real store, with processes that are played: what happens when things fail around them. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Access } from '../../src/access/access.ts';
import { HandsLost } from '../../src/hands/faults.ts';
import { assert } from '../../src/kernel/assert.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import type { ToolOutcome } from '../../src/journal/event-catalog.ts';
import { decide } from '../../src/sessions/lifecycle.ts';
import type { SessionStore } from '../../src/sessions/session-store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import type { Brain, Ended, Hands, Launcher } from '../../src/supervisor/launcher.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { Owners } from '../../src/supervisor/owners.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { type FilesAsOf, type LogPlace, WorkspaceHeld } from '../../src/hands/workspace-archive.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import { eventually } from '../support/eventually.ts';
import { queuedSession } from '../support/session-log.ts';
import { OURS } from '../support/organisation.ts';

/** Processes that do nothing until they are told to end. */
class Stage implements Launcher {
  readonly brains: { assigned: string[]; alive: boolean; end: (how: Ended) => void }[] = [];
  readonly hands: { alive: boolean; lose: () => void }[] = [];
  readonly forgotten: SessionId[] = [];

  async launchBrain(): Promise<Brain> {
    const { ended, end } = ending();
    const brain = { assigned: [] as string[], alive: true, end };
    void ended.then(() => (brain.alive = false));
    this.brains.push(brain);
    const stop = async (): Promise<void> => {
      await this.beforeStop();
      end({ code: 0, signal: null, stderr: '' });
    };
    return {
      pid: 1_000 + this.brains.length,
      ended,
      assign: (token) => void brain.assigned.push(token),
      stop,
    };
  }

  /** What a brain still does that is told to end. */
  beforeStop: () => Promise<void> = async () => undefined;
  /** Asked for what runs in the background, which takes as long. */
  beforeBackground: () => Promise<void> = async () => undefined;

  /** The server that has the workspace does not give it back. */
  isHeld = false;
  waits = 0;

  async launchHands(_: SessionId, released?: AbortSignal): Promise<Hands> {
    if (this.isHeld) {
      this.waits += 1;
      await new Promise((resolve) => released?.addEventListener('abort', resolve));
      throw new WorkspaceHeld('other');
    }
    const { ended, end } = ending();
    const hands = { alive: true, lose: () => end({ code: null, signal: 'SIGKILL', stderr: '' }) };
    void ended.then(() => (hands.alive = false));
    this.hands.push(hands);
    const call = (): Promise<never> => ended.then(() => Promise.reject(new HandsLost('gone')));
    return {
      pid: 2_000,
      ended,
      filesAsOf: this.filesAsOf,
      call,
      cancel: () => undefined,
      kill: hands.lose,
      background: async () => {
        this.asked += 1;
        await this.beforeBackground();
        return this.background;
      },
      stop: async () => hands.lose(),
    };
  }

  /** Processes that commands have left behind. */
  background = 0;
  asked = 0;
  readonly rested: SessionId[] = [];

  async rest(sessionId: SessionId): Promise<void> {
    assert(!this.hands.some(({ alive }) => alive), 'a workspace rests once its hands have ended');
    this.rested.push(sessionId);
  }

  filesAsOf: FilesAsOf = { kind: 'now' };

  async told(): Promise<void> {}
  readonly checkpoints: LogPlace[] = [];

  async checkpoint(_: SessionId, place: LogPlace): Promise<boolean> {
    this.checkpoints.push(place);
    return true;
  }

  async forget(sessionId: SessionId): Promise<boolean> {
    this.forgotten.push(sessionId);
    return true;
  }

  readonly left: SessionId[] = [];

  async sessions(): Promise<readonly SessionId[]> {
    return this.left;
  }

  get aliveBrains(): number {
    return this.brains.filter(({ alive }) => alive).length;
  }
}

function ending(): { ended: Promise<Ended>; end: (how: Ended) => void } {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  return { ended: promise, end: resolve };
}

let store: SqliteStore;
let stage: Stage;
let stop: AbortController;
let running: Promise<unknown>;
let logs: string;
let workbench: Workbench;
/** Faults to be played on the store, and on the disk. */
let broken: { wanted: boolean; append: boolean; full: boolean };

beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
  stage = new Stage();
  stop = new AbortController();
  logs = '';
  broken = { wanted: false, append: false, full: false };
});

afterEach(async () => {
  stop.abort();
  await running;
  store.close();
  assert(stage.aliveBrains === 0, 'no brain outlives its supervisor');
  assert(!stage.hands.some(({ alive }) => alive), 'no hands outlive their supervisor');
});

function supervise(slotsMax = 4, { idleMs = 60_000, backgroundMs = 60_000 } = {}): void {
  const logger = jsonLogger('debug', (line) => {
    logs += line;
  });
  const journal = {
    ...bound(store.journal),
    append: (...args: Parameters<typeof store.journal.append>) =>
      broken.append ? Promise.reject(new Error('disk full')) : store.journal.append(...args),
  };
  const sessionStore: SessionStore = {
    ...bound(store.sessions),
    wanted: (limit) =>
      broken.wanted ? Promise.reject(new Error('no answer')) : store.sessions.wanted(limit),
    waiting: (...args) => store.sessions.waiting(...args),
  };
  const sessions = new SessionRuns({ journal, sessions: sessionStore });
  const access = new Access({
    ...store,
    clock,
    signingKey: randomBytes(32),
    firstOrganisation: OURS.id,
  });
  const spares = new Spares({ launcher: stage, clock, logger }, 0);
  const log = new WorkspaceLog({ sessions, journal, owner: 'me' });
  workbench = new Workbench({ launcher: stage, log, clock, logger });
  const ports = {
    sessions,
    journal,
    store: sessionStore,
    deletions: store.deletions,
    owners: new Owners(store.owners),
    access,
    spares,
    workbench,
    launcher: stage,
    clock,
    logger,
  };
  const supervisor = new Supervisor({
    ...ports,
    owner: 'me',
    idleMs,
    backgroundMs,
    slotsMax,
    hasRoom: () => Promise.resolve(!broken.full),
    draftOf: () => undefined,
  });
  running = supervisor.run(stop.signal);
}

/** The methods of an adapter as an object that can be spread. */
function bound<T extends object>(adapter: T): T {
  return new Proxy({} as T, {
    get: (_, name) => {
      const value: unknown = Reflect.get(adapter, name);
      return typeof value === 'function' ? value.bind(adapter) : value;
    },
    ownKeys: () => Object.getOwnPropertyNames(Object.getPrototypeOf(adapter)),
    getOwnPropertyDescriptor: (_, name) => ({
      configurable: true,
      enumerable: true,
      value: (Reflect.get(adapter, name) as CallableFunction).bind(adapter),
    }),
  });
}

const queued = (): Promise<SessionId> => queuedSession(store);
const status = async (id: SessionId) => (await store.sessions.get(id))?.session;

describe('a store that does not answer', () => {
  it('does not keep later sessions from their slots, while another slot lives', async () => {
    supervise();
    await queued();
    await eventually('the first brain', () => stage.brains.length === 1);
    broken.wanted = true;
    await eventually('the sweep fails', () => logs.includes('the store does not answer'));
    broken.wanted = false;
    await queued();

    await eventually(
      'the second brain',
      () => stage.brains.filter(({ assigned }) => assigned.length > 0).length === 2,
    );
  });

  it('starts no brain when leases cannot be taken, and does not try without pause (SLOT-1)', async () => {
    broken.append = true;
    supervise();
    const id = await queued();
    await eventually('the slot fails', () => logs.includes('slot failed'));
    expect(stage.brains).toHaveLength(0);
    broken.append = false;

    await eventually('the session is served', async () => (await status(id))?.lease !== undefined);
    expect(stage.brains.length).toBeLessThan(5);
  });
});

it('opens no slot while the machine has no room, and goes on with what has one (proves SUPERVISOR-4)', async () => {
  supervise();
  const first = await queued();
  await eventually('the first brain', () => stage.aliveBrains === 1);
  broken.full = true;
  const second = await queued();
  let looked = 0;
  const { wanted } = store.sessions;
  store.sessions.wanted = (limit) => {
    looked += 1;
    return wanted.call(store.sessions, limit);
  };
  await eventually('it was swept', () => looked > 0);
  expect((await status(second))?.status).toBe('queued');
  expect((await status(second))?.lease).toBeUndefined();
  expect((await status(first))?.lease).toBeDefined();

  broken.full = false;
  await eventually('the second brain', () => stage.aliveBrains === 2);
});

describe('files of a session', () => {
  const archived = async (): Promise<SessionId> => {
    const id = await queued();
    await store.journal.append(id, {
      decide: (session) => decide(session, { kind: 'archive', actor: { kind: 'human' } }),
    });
    return id;
  };

  it('are removed by the next start when the server was killed before it had removed them (REMOVAL-2)', async () => {
    const [closed, open] = [await archived(), await queued()];
    stage.left.push(closed, open);
    supervise();

    await eventually('they are removed', () => stage.forgotten.length > 0);
    expect(stage.forgotten).toEqual([closed]);
  });

  it('stay when its log is full (REMOVAL-1)', async () => {
    store.close();
    store = openSqlite({ path: ':memory:', caps: { eventsMax: 8 } });
    const say = { kind: 'send', text: 'more', mode: 'queue', actor: { kind: 'human' } } as const;
    const filled = async (): Promise<SessionId> => {
      const id = await queued();
      while ((await status(id))?.status !== 'archived')
        await store.journal.append(id, { decide: (session) => decide(session, say) }).catch(() => undefined);
      return id;
    };
    const before = await filled();
    stage.left.push(before);
    supervise();
    const [meanwhile, closed] = [await filled(), await archived()];

    await eventually('the other is removed', () => stage.forgotten.includes(closed));
    expect(stage.forgotten).not.toContain(before);
    expect(stage.forgotten).not.toContain(meanwhile);
  });
});

describe('slots', () => {
  it('give way to sessions that wait when they have nothing to do', async () => {
    supervise(1);
    const first = await queued();
    await eventually('the first is served', async () => (await status(first))?.lease !== undefined);
    const second = await queued();
    const cancel = (session: Parameters<typeof decide>[0]) =>
      decide(session, { kind: 'cancel', actor: { kind: 'human' } });
    await store.journal.append(first, { decide: cancel }); // now it has nothing to do

    await eventually('the second is served', async () => (await status(second))?.lease !== undefined);
    expect((await status(first))?.hibernated).toBe(true);
  });

  const begun = async (id: SessionId): Promise<void> => {
    await store.journal.append(id, { decide: (session) => decide(session, { kind: 'beginTurn' }) });
  };

  /** A session whose turn is over and whose hands have a process in the background. */
  async function inBackground(): Promise<SessionId> {
    const id = await queued();
    await eventually('the brain', () => stage.brains.at(-1)?.assigned.length === 1);
    void workbench.call(id, { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 });
    await eventually('the hands', () => stage.hands.length === 1);
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

  it('do not hibernate while commands run in the background, and do when those have ended', async () => {
    supervise(4, { idleMs: 0 });
    const id = await inBackground();
    await eventually('it was asked for', () => stage.asked >= 2);
    expect(await hibernated(id)).toBeUndefined();
    stage.background = 0;

    expect(await eventually('it hibernates', () => hibernated(id))).toEqual({ epoch: 1 });
  });

  it('hibernate all the same when commands run in the background for too long, and say how many', async () => {
    supervise(4, { idleMs: 0, backgroundMs: 50 });
    const id = await inBackground();

    expect(await eventually('it hibernates', () => hibernated(id))).toEqual({ epoch: 1, processes: 2 });
  });

  it('do not end a brain when a message comes while they go to sleep', async () => {
    supervise(4, { idleMs: 0 });
    const say = { kind: 'send', text: 'more', mode: 'steer', actor: { kind: 'human' } } as const;
    const id = await inBackground();
    stage.background = 0;
    let isSaid = false;
    stage.beforeBackground = async () => {
      if (isSaid || stage.asked % 2 === 1) return; // the second question of two: it was about to hibernate
      isSaid = true;
      await store.journal.append(id, { decide: (session) => decide(session, say) });
    };
    await eventually('a message came', () => isSaid);
    await eventually('it was looked at again', async () => (await status(id))?.status === 'queued');
    await begun(id);

    await eventually('the turn runs', async () => (await status(id))?.status === 'running');
    expect(stage.aliveBrains).toBe(1);
    expect(await status(id)).toMatchObject({ epoch: 1, lease: { owner: 'me' } });
  });

  it('hold no lease of a turn that ended by itself while its brain was ended for it', async () => {
    const id = await queuedSession(store, { limits: { turnSeconds: 1 } });
    supervise();
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    stage.beforeStop = async () => {
      await store.journal.append(id, {
        decide: (session) => decide(session, { kind: 'completeTurn', outcome: 'canceled' }),
      });
    };
    await begun(id);

    await eventually('it hibernates', async () => (await status(id))?.hibernated === true);
    expect(await status(id)).toMatchObject({
      status: 'idle',
      lease: undefined,
      turn: { outcome: 'canceled' },
    });
  });

  it('give way to sessions that wait, with what runs in the background', async () => {
    supervise(1);
    const first = await inBackground();
    await queued();

    expect(await eventually('it hibernates', () => hibernated(first))).toEqual({ epoch: 1, processes: 2 });
  });

  const ran = async (
    id: SessionId,
    tool: string,
    outcome: ToolOutcome,
    durationMs: number,
  ): Promise<void> => {
    const body = { callId: `c${Math.random()}`, tool, outcome, output: '', durationMs };
    await store.journal.append(id, {
      decide: (session) => {
        const event = {
          type: 'tool.result',
          actor: { kind: 'system' },
          turnId: session.turn?.id,
          body,
        } as const;
        return decide(session, { kind: 'record', events: [event] });
      },
    });
  };
  const stopTurn = (id: SessionId) =>
    store.journal.append(id, {
      decide: (session) => decide(session, { kind: 'cancel', actor: { kind: 'human' } }),
    });

  it('wait for the files of a turn until it is to stop', async () => {
    stage.isHeld = true;
    const id = await queued();
    await begun(id);
    await ran(id, 'bash', 'ok', 1);
    supervise();
    await eventually('the files are waited for', () => stage.waits === 1);
    expect(stage.brains.flatMap(({ assigned }) => assigned)).toEqual([]);
    await stopTurn(id);

    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
  });

  it('wait for no files of a turn that was told to stop', async () => {
    stage.isHeld = true;
    const id = await queued();
    await begun(id);
    await ran(id, 'bash', 'ok', 1);
    await stopTurn(id);
    supervise();

    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    expect(stage.waits).toBe(0);
  });

  it('wait for the files of a turn until its deadline', async () => {
    stage.isHeld = true;
    const id = await queuedSession(store, { limits: { turnSeconds: 1 } });
    await begun(id);
    await ran(id, 'bash', 'ok', 1);
    supervise();

    const outcome = async () => (await status(id))?.turn?.outcome;
    await eventually('the turn is over', async () => (await outcome()) === 'deadline_exceeded');
  });

  it('start no hands again after they were released (SLOT-4, WORKBENCH-1, WORKBENCH-2)', async () => {
    supervise();
    const id = await queued();
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    const call = workbench.call(id, { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 });
    await eventually('the hands', () => stage.hands.length === 1);
    const archive = (session: Parameters<typeof decide>[0]) =>
      decide(session, { kind: 'archive', actor: { kind: 'human' } });
    await store.journal.append(id, { decide: archive });

    await expect(call).resolves.toMatchObject({ outcome: 'unknown' });
    await eventually('the workspace is removed', () => stage.forgotten.includes(id));
    expect(stage.hands).toHaveLength(1);
    expect(stage.rested).toEqual([id]);
  });

  it('count a brain that ends while nothing waits as no loss', async () => {
    supervise();
    const id = await queued();
    await eventually('the brain', () => stage.brains[0]?.assigned.length === 1);
    const cancel = (session: Parameters<typeof decide>[0]) =>
      decide(session, { kind: 'cancel', actor: { kind: 'human' } });
    await store.journal.append(id, { decide: cancel });
    stage.brains[0]?.end({ code: 1, signal: null, stderr: '' });

    await eventually('it hibernates', async () => (await status(id))?.hibernated === true);
    expect((await status(id))?.losses).toBe(0);
    expect(stage.rested).toEqual([]); // it had no hands
  });
});
