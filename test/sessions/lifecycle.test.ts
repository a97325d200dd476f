import { describe, expect, it } from 'vitest';
import { turnIdOf } from '../../src/kernel/id.ts';
import { fold } from '../../src/sessions/fold.ts';
import { type Command, PHASES, VERDICT } from '../../src/sessions/lifecycle.ts';
import { HUMAN, Life, REACH, seen } from '../support/session-life.ts';

const COMMANDS: Readonly<Record<Command['kind'], Command>> = {
  send: { kind: 'send', text: 'hi', mode: 'steer', actor: HUMAN },
  cancel: { kind: 'cancel', actor: HUMAN },
  archive: { kind: 'archive', actor: HUMAN },
  beginTurn: { kind: 'beginTurn' },
  record: { kind: 'record', events: [] },
  completeTurn: { kind: 'completeTurn', outcome: 'canceled' },
  meter: {
    kind: 'meter',
    usage: {
      callId: 'c',
      model: 'm',
      inputTokens: 1,
      outputTokens: 1,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      complete: true,
    },
  },
  changeLimits: { kind: 'changeLimits', given: { turns: 5 }, actor: HUMAN },
  takeLease: { kind: 'takeLease', owner: 'me' },
  endTurn: { kind: 'endTurn', number: 1, outcome: 'canceled' },
  loseBrain: { kind: 'loseBrain', reason: 'test', attemptMax: 5, retryInMs: 1 },
  hibernate: { kind: 'hibernate' },
  resolveTool: { kind: 'resolveTool', callId: 't', answer: { kind: 'approve' }, actor: HUMAN },
  expireTools: { kind: 'expireTools', now: 1 },
  claimRequest: { kind: 'claimRequest', requestId: 't', seconds: 60, now: 1, actor: HUMAN },
  releaseRequest: { kind: 'releaseRequest', requestId: 't', now: 1, actor: HUMAN },
  releaseLease: { kind: 'releaseLease', owner: 'me' },
};

describe('an answer', () => {
  it.each(PHASES)(
    'proves TOKEN-5: is taken while the session awaits input, and at no other time: %s',
    (status) => {
      const life = new Life();
      REACH[status](life);
      const answer = life.do({ kind: 'send', text: 'yes', mode: 'steer', actor: HUMAN, isAnswer: true });

      const refusal = status === 'archived' ? 'SESSION_ARCHIVED' : 'FORBIDDEN';
      expect(answer).toEqual(status === 'awaiting_input' ? ['user.message'] : refusal);
      if (status !== 'awaiting_input') return;
      const again = life.do({ kind: 'send', text: 'yes', mode: 'steer', actor: HUMAN, isAnswer: true });
      expect(again).toBe('FORBIDDEN');
    },
  );
});

describe('the lifecycle table', () => {
  it.each(PHASES)('status %s is reached by its own commands', (status) => {
    const life = new Life();
    REACH[status](life);

    expect(life.session.status).toBe(status === 'parked' ? 'awaiting_input' : status);
    expect(life.session.turn?.state === 'running').toBe(status === 'running' || status === 'parked');
  });

  it('answers every command in every status as its table says', () => {
    const matrix: Record<string, Record<string, unknown>> = {};
    for (const kind of Object.keys(COMMANDS) as Command['kind'][]) {
      const row: Record<string, unknown> = {};
      matrix[kind] = row;
      for (const status of PHASES) {
        const life = new Life();
        REACH[status](life);
        const answer = life.do(COMMANDS[kind]);
        row[status] = answer;
        const verdict = VERDICT[kind][status];
        if (verdict === 'nothing') expect(answer, `${kind} in ${status}`).toBe('nothing');
        if (verdict === 'refuse') expect(typeof answer, `${kind} in ${status}`).toBe('string');
      }
    }
    expect(matrix).toMatchSnapshot();
  });
});

