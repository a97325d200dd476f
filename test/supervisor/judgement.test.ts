import { describe, expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import { newSession, type Session, type Turn } from '../../src/sessions/session.ts';
import { judge, type Watched } from '../../src/supervisor/judgement.ts';
import { BEGIN_MS_MAX, STOP_GRACE_MS } from '../../src/supervisor/limit.ts';

/** On the monotonic clock of the slot. */
const AT = 1_000_000;
/** What clocks say is in the records, and nobody waits by it. */
const WALL = Date.UTC(2026, 0, 1);
const LEASE = { owner: 'me', epoch: 3, since: WALL };
const WATCHED: Watched = {
  epoch: 3,
  assignedAt: AT,
  statusSince: AT,
  turnSince: AT,
  stopSince: undefined,
  ended: undefined,
  shutdown: false,
  evicted: false,
  busyUntil: 0,
  idleMs: 30_000,
};

function session(change: Partial<Session>): Session {
  const origin = {
    id: newId('session'),
    organisationId: newId('organisation'),
    createdAt: WALL,
    agentId: newId('agent'),
    agentRevision: 1,
    model: 'rehearsal/echo',
  };
  return {
    ...newSession({ ...origin, limits: {}, requestHash: '' }),
    epoch: 3,
    lease: LEASE,
    statusAt: WALL,
    ...change,
  };
}

function running(change: Partial<Turn> = {}): Session {
  const turn = { number: 2, state: 'running', startedAt: WALL, ...change } as Turn; // the rest is not looked at
  return session({ status: 'running', turnCount: 2, turn });
}

describe('a slot', () => {
  it('waits for the deadline of a turn that runs, and ends it then', () => {
    const limited = { ...running(), limits: { turnSeconds: 10 } };

    expect(judge(limited, WATCHED, AT)).toEqual({ kind: 'wait', until: AT + 10_000 });
    expect(judge(limited, WATCHED, AT + 10_000)).toEqual({ kind: 'deadline', turn: 2 });
  });

  it('takes a brain for lost that does not take up what waits', () => {
    const queued = session({ status: 'queued' });
    const watched = { ...WATCHED, statusSince: AT + 500 };

    expect(judge(queued, watched, AT + 500)).toEqual({ kind: 'wait', until: AT + 500 + BEGIN_MS_MAX });
    expect(judge(queued, watched, AT + 500 + BEGIN_MS_MAX)).toMatchObject({ kind: 'lost' });
  });

  it('ends a turn for its brain when it has not stopped in time, with the outcome that was asked for', () => {
    const stopping = running({ stopping: 'interrupted' });
    const watched = { ...WATCHED, stopSince: AT };

    expect(judge(stopping, watched, AT + STOP_GRACE_MS)).toEqual({
      kind: 'stopOverdue',
      turn: 2,
      outcome: 'interrupted',
    });
  });

  it('hibernates after idleMs, or at once when it is evicted, and never while something waits', () => {
    const idle = session({ status: 'awaiting_input' });

    expect(judge(idle, WATCHED, AT + 29_999)).toEqual({ kind: 'wait', until: AT + 30_000 });
    expect(judge(idle, WATCHED, AT + 30_000)).toEqual({ kind: 'idle' });
    expect(judge(idle, { ...WATCHED, evicted: true }, AT)).toEqual({ kind: 'idle' });
    expect(judge(running(), { ...WATCHED, evicted: true }, AT)).toMatchObject({ kind: 'wait' });
  });

  it('is not idle while commands run in the background, unless it is evicted', () => {
    const busy = { ...WATCHED, busyUntil: AT + 40_000 };

    expect(judge(session({}), busy, AT + 39_999)).toEqual({ kind: 'wait', until: AT + 40_000 });
    expect(judge(session({}), busy, AT + 40_000)).toEqual({ kind: 'idle' });
    expect(judge(session({}), { ...busy, evicted: true }, AT)).toEqual({ kind: 'idle' });
  });

  it('gives way to another epoch, to an archived session, to a shutdown, and sees a brain that ended', () => {
    expect(judge(session({ epoch: 4 }), WATCHED, AT)).toEqual({ kind: 'replaced' });
    expect(judge(session({ lease: undefined }), WATCHED, AT)).toEqual({ kind: 'replaced' });
    expect(judge(session({ status: 'archived', lease: undefined }), WATCHED, AT)).toEqual({
      kind: 'replaced',
    });
    expect(judge(running(), { ...WATCHED, shutdown: true }, AT)).toEqual({ kind: 'shutdown' });
    expect(judge(running(), { ...WATCHED, ended: 'exit code 1' }, AT)).toEqual({
      kind: 'lost',
      how: 'exit code 1',
    });
  });
});
