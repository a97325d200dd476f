/** What people have read of an answer that never came to its end. */
import { expect, test } from 'vitest';
import { ModelFailure } from '../../src/brain/model.ts';
import { forever, type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { Crash, UnitDouble } from './unit-double.ts';

const SAID = ['One two ', 'three fo'];

/** An answer that goes on until somebody ends it; `end` is called when the pieces have been said. */
function speaking(end: () => void): Play {
  return {
    pieces: SAID,
    after: async (signal) => {
      end();
      await forever(signal);
    },
  };
}

function typesOf(unit: UnitDouble): readonly string[] {
  return unit.log.map(({ type }) => type);
}

test('what was said before a message interrupted is journalled with the end of the turn, and the model knows it', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1 ? speaking(() => unit.say('no: do this', 'interrupt')) : 'Done.',
  );
  unit.say('tell me');

  await settle(unit, model);

  const aborted = unit.bodies('agent.message')[0];
  expect(aborted).toEqual({ callId: 't1m1', text: 'One two three fo', aborted: true });
  const at = typesOf(unit).indexOf('agent.message');
  expect(typesOf(unit)[at + 1]).toBe('turn.completed');
  expect(unit.appends.filter((key) => key === 't1/completed')).toHaveLength(1);
  expect(unit.bodies('turn.completed')[0]).toMatchObject({ outcome: 'interrupted' });
  expect(unit.bodies('turn.completed')[0]).not.toHaveProperty('resultEventId');
  expect(model.shown()).toEqual([
    'user: tell me',
    'assistant: One two three fo',
    'user: [The user interrupted you here.] | no: do this',
  ]);
});

test('what was said before a cancel is journalled and given back, marked as stopped', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1
      ? speaking(() => unit.command({ kind: 'cancel', actor: { kind: 'human' } }))
      : 'You stopped me.',
  );
  unit.say('tell me');
  await settle(unit, model);
  unit.say('what did you say?');

  await settle(unit, model);

  expect(unit.bodies('agent.message')[0]).toMatchObject({ text: 'One two three fo', aborted: true });
  expect(model.shown().slice(1)).toEqual([
    'assistant: One two three fo',
    expect.stringMatching(/^user: The user stopped the turn here\..* \| what did you say\?$/),
  ]);
});

test('what was said before the service failed for good is journalled with the error', async () => {
  const unit = new UnitDouble();
  const fails = new ModelFailure('MODEL_REFUSED', 'Output blocked.', { type: 'blocked', retriable: false });
  const model = new PlayedModel((_, number) => (number === 1 ? { pieces: SAID, fails } : 'Again.'));
  unit.say('tell me');
  await settle(unit, model);
  unit.say('and now?');

  await settle(unit, model);

  const types = typesOf(unit);
  expect(types.slice(types.indexOf('agent.message'), types.indexOf('agent.message') + 3)).toEqual([
    'agent.message',
    'error.model',
    'turn.completed',
  ]);
  expect(model.shown()).toEqual([
    'user: tell me',
    'assistant: One two three fo',
    'user: [Your answer broke off here.] | and now?',
  ]);
});

test('what an attempt had said that is made again is not journalled, only what the last one said', async () => {
  const unit = new UnitDouble();
  const fails = new ModelFailure('MODEL_OVERLOADED', 'Busy.', { type: 'overloaded_error', retriable: true });
  let interrupted = false;
  const model = new PlayedModel((_, number) => {
    if (interrupted) return 'Fine.';
    if (number > 1) interrupted = true;
    return number === 1 ? { pieces: ['Lost words'], fails } : speaking(() => unit.say('stop', 'interrupt'));
  });
  unit.say('tell me');

  await settle(unit, model);

  expect(unit.bodies('agent.message').map(({ text }) => text)).toEqual(['One two three fo', 'Fine.']);
});

test('a stop in the wait after a failed attempt keeps what that attempt had said: it is what people see', async () => {
  const unit = new UnitDouble();
  const fails = new ModelFailure('MODEL_OVERLOADED', 'Busy.', {
    type: 'overloaded_error',
    retriable: true,
    retryAfterMs: 50_000,
  });
  const model = new PlayedModel((_, number) => (number === 1 ? { pieces: SAID, fails } : 'Fine.'));
  unit.say('tell me');
  const stop = (): void => {
    if (unit.bodies('model.retried').length === 0) setImmediate(stop);
    else unit.say('stop', 'interrupt');
  };
  stop();

  await settle(unit, model);

  expect(unit.bodies('agent.message').map(({ text }) => text)).toEqual(['One two three fo', 'Fine.']);
});

test('what a lost brain had said stays in the log for people; the model is told it once when the call is made again (CONVERSATION-3)', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => {
    if (number > 1) return number === 2 ? 'One two three four.' : 'More.';
    return {
      pieces: SAID,
      after: () => {
        unit.command({
          kind: 'loseBrain',
          reason: 'signal SIGKILL',
          attemptMax: 5,
          retryInMs: 0,
          said: { callId: 't1m1', text: 'One two three fo' },
        });
        throw new Crash();
      },
    };
  });
  unit.say('tell me');
  await settle(unit, model);
  unit.say('go on');

  await settle(unit, model);

  expect(unit.bodies('agent.message').map(({ text, aborted = false }) => [text, aborted])).toEqual([
    ['One two three fo', true],
    ['One two three four.', false],
    ['More.', false],
  ]);
  expect(unit.bodies('turn.completed')[0]).toMatchObject({ outcome: 'completed' });
  expect(model.shown()).toEqual(['user: tell me', 'assistant: One two three four.', 'user: go on']);
});

