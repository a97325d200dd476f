/** What a slot writes once its brain has ended, over a real store: each end is one append, or nothing. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EpochStale } from '../../src/journal/faults.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import type { ToolEnd } from '../../src/sessions/turn-events.ts';
import { LOSSES_MAX } from '../../src/supervisor/limit.ts';
import { Settlement } from '../../src/supervisor/settlement.ts';
import type { Workbench } from '../../src/supervisor/workbench.ts';
import { queuedSession } from '../support/session-log.ts';

const EPOCH = 1;
const CANCELED: ToolEnd = { callId: 't1m1.0', outcome: 'canceled', output: 'half', durationMs: 5 };

let store: SqliteStore;
let id: SessionId;
let settlement: Settlement;
/** What the workbench was asked for, and the head of the log at that time. */
let asked: string[];
let ended: readonly ToolEnd[];
let processes: number;
let appends: number;

beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  id = await queuedSession(store);
  [asked, ended, processes, appends] = [[], [], 0, 0];
  const journal = new Proxy(store.journal, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (name === 'append') appends += 1;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const sessions = new SessionRuns({ journal, sessions: store.sessions });
  const workbench: Pick<Workbench, 'cancelAll' | 'checkpoint' | 'background'> = {
    cancelAll: async () => {
      asked.push('cancel');
      return ended;
    },
    checkpoint: async (_, { turn }, outcome) => void asked.push(`keep ${turn} ${outcome}`),
    background: async () => processes,
  };
  const draftOf = (): string => 'What I was say';
  settlement = new Settlement(id, { sessions, workbench, logger, draftOf, retryInMs: () => 1 });
  await act({ kind: 'takeLease', owner: 'me' });
});
afterEach(() => store.close());

const act = (command: Command) => store.journal.append(id, { decide: (session) => decide(session, command) });
const session = async () => (await store.sessions.get(id))?.session;
const types = async (after: number) =>
  (await store.journal.read(id, { after, limit: 100 })).map(({ type }) => type);

/** A turn with a command that runs, or with a model call that is being answered. */
async function begin(what: 'tool' | 'answer'): Promise<number> {
  await act({ kind: 'beginTurn' });
  const turn = (await session())?.turn;
  const of = { actor: { kind: 'system' }, turnId: turn?.id } as const;
  const started = { ...of, type: 'model.started', body: { callId: 't1m1', inputToSeq: 1 } } as const;
  await act({ kind: 'record', events: [started] });
  const call = { callId: 't1m1.0', modelCallId: 't1m1', toolUseId: 'u', tool: 'bash', input: {} };
  if (what === 'tool')
    await act({
      kind: 'record',
      events: [
        { ...of, type: 'tool.call', body: call },
        { ...of, type: 'model.completed', body: { callId: 't1m1', stopReason: 'tool_use' } },
      ],
    });
  return store.journal.head(id);
}

describe('a turn whose brain was ended for it', () => {
  it('ends in one append, with how its commands ended, after these and its files: proves SETTLE-2', async () => {
    ended = [CANCELED];
    const before = await begin('tool');
    appends = 0;
    await settlement.settle({ kind: 'deadline', turn: 1 }, EPOCH);

    expect(await types(before)).toEqual(['tool.result', 'turn.completed', 'session.hibernated']);
    expect(appends).toBe(1);
    expect(asked).toEqual(['cancel', 'keep 1 deadline_exceeded']);
    const [result] = await store.journal.read(id, { after: before, limit: 1 });
    expect(JSON.parse(result?.body ?? '')).toMatchObject({ ...CANCELED, tool: 'bash' });
  });

  it('ends with the last words of the model', async () => {
    const before = await begin('answer');
    await settlement.settle({ kind: 'stopOverdue', turn: 1, outcome: 'canceled' }, EPOCH);

    expect(await types(before)).toEqual(['agent.message', 'turn.completed', 'session.hibernated']);
  });

  it('leaves no lease behind when the turn ended by itself meanwhile: proves SETTLE-1', async () => {
    await begin('answer');
    await act({ kind: 'completeTurn', outcome: 'canceled' });
    processes = 3;

    expect(await settlement.settle({ kind: 'deadline', turn: 1 }, EPOCH)).toBe('again');
    expect(await session()).toMatchObject({ status: 'idle', hibernated: true });
    expect((await session())?.lease).toBeUndefined();
    expect((await session())?.turn?.outcome).toBe('canceled');
  });
});

describe('a brain that died', () => {
  it('is told with its last words, and its commands go on', async () => {
    const before = await begin('answer');
    expect(await settlement.settle({ kind: 'lost', how: 'signal SIGKILL' }, EPOCH)).toBe('again');

    expect(await types(before)).toEqual(['agent.message', 'brain.lost']);
    expect(asked).toEqual([]);
    expect((await session())?.losses).toBe(1);
  });

  it('and died again and again ends the turn in the append that tells of the last: proves SETTLE-1', async () => {
    await begin('tool');
    ended = [CANCELED];
    for (let loss = 1; loss < LOSSES_MAX; loss += 1) {
      await settlement.settle({ kind: 'lost', how: 'signal SIGKILL' }, loss);
      await act({ kind: 'takeLease', owner: 'me' });
    }
    const before = await store.journal.head(id);
    appends = 0;
    await settlement.settle({ kind: 'lost', how: 'signal SIGKILL' }, LOSSES_MAX);

    expect(appends).toBe(1);
    expect(asked).toEqual(['cancel', 'keep 1 error']);
    const ends = ['tool.result', 'error.runtime', 'turn.completed', 'session.hibernated'];
    expect(await types(before)).toEqual(['brain.lost', ...ends]);
    expect(await session()).toMatchObject({ status: 'failed', failure: { code: 'BRAIN_LOST' } });
  });

  it('with nothing to do is no loss', async () => {
    await begin('answer');
    await act({ kind: 'completeTurn', outcome: 'canceled' });
    await settlement.settle({ kind: 'lost', how: 'exit code 1' }, EPOCH);

    expect(await session()).toMatchObject({ losses: 0, hibernated: true });
    expect(asked).toEqual([]);
  });
});

describe('a slot that was replaced', () => {
  it.each([
    { kind: 'lost', how: 'signal SIGKILL' },
    { kind: 'deadline', turn: 1 },
    { kind: 'stopOverdue', turn: 1, outcome: 'canceled' },
    { kind: 'shutdown' },
  ] as const)('writes nothing, whatever its brain came to: $kind: proves SLOT-3', async (outcome) => {
    await begin('answer');
    await act({ kind: 'takeLease', owner: 'another' });
    const before = await store.journal.head(id);

    await expect(settlement.settle(outcome, EPOCH)).rejects.toBeInstanceOf(EpochStale);
    expect(await types(before)).toEqual([]);
  });
});

describe('a server that ends', () => {
  it('keeps what was being said, and the turn goes on elsewhere', async () => {
    const before = await begin('answer');

    expect(await settlement.settle({ kind: 'shutdown' }, EPOCH)).toBe('done');
    expect(await types(before)).toEqual(['agent.message']);
    expect((await session())?.status).toBe('running');
  });

  it('tells the model of what ran in the background, also when the turn ended on the way', async () => {
    await begin('answer');
    await act({ kind: 'completeTurn', outcome: 'canceled' });
    const before = await store.journal.head(id);
    await settlement.settle({ kind: 'shutdown' }, EPOCH);
    expect(await types(before)).toEqual([]);
    processes = 1;
    await settlement.settle({ kind: 'shutdown' }, EPOCH);

    expect(await types(before)).toEqual(['session.hibernated']);
  });
});