describe('messages', () => {
  it('steer joins the running turn, queue and interrupt belong to the next', () => {
    const life = new Life();
    REACH.running(life);
    const [now, next] = [turnIdOf(life.session.id, 1), turnIdOf(life.session.id, 2)];

    life.send('steer');
    expect(life.lastTurnId).toBe(now);
    life.send('queue');
    expect(life.lastTurnId).toBe(next);
    life.send('interrupt');
    expect(life.lastTurnId).toBe(next);
    expect(life.session.turn?.stopping).toBe('interrupted');
    life.send('steer');
    expect(life.lastTurnId).toBe(next);
  });

  it('a turn is not completed while a message of it has not been seen by the model', () => {
    const life = new Life();
    REACH.running(life);
    seen(life);
    life.send('steer');

    expect(life.do({ kind: 'completeTurn', outcome: 'completed' })).toBe('INPUT_PENDING');
    seen(life);
    expect(life.do({ kind: 'completeTurn', outcome: 'completed' })).toEqual(['turn.completed']);
  });

  it('a model call is not said to have seen a message that belongs to the next turn', () => {
    const life = new Life();
    REACH.running(life);
    life.send('queue');
    const waiting = life.events.length;
    const call = { type: 'model.started', body: { callId: 'c', inputToSeq: waiting } } as const;

    expect(life.record(call)).toBe('INVALID_INPUT');
    expect(life.events).toHaveLength(waiting);
    expect(life.session.turn?.inputToSeq).toBeLessThan(waiting);
  });

  it('a message that waited starts the next turn when the running one ends', () => {
    const life = new Life();
    REACH.running(life);
    seen(life);
    life.send('queue');
    life.do({ kind: 'completeTurn', outcome: 'completed' });

    expect(life.session.status).toBe('queued');
    life.do({ kind: 'beginTurn' });
    expect(life.session.turn).toMatchObject({ number: 2, inputFromSeq: 5, inputToSeq: 5 });
  });

  it('a failed session goes on with the next message, and forgets its failure then', () => {
    const life = new Life();
    REACH.running(life);
    life.record({
      type: 'error.model',
      body: { code: 'MODEL_KEY_REFUSED', message: 'mend it', retriable: false },
    });
    life.do({
      kind: 'completeTurn',
      outcome: 'error',
      failure: { code: 'MODEL_KEY_REFUSED', message: 'mend it' },
    });

    expect(life.session).toMatchObject({ status: 'failed', failure: { code: 'MODEL_KEY_REFUSED' } });
    life.send();
    life.do({ kind: 'beginTurn' });
    expect(life.session).toMatchObject({ status: 'running', failure: undefined });
  });
});

describe('limits', () => {
  it('a session at its turns ends the next turn as max_turns, one over its tokens as budget_exceeded', () => {
    for (const [limits, outcome] of [
      [{ turns: 1 }, 'max_turns'],
      [{ tokens: 10 }, 'budget_exceeded'],
    ] as const) {
      const life = new Life(limits);
      REACH.running(life);
      const usage = {
        inputTokens: 10,
        outputTokens: 1,
        cacheCreationInputTokens: 0,
        cacheReadInputTokens: 0,
      };
      life.record({ type: 'model.usage', body: { callId: 'c', model: 'm', complete: true, ...usage } });
      life.do({ kind: 'completeTurn', outcome: 'canceled' });
      life.send();

      expect(life.do({ kind: 'beginTurn' })).toEqual(['turn.started', 'turn.completed']);
      expect(life.session.turn?.outcome).toBe(outcome);
      expect(life.session.status).toBe('idle');
    }
  });
});

describe('stopping', () => {
  it('is by who asks first: the outcome that a cancel promised stands when somebody interrupts, and the other way round', () => {
    const canceled = new Life();
    REACH.running(canceled);
    canceled.do({ kind: 'cancel', actor: HUMAN });
    canceled.send('interrupt');
    const interrupted = new Life();
    REACH.running(interrupted);
    interrupted.send('interrupt');

    expect(interrupted.do({ kind: 'cancel', actor: HUMAN })).toBe('nothing');
    expect(canceled.session).toMatchObject({ turn: { stopping: 'canceled' }, pending: { count: 1 } });
    expect(interrupted.session.turn?.stopping).toBe('interrupted');
  });

  it.each(['idle', 'awaiting_input', 'failed'] as const)(
    'REPLAY-2: a cancel with a key that finds a session %s leaves an event that changes nothing',
    (status) => {
      const life = new Life();
      REACH[status](life);
      const before = life.session;

      expect(life.do({ kind: 'cancel', actor: HUMAN, isKeyed: true })).toEqual(['turn.cancel_ignored']);
      expect(life.session).toBe(before);
    },
  );

  it('cancel of a waiting message ends its turn before it ran', () => {
    const life = new Life();
    life.send();

    expect(life.do({ kind: 'cancel', actor: HUMAN })).toEqual(['turn.started', 'turn.completed']);
    expect(life.session).toMatchObject({ status: 'idle', pending: undefined });
  });

  it('archive ends the running turn first, and nothing can be written after', () => {
    const life = new Life();
    REACH.running(life);

    expect(life.do({ kind: 'archive', actor: HUMAN })).toEqual(['turn.completed', 'session.archived']);
    expect(life.send()).toBe('SESSION_ARCHIVED');
    expect(life.session.lease).toBeUndefined();
  });
});

