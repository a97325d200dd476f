/** The model service declines: what it declined is left out from then on, and a fallback model is asked where there is one. */
import { expect, test } from 'vitest';
import { ModelFailure, type ModelFailureCode } from '../../src/brain/model.ts';
import { type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const REFUSAL: Play = {
  blocks: [{ kind: 'text', text: 'First you take' }],
  stopReason: 'refusal',
  refusal: { category: 'bio', explanation: 'This was declined because of its subject.' },
};

/** Declines every request that holds `word`, as a service does that reads the whole conversation. */
function declining(word: string, then: (callId: string) => Play | string = () => 'Answered.'): PlayedModel {
  return new PlayedModel(({ callId, messages }) =>
    JSON.stringify(messages).includes(word) ? REFUSAL : then(callId),
  );
}

test('a refused message is left out of later requests, and the next one is answered', async () => {
  const unit = new UnitDouble();
  const model = declining('BADWORD');
  unit.say('hello');
  await settle(unit, model);
  unit.say('tell me BADWORD');
  await settle(unit, model);
  unit.say('something else');

  await settle(unit, model);

  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual([
    'completed',
    'error',
    'completed',
  ]);
  expect(model.shown()).toEqual([
    'user: hello',
    'assistant: Answered.',
    'user: [A part of the conversation was left out here: the model service declined to read it.] | something else',
  ]);
});

test('a refusal that comes as an error takes out the message too, unless people have seen an answer to it', async () => {
  const error = new ModelFailure('MODEL_REFUSED', 'Blocked.', { type: 'x', retriable: false });
  const unit = new UnitDouble();
  const model = new PlayedModel(({ messages }) => {
    const said = JSON.stringify(messages);
    if (said.includes('BADWORD')) return { fails: error };
    return said.includes('HALFBAD') ? { fails: error, pieces: ['So far '] } : 'Answered.';
  });
  for (const words of ['hello', 'tell me BADWORD', 'something else']) {
    unit.say(words);
    await settle(unit, model);
  }
  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown().join()).not.toContain('BADWORD');
  unit.say('HALFBAD');
  await settle(unit, model);
  unit.say('what did you say?');
  await settle(unit, model);

  expect(model.shown().join()).toContain('So far');
});

test('a summary that is declined twice is left out', async () => {
  const unit = new UnitDouble();
  const model = declining('POISON', (callId) => {
    if (callId === 't1c2') return 'What was said: POISON and some more, so that it is long enough.';
    return callId === 't1m1' ? { stopReason: 'model_context_window_exceeded' } : 'Answered.';
  });
  for (const words of ['long', 'next', 'and next', 'and on']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown().join()).toContain('the model service declined to read it. Ask the user');
});

test.each<[ModelFailureCode, string]>([
  ['MODEL_UNAVAILABLE', 'api_error'],
  ['MODEL_RATE_LIMITED', 'rate_limit_error'],
  ['MODEL_REFUSED', 'content_filter'],
  ['MODEL_KEY_REFUSED', 'permission_error'],
])('%s for good goes to the fallback', async (code, type) => {
  const unit = new UnitDouble({ fallback: 'other' });
  unit.say('hello');

  await settle(
    unit,
    new PlayedModel(({ plan }) =>
      plan.name === 'other' ? 'Here.' : { fails: new ModelFailure(code, 'No.', { type, retriable: false }) },
    ),
  );

  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a refusal shows its category and explanation, and its text is marked as retracted', async () => {
  const unit = new UnitDouble();
  unit.say('BADWORD');

  await settle(unit, declining('BADWORD'));

  expect(unit.bodies('agent.message')).toEqual([{ callId: 't1m1', text: 'First you take', retracted: true }]);
  expect(unit.bodies('model.completed')).toMatchObject([
    { stopReason: 'refusal', refusalCategory: 'bio', refusalExplanation: expect.any(String) },
  ]);
  const failure = unit.session.turn?.failure;
  expect(failure?.code).toBe('MODEL_REFUSED');
  expect(failure?.message).toContain('(bio)');
  expect(failure?.message).toContain('because of its subject');
});

test('a refused tool result is withheld, or every later request would be declined for it', async () => {
  const unit = new UnitDouble({
    tool: () => Promise.resolve({ outcome: 'ok', output: 'BADWORD', durationMs: 1 }),
  });
  const model = declining('BADWORD', (callId) =>
    callId === 't1m1' ? { blocks: [toolBlock('read', { path: 'x' }, 'a')] } : 'Something else, then.',
  );
  unit.say('read it');
  await settle(unit, model);
  unit.say('never mind');

  await settle(unit, model);

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown().slice(1)).toEqual([
    'assistant: read{"path":"x"}#a',
    expect.stringMatching(/^user: #a=\[Left out: .*\] \| \[A part .*\] \| never mind$/),
  ]);
});