test('what a lost brain had said is given back when the turn ended without another word (CONVERSATION-3)', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => {
    if (number > 1) return 'Yes.';
    return {
      pieces: SAID,
      after: () => {
        const said = { callId: 't1m1', text: SAID.join('') };
        unit.command({ kind: 'loseBrain', reason: 'killed', attemptMax: 5, retryInMs: 0, said });
        unit.command({ kind: 'completeTurn', outcome: 'deadline_exceeded' });
        throw new Crash();
      },
    };
  });
  unit.say('tell me');
  await settle(unit, model);
  unit.say('are you there?');

  await settle(unit, model);

  expect(model.shown()).toEqual([
    'user: tell me',
    'assistant: One two three fo',
    'user: [The time of the turn was up here.] | are you there?',
  ]);
});

test('thinking and half a tool call are not kept of an answer that was cut, nor text of a call that has ended', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1
      ? { pieces: ['I look.'], blocks: [{ kind: 'text', text: 'I look.' }, toolBlock('list', {})] }
      : 'There.',
  );
  unit.say('look');
  await settle(unit, model);
  unit.say('wait');
  unit.command({ kind: 'takeLease', owner: 'test' });
  unit.command({ kind: 'beginTurn' });

  unit.command({ kind: 'completeTurn', outcome: 'canceled', said: { callId: 't1m1', text: 'I look.' } });

  expect(unit.bodies('agent.message').some(({ aborted }) => aborted === true)).toBe(false);
});

test('half a character at the cut, and nothing but spaces, are no text to journal', async () => {
  const unit = new UnitDouble();
  unit.say('tell me');
  unit.command({ kind: 'takeLease', owner: 'test' });
  unit.command({ kind: 'beginTurn' });
  const turnId = unit.session.turn?.id;
  const started = (callId: string) =>
    unit.command({
      kind: 'record',
      events: [{ type: 'model.started', actor: { kind: 'system' }, turnId, body: { callId, inputToSeq: 1 } }],
    });
  started('t1m1');

  unit.command({
    kind: 'loseBrain',
    reason: 'x',
    attemptMax: 5,
    retryInMs: 0,
    said: { callId: 't1m1', text: ' \n' },
  });
  unit.command({ kind: 'takeLease', owner: 'test' });
  unit.command({
    kind: 'completeTurn',
    outcome: 'canceled',
    said: { callId: 't1m1', text: `half ${'🚀'[0]}` },
  });

  expect(unit.bodies('agent.message').map(({ text }) => text)).toEqual(['half \ufffd']);
});

const BUSY = { type: 'overloaded_error', retriable: true };
const busy = (): ModelFailure => new ModelFailure('MODEL_OVERLOADED', 'Busy.', BUSY);

test('what an attempt had said is kept when all attempts after it fail before they say anything', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => ({
    ...(number === 1 ? { pieces: SAID } : number === 2 ? { pieces: [' \n'] } : {}),
    fails: busy(),
  }));
  unit.say('tell me');

  await settle(unit, model);

  expect(unit.bodies('agent.message')).toEqual([{ callId: 't1m1', text: 'One two three fo', aborted: true }]);
  expect(typesOf(unit).slice(-3)).toEqual(['agent.message', 'error.model', 'turn.completed']);
});

test('what an attempt had said is kept when the turn is canceled while the next one is silent', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => {
    if (number === 1) return { pieces: SAID, fails: busy() };
    return { ...speaking(() => unit.command({ kind: 'cancel', actor: { kind: 'human' } })), pieces: [] };
  });
  unit.say('tell me');

  await settle(unit, model);

  expect(unit.bodies('agent.message')).toEqual([{ callId: 't1m1', text: 'One two three fo', aborted: true }]);
});

test('what a model had said stays in the log when its fallback takes over, and is not said by the fallback', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const model = new PlayedModel(({ plan }, number) => {
    if (plan.name === 'other') return 'All of it.';
    return { ...(number === 1 ? { pieces: SAID } : {}), fails: busy() };
  });
  unit.say('tell me');

  await settle(unit, model);

  expect(unit.bodies('agent.message').map(({ callId, text }) => [callId, text])).toEqual([
    ['t1m1', 'One two three fo'],
    ['t1m2', 'All of it.'],
  ]);
  expect(model.shown()).toEqual(['user: tell me']);
});

test('what was said stays in the log too when the next attempt is too long, or is refused and condensed', async () => {
  const full = new ModelFailure('MODEL_CONTEXT_FULL', 'Full.', { type: 'prompt_too_long', retriable: false });
  const place = { message: 1, block: 0 };
  const refused = new ModelFailure('MODEL_REQUEST_INVALID', 'messages.1: no', {
    type: 'invalid_request_error',
    retriable: false,
    place,
  });
  for (const fails of [full, refused]) {
    const unit = new UnitDouble();
    const model = new PlayedModel(({ callId }) => {
      if (callId === 't1m1') return 'Hello to you too, whoever you are.';
      if (callId !== 't2m1') return 'The user said hello and was greeted.';
      return unit.bodies('model.retried').length === 0 ? { pieces: SAID, fails: busy() } : { fails };
    });
    unit.say('hello');
    await settle(unit, model);
    unit.say('tell me');

    await settle(unit, model);

    expect(unit.bodies('agent.message')).toContainEqual({
      callId: 't2m1',
      text: 'One two three fo',
      aborted: true,
    });
    expect(unit.session.turn?.outcome).toBe('completed');
  }
});