describe('the end of a brain', () => {
  /** A turn with calls that are open: one of the hands, a question, and one that cannot be made. */
  const working = (): Life => {
    const life = new Life();
    REACH.running(life);
    seen(life);
    const call = { modelCallId: 'c', toolUseId: 'u', input: {} };
    life.record(
      { type: 'tool.call', body: { ...call, callId: 'c.0', tool: 'bash' } },
      { type: 'tool.call', body: { ...call, callId: 'c.1', tool: 'ask' } },
      { type: 'tool.call', body: { ...call, callId: 'c.2', tool: 'bash', defect: 'no JSON' } },
      { type: 'tool.call', body: { ...call, callId: 'c.3', tool: 'bash' } },
      { type: 'model.completed', body: { callId: 'c', stopReason: 'tool_use' } },
    );
    const result = { callId: 'c.3', tool: 'bash', outcome: 'ok', output: '', durationMs: 1 } as const;
    life.record({ type: 'tool.result', body: result });
    return life;
  };
  const outcomes = ({ events }: Life): readonly string[] =>
    events.flatMap(({ type, body }) =>
      type === 'tool.result' && 'outcome' in body ? `${body.callId} ${body.outcome}` : [],
    );
  const lost = { kind: 'loseBrain', reason: 'test', attemptMax: 2, retryInMs: 1 } as const;

  it('leaves no call of an ended turn without a result: proves ENDS-2', () => {
    const life = working();
    const end = { kind: 'endTurn', number: 1, outcome: 'deadline_exceeded' } as const;
    expect(life.do(end)).toEqual([
      ...['tool.result', 'tool.result', 'tool.result', 'turn.completed', 'session.hibernated'],
    ]);
    expect(outcomes(life)).toEqual(['c.3 ok', 'c.0 unknown', 'c.1 canceled', 'c.2 canceled']);
    expect(life.session.turn?.openTools).toBeUndefined();
  });

  it('keeps the outcome that a cancel was promised, whatever ends the turn then', () => {
    const [late, dying] = [working(), working()];
    for (const life of [late, dying]) life.do({ kind: 'cancel', actor: HUMAN });
    late.do({ kind: 'endTurn', number: 1, outcome: 'deadline_exceeded' });
    dying.do({ ...lost, attemptMax: 1 });

    for (const { session } of [late, dying])
      expect(session).toMatchObject({ status: 'idle', turn: { outcome: 'canceled' }, failure: undefined });
  });

  it('takes the result that is known for what it is', () => {
    const life = working();
    const known = { callId: 'c.0', outcome: 'canceled', output: 'half \ud83d', durationMs: 7 } as const;
    life.do({ kind: 'endTurn', number: 1, outcome: 'canceled', results: [known] });

    expect(outcomes(life)).toContain('c.0 canceled');
    const written = life.events.findLast(({ body }) => 'callId' in body && body.callId === 'c.0');
    expect(written?.body).toMatchObject({ output: 'half \ufffd', durationMs: 7 });
  });

  it('has results also when a person archives or the brain itself ends the turn', () => {
    const [archived, finished] = [working(), working()];
    archived.do({ kind: 'archive', actor: HUMAN });
    finished.do({ kind: 'completeTurn', outcome: 'budget_exceeded' });

    for (const life of [archived, finished])
      expect(outcomes(life).slice(1)).toEqual(['c.0 unknown', 'c.1 canceled', 'c.2 canceled']);
  });

  it('ends the turn with an error when brains keep dying, in the append that says so: proves ENDS-1', () => {
    const life = working();
    expect(life.do(lost)).toEqual(['brain.lost']);
    life.do({ kind: 'takeLease', owner: 'me' });
    expect(life.do(lost)).toEqual([
      'brain.lost',
      ...['tool.result', 'tool.result', 'tool.result'],
      'error.runtime',
      'turn.completed',
      'session.hibernated',
    ]);

    expect(life.session).toMatchObject({
      status: 'failed',
      failure: { code: 'BRAIN_LOST' },
      losses: 0,
      retryAt: undefined,
      lease: undefined,
    });
  });

  it('begins the turn that it ends when brains die before they have', () => {
    const life = new Life();
    life.send();
    life.do({ kind: 'takeLease', owner: 'me' });
    const last = { ...lost, attemptMax: 1 };

    expect(life.do(last)).toEqual([
      'brain.lost',
      'turn.started',
      'error.runtime',
      'turn.completed',
      'session.hibernated',
    ]);
    expect(life.session).toMatchObject({ status: 'failed', turnCount: 1, pending: undefined });
  });

  it('holds the session awake while a message waits', () => {
    const life = working();
    life.send('queue');
    life.do({ kind: 'endTurn', number: 1, outcome: 'deadline_exceeded' });

    expect(life.session).toMatchObject({ status: 'queued', hibernated: false });
  });

  it('is the end of its lease when the turn had ended by itself meanwhile, and touches no later turn', () => {
    const life = working();
    life.do({ kind: 'completeTurn', outcome: 'canceled' });
    const end = { kind: 'endTurn', number: 1, outcome: 'deadline_exceeded', processes: 2 } as const;
    expect(life.do(end)).toEqual(['session.hibernated']);
    expect(life.events.at(-1)?.body).toEqual({ epoch: 1, processes: 2 });
    expect(life.session.lease).toBeUndefined();
    expect(life.do(end)).toBe('nothing');

    life.send();
    expect(life.do(end)).toBe('nothing');
    life.do({ kind: 'takeLease', owner: 'me' });
    life.do({ kind: 'beginTurn' });
    expect(life.do(end)).toBe('nothing');
  });

  it('is no loss when it had nothing to do', () => {
    const life = working();
    life.do({ kind: 'completeTurn', outcome: 'canceled' });

    expect(life.do(lost)).toEqual(['session.hibernated']);
    expect(life.session.losses).toBe(0);
  });
});

