/** Tool calls that wait for somebody outside, as the pure core decides them. */
import { describe, expect, it } from 'vitest';
import { turnIdOf } from '../../src/kernel/id.ts';
import type { ToolAnswer } from '../../src/sessions/tool-requests.ts';
import { wantsBrain } from '../../src/sessions/lifecycle.ts';
import { answers, HUMAN, Life, REACH, seen } from '../support/session-life.ts';

const resolve = (life: Life, callId: string, answer: ToolAnswer) =>
  life.do({ kind: 'resolveTool', callId, answer, actor: HUMAN });
const result = (callId: string, tool = 'deploy') =>
  ({ type: 'tool.result', body: { callId, tool, outcome: 'ok', output: 'done', durationMs: 1 } }) as const;

function running(more: ConstructorParameters<typeof Life>[1] = {}): Life {
  const life = new Life({}, more);
  REACH.running(life);
  seen(life);
  return life;
}

describe('what asks (PARK-1)', () => {
  it('a call that a rule asks about is requested in the append that journals it, and the turn is parked', () => {
    const life = running();
    expect(answers(life, { callId: 't', tool: 'deploy' })).toEqual([
      'tool.call',
      'tool.requested',
      'model.completed',
    ]);
    expect(life.session).toMatchObject({
      status: 'awaiting_input',
      turn: {
        state: 'running',
        openTools: [{ callId: 't', mayRun: false, request: { kind: 'approval', seq: 6, since: 6 } }],
      },
    });
    expect(wantsBrain(life.session)).toBe(false);
  });

  it('a call that a rule denies has its result at once, and the turn goes on', () => {
    const life = running({ toolRules: [{ tool: '*', action: 'deny', reason: 'Nothing is run here.' }] });
    expect(answers(life, { callId: 't', tool: 'bash' })).toEqual([
      'tool.call',
      'tool.resolved',
      'tool.result',
      'model.completed',
    ]);
    expect(life.events.at(-2)?.body).toMatchObject({
      outcome: 'denied',
      output: 'This call was denied: it was not run. Nothing is run here.',
    });
    expect(life.session.status).toBe('running');
  });

  it('while another call can run, the turn is not parked; once it has its result, it is', () => {
    const life = running();
    answers(life, { callId: 'a', tool: 'bash' }, { callId: 'b', tool: 'deploy' });
    expect(life.session.status).toBe('running');
    life.record(result('a', 'bash'));
    expect(life.session.status).toBe('awaiting_input');
  });

  it('a brain writes no result for a call that waits, unless the turn is to stop', () => {
    const life = running();
    answers(life, { callId: 'a', tool: 'bash' }, { callId: 'b', tool: 'deploy' });
    expect(life.record(result('b'))).toBe('INVALID_INPUT');
    life.do({ kind: 'cancel', actor: HUMAN });
    expect(life.record(result('b'))).toEqual(['tool.result']);
  });

  it('a tool that is run outside is asked for with its timeout, and a question or a defect is not', () => {
    const life = running({ clientTools: [{ name: 'lookup', timeoutSeconds: 2 }] });
    life.record({
      type: 'tool.call',
      body: { callId: 'x', modelCallId: 'c', toolUseId: 'x', tool: 'lookup', input: 1, defect: 'no' },
    });
    answers(life, { callId: 'q', tool: 'ask' }, { callId: 't', tool: 'lookup' });
    const open = life.session.turn?.openTools ?? [];
    expect(open.map(({ request }) => request?.kind)).toEqual([undefined, undefined, 'client']);
    expect(open[2]?.request?.expiresAt).toBe((open[2]?.request?.since ?? 0) + 2_000);
  });
});