test('a conversation that is declined for something older loses more of it each time, until it is answered', async () => {
  const unit = new UnitDouble();
  let strict = false;
  const model = new PlayedModel(({ messages }) =>
    strict && JSON.stringify(messages).includes('OLDWORD') ? REFUSAL : 'Answered.',
  );
  for (const text of ['OLDWORD', 'two', 'three']) {
    unit.say(text);
    await settle(unit, model);
  }
  strict = true;
  const outcomes: unknown[] = [];
  for (const text of ['four', 'five', 'six', 'seven', 'eight']) {
    unit.say(text);
    await settle(unit, model);
    outcomes.push(unit.session.turn?.outcome);
  }

  expect(outcomes).toEqual(['error', 'error', 'error', 'completed', 'completed']);
});

test('a fallback model is asked before the refusal stands, and the rest of the turn stays with it', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const model = new PlayedModel(({ plan, messages }) => {
    if (plan.name !== 'other') return REFUSAL;
    return messages.length === 1 ? { blocks: [toolBlock('list', {})] } : 'Done by another.';
  });
  unit.say('hello');

  await settle(unit, model);

  expect(model.requests.map(({ plan }) => plan.name)).toEqual(['echo', 'other', 'other']);
  expect(unit.bodies('model.started').map(({ model: name }) => name)).toEqual([undefined, 'other', 'other']);
  expect(JSON.stringify(model.requests[1]?.messages)).toBe(JSON.stringify(model.requests[0]?.messages));
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('when the fallback declines as well, the turn ends, and the message is left out', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const model = declining('BADWORD');
  unit.say('BADWORD');
  await settle(unit, model);
  unit.say('something else');

  await settle(unit, model);

  expect(model.requests.map(({ plan }) => plan.name)).toEqual(['echo', 'other', 'echo']);
  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['error', 'completed']);
});

test.each([
  ['MODEL_UNKNOWN', false, 1],
  ['MODEL_OVERLOADED', true, 8],
] as const)(
  'a model that fails with %s for good gives way to the fallback',
  async (code, retriable, calls) => {
    const unit = new UnitDouble({ fallback: 'other' });
    const model = new PlayedModel(({ plan }) =>
      plan.name === 'other' ? 'Here.' : { fails: new ModelFailure(code, 'No.', { type: 'x', retriable }) },
    );
    unit.say('hello');

    await settle(unit, model);

    expect(model.requests).toHaveLength(calls + 1);
    expect(unit.bodies('error.model')).toEqual([]);
    expect(unit.session.turn?.outcome).toBe('completed');
  },
);

test('thinking of one model is not sent to another', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const model = new PlayedModel(({ plan }, number) => {
    if (number === 1)
      return { blocks: [{ kind: 'thinking', text: 'mine', signature: 's' }, toolBlock('list', {})] };
    return plan.name === 'other'
      ? {
          blocks: [
            { kind: 'thinking', text: 'its own', signature: 's' },
            { kind: 'text', text: 'Done.' },
          ],
        }
      : number === 2
        ? REFUSAL
        : 'Back.';
  });
  unit.say('hello');
  await settle(unit, model);
  unit.say('and?');

  await settle(unit, model);

  expect(model.shown(2).join()).not.toContain('mine');
  expect(model.shown(3).join()).toContain('(mine)');
  expect(model.shown(3).join()).not.toContain('its own');
});

test.each<[string, Play | string]>([
  ['nothing', {}],
  ['nothing but a thought', { blocks: [{ kind: 'thinking', text: 'Hm.', signature: 's' }] }],
])('a message that was answered with %s before it was refused is left out all the same', async (_, empty) => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ messages }, number) => {
    if (number === 1) return 'Hello.';
    if (number === 2) return empty;
    return JSON.stringify(messages).includes('BADWORD') ? REFUSAL : 'Answered.';
  });
  for (const words of ['hello', 'tell me BADWORD', 'something else']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown()).toEqual([
    'user: hello',
    'assistant: Hello.',
    expect.stringMatching(/^user: \[A part .*\] \| something else$/),
  ]);
});

test('a message that was refused by the fallback alone, since the model is not to be had, is left out', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const fails = new ModelFailure('MODEL_UNKNOWN', 'No.', { type: 'x', retriable: false });
  const model = new PlayedModel(({ plan, messages }) => {
    if (plan.name !== 'other') return { fails };
    return JSON.stringify(messages).includes('BADWORD') ? REFUSAL : 'Answered.';
  });
  for (const words of ['hello', 'tell me BADWORD', 'something else']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual([
    'completed',
    'error',
    'completed',
  ]);
});

test('what the fallback refuses while another message joins is left out of the call that follows', async () => {
  const unit = new UnitDouble({ fallback: 'other' });
  const fails = new ModelFailure('MODEL_UNKNOWN', 'No.', { type: 'x', retriable: false });
  const model = new PlayedModel(({ plan, messages }) => {
    if (plan.name !== 'other') return { fails };
    if (!JSON.stringify(messages).includes('BADWORD')) return 'Answered.';
    return { ...REFUSAL, after: () => Promise.resolve(unit.say('something else')) };
  });
  unit.say('BADWORD');

  await settle(unit, model);

  expect(model.requests.map(({ plan }) => plan.name)).toEqual(['echo', 'other', 'other']);
  expect(model.shown()).toEqual([expect.stringMatching(/^user: \[A part .*\] \| something else$/)]);
  expect(unit.session.turn?.outcome).toBe('completed');
});