describe('losses of brains', () => {
  const LOST: Command = { kind: 'loseBrain', reason: 'exit code 1', attemptMax: 5, retryInMs: 100 };
  const lostOnce = (): Life => {
    const life = new Life();
    REACH.running(life);
    seen(life);
    life.do(LOST);
    life.do({ kind: 'takeLease', owner: 'me' });
    expect(life.session.losses).toBe(1);
    return life;
  };

  it('are forgotten once the next brain gets an answer of the model, so that only losses in a row end a turn', () => {
    const life = lostOnce();
    life.record({ type: 'model.completed', body: { callId: 'c', stopReason: 'end_turn' } });

    expect(life.session.losses).toBe(0);
    life.do(LOST);
    expect(life.session.losses).toBe(1);
  });

  it('are forgotten with the result of a tool too, and not by a call that only begins', () => {
    const life = lostOnce();
    seen(life);
    life.record({
      type: 'tool.call',
      body: { callId: 't', modelCallId: 'c', toolUseId: 'u', tool: 'bash', input: {} },
    });
    expect(life.session.losses).toBe(1);

    life.record({
      type: 'tool.result',
      body: { callId: 't', tool: 'bash', outcome: 'ok', output: '', exitCode: 0, durationMs: 1 },
    });
    expect(life.session.losses).toBe(0);
  });
});

describe('a lease', () => {
  const LOST: Command = { kind: 'loseBrain', reason: 'exit code 1', attemptMax: 5, retryInMs: 100 };

  it('stays when its brain is lost, which is told once, and ends when its owner gives it up', () => {
    const life = new Life();
    REACH.running(life);
    life.do({ kind: 'takeLease', owner: 'me' });
    const { lease } = life.session;
    expect(lease?.owner).toBe('me');

    expect(life.do(LOST)).toEqual(['brain.lost']);
    expect(life.session).toMatchObject({ lease, losses: 1 });
    expect(life.do(LOST)).toBe('nothing');
    expect(life.do({ kind: 'releaseLease', owner: 'another' })).toBe('nothing');
    expect(life.do({ kind: 'releaseLease', owner: 'me' })).toEqual(['session.hibernated']);
    expect(life.session).toMatchObject({ lease: undefined, status: 'running', hibernated: true });
    expect(life.do({ kind: 'releaseLease', owner: 'me' })).toBe('nothing');
  });
});

describe('a lease that is given up for want of room', () => {
  it('in the middle of a turn forgets no loss, and at rest all', () => {
    const life = new Life();
    REACH.running(life);
    life.do({ kind: 'takeLease', owner: 'me' });
    life.do({ kind: 'loseBrain', reason: 'exit code 1', attemptMax: 5, retryInMs: 100 });
    const { retryAt } = life.session;
    life.do({ kind: 'releaseLease', owner: 'me' });
    expect(life.session).toMatchObject({ losses: 1, retryAt, lease: undefined });
    expect(retryAt).toBeDefined();

    life.do({ kind: 'takeLease', owner: 'other' });
    life.do({ kind: 'completeTurn', outcome: 'canceled' });
    life.do({ kind: 'hibernate' });
    expect(life.session).toMatchObject({ losses: 0, retryAt: undefined });
  });
});

describe('a full log', () => {
  it('ends the running turn and closes the session', () => {
    const life = new Life();
    REACH.running(life);
    const event = {
      type: 'log.limit_reached',
      body: { limit: 'events' },
      seq: 9,
      at: 9,
      turnId: undefined,
    } as const;
    const session = fold(life.session, event);

    expect(session).toMatchObject({
      status: 'archived',
      failure: { code: 'LOG_FULL' },
      turn: { state: 'completed', outcome: 'error' },
    });
  });
});