describe('what an answer means (PARK-2)', () => {
  const parked = (): Life => {
    const life = running();
    answers(life, { callId: 't', tool: 'deploy' });
    return life;
  };

  it('an approved call runs, with the input that was given; the same answer again is nothing', () => {
    const life = parked();
    expect(resolve(life, 't', { kind: 'approve', input: { of: 'me' } })).toEqual(['tool.resolved']);
    expect(life.session).toMatchObject({ status: 'running', turn: { openTools: [{ mayRun: true }] } });
    expect(life.session.turn?.openTools?.[0]?.request).toBeUndefined();
    expect(resolve(life, 't', { kind: 'approve' })).toBe('nothing');
    expect(resolve(life, 'u', { kind: 'approve' })).toBe('nothing');
  });

  it('a rule that comes with an approval lets the next such call run', () => {
    const life = parked();
    resolve(life, 't', { kind: 'approve', rule: { tool: 'deploy', action: 'allow' } });
    life.record(result('t'));
    seen(life);
    expect(answers(life, { callId: 't2', tool: 'deploy' })).toEqual(['tool.call', 'model.completed']);
  });

  it('a denied call has its result, and the model is told why', () => {
    const life = parked();
    expect(resolve(life, 't', { kind: 'deny', reason: 'Not on a Friday.' })).toEqual([
      'tool.resolved',
      'tool.result',
    ]);
    expect(life.events.at(-1)?.body).toMatchObject({ outcome: 'denied' });
    expect(life.session).toMatchObject({ status: 'running', turn: { openTools: undefined } });
  });

  it('an answer of the other kind is refused and changes nothing', () => {
    const life = parked();
    expect(resolve(life, 't', { kind: 'answer', output: '42' })).toBe('INVALID_INPUT');
    expect(life.session.status).toBe('awaiting_input');
  });

  it('several that are open are answered in any order; the turn goes on when none waits, or one may run', () => {
    const life = running({ clientTools: [{ name: 'lookup', timeoutSeconds: 2 }] });
    answers(life, { callId: 'a', tool: 'lookup' }, { callId: 'b', tool: 'lookup' });
    expect(resolve(life, 'b', { kind: 'answer', output: '2' })).toEqual(['tool.resolved', 'tool.result']);
    expect(life.session.status).toBe('awaiting_input');
    expect(resolve(life, 'a', { kind: 'fail', reason: 'no such thing' })).toHaveLength(2);
    expect(life.session.status).toBe('running');
  });

  it('what nobody answers in time has timed out, and only that', () => {
    const life = running({ clientTools: [{ name: 'lookup', timeoutSeconds: 2 }] });
    answers(life, { callId: 'a', tool: 'lookup' }, { callId: 'b', tool: 'deploy' });
    const at = life.session.turn?.openTools?.[0]?.request?.expiresAt ?? 0;
    expect(life.do({ kind: 'expireTools', now: at - 1 })).toBe('nothing');
    expect(life.do({ kind: 'expireTools', now: at })).toEqual(['tool.resolved', 'tool.result']);
    expect(life.session.turn?.openTools).toMatchObject([{ callId: 'b' }]);
  });
});

describe('a parked turn (PARK-3)', () => {
  const parked = (): Life => {
    const life = new Life();
    REACH.parked(life);
    return life;
  };

  it('is ended by a cancel, an interrupting message and an archive without a brain, each call with its end', () => {
    const ends = ['tool.resolved', 'tool.result', 'turn.completed'];
    expect(parked().do({ kind: 'cancel', actor: HUMAN })).toEqual(['turn.cancel_requested', ...ends]);
    expect(parked().do({ kind: 'archive', actor: HUMAN })).toEqual([...ends, 'session.archived']);
    const life = parked();
    expect(life.send('interrupt')).toEqual(['user.message', ...ends]);
    expect(life.session).toMatchObject({ status: 'queued', turn: { outcome: 'interrupted' } });
  });

  it('takes a message in, or lets it wait for the next turn, and stands still', () => {
    const life = parked();
    life.send('steer');
    expect(life.lastTurnId).toBe(turnIdOf(life.session.id, 1));
    life.send('queue');
    expect(life.lastTurnId).toBe(turnIdOf(life.session.id, 2));
    expect(life.session).toMatchObject({ status: 'awaiting_input', pending: { count: 1 } });
  });

  it('stays open when its brain ends, is lost, or is ended too late', () => {
    for (const command of [
      { kind: 'hibernate' },
      { kind: 'loseBrain', reason: 'test', attemptMax: 1, retryInMs: 1 },
      { kind: 'endTurn', number: 1, outcome: 'deadline_exceeded' },
    ] as const) {
      const life = parked();
      expect(life.do(command)).toEqual(['session.hibernated']);
      expect(life.session).toMatchObject({ status: 'awaiting_input', turn: { state: 'running' } });
    }
  });
});
