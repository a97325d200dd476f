/** What counts as a summary, and what is done when the model writes none. */
import { expect, test } from 'vitest';
import { purposeOf } from '../../src/brain/call-id.ts';
import { compactAt, summaryOf } from '../../src/brain/compaction.ts';
import {
  type AnswerBlock,
  type MessagePlace,
  ModelFailure,
  type ModelFailureCode,
  type ModelRequest,
} from '../../src/brain/model.ts';
import { UnitRefusal } from '../../src/brain/unit.ts';
import { type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

/** A session whose first turn overflows; its compactions are answered by `condense`, number 1 first. */
async function condensed(condense: (number: number, request: ModelRequest) => Play | string) {
  const unit = new UnitDouble();
  let compactions = 0;
  const model = new PlayedModel((request) => {
    if (purposeOf(request.callId) === 'compaction') return condense((compactions += 1), request);
    if (request.callId === 't2m1') return { stopReason: 'model_context_window_exceeded' };
    return request.callId === 't1m1' ? { blocks: [toolBlock('bash', { command: 'make all' })] } : 'Went on.';
  });
  unit.say('The secret word is heron. Keep it in mind.');
  await settle(unit, model);
  unit.say('go on');
  await settle(unit, model);
  return { unit, model, compactions };
}

function failing(code: ModelFailureCode, type = 'x'): ModelFailure {
  return new ModelFailure(code, 'No.', { type, retriable: false });
}

function refusedFor(message: string, place?: MessagePlace): ModelFailure {
  return new ModelFailure('MODEL_REQUEST_INVALID', message, { type: 'x', retriable: false, place });
}

const text = (said: string): AnswerBlock[] => [{ kind: 'text', text: said }];
const LONG = 'The user gave the secret word heron, and wants it kept in mind.';

test.each<[string, Play]>([
  ['a refusal', { blocks: text(LONG), stopReason: 'refusal' }],
  ['one that is cut', { blocks: text(LONG), stopReason: 'max_tokens' }],
  ['a tool call', { blocks: [toolBlock('bash', { command: 'ls' })] }],
  [
    'a word and a tool call',
    { blocks: [{ kind: 'text', text: LONG }, toolBlock('bash', { command: 'ls' })] },
  ],
  ['nothing', {}],
  ['a word that is none', { blocks: text('OK.') }],
  ['a request that is refused for something in it', { fails: refusedFor('messages.1: no', { message: 1 }) }],
  ['a request that is refused for its tools', { fails: refusedFor('tool_use ids were not found') }],
  ['an answer that is blocked', { fails: failing('MODEL_REFUSED') }],
  ['an answer that is too large', { fails: failing('MODEL_ANSWER_TOO_LARGE') }],
])('%s is no summary: asked for again in other words, then made from the log', async (_, play) => {
  const asked: string[] = [];
  const { unit, compactions } = await condensed((_number, { messages }) => {
    asked.push(JSON.stringify(messages.at(-1)?.blocks.at(-1)));
    return play;
  });

  expect(compactions).toBe(2);
  expect(asked[0]).not.toContain('Answer with text only: the summary');
  expect(asked[1]).toContain('Answer with text only: the summary');
  const [compacted] = unit.bodies('conversation.compacted');
  expect(compacted).toMatchObject({ made: 'runtime' });
  for (const known of ['heron', 'make all', 'from the log']) expect(compacted?.summary).toContain(known);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('what the model wrote instead of a summary is part of the one that the runtime makes, but for a refusal', async () => {
  const { unit } = await condensed((number) => ({
    blocks: text(`Heron ${number}.`),
    stopReason: 'max_tokens',
  }));
  const declined = await condensed(() => ({ blocks: text('I cannot do that.'), stopReason: 'refusal' }));

  expect(unit.bodies('model.retried').map(({ wrote }) => wrote)).toEqual(['Heron 1.', 'Heron 2.']);
  expect(unit.bodies('conversation.compacted')[0]?.summary).toContain('asked for a summary:\nHeron 2.');
  expect(declined.unit.bodies('conversation.compacted')[0]?.summary).not.toContain('cannot');
});

test('a second try keeps the request as it was, so that the cached prefix is read; a refused request is put into words', async () => {
  const firsts = async (play: Play): Promise<readonly string[]> => {
    const { model } = await condensed((number) => (number === 1 ? play : LONG));
    const compactions = model.requests.filter(({ callId }) => purposeOf(callId) === 'compaction');
    return compactions.map(({ messages }) => JSON.stringify(messages.slice(0, 2)));
  };
  const refused = refusedFor('messages.1: no', { message: 1 });

  const [first, second] = await firsts({ stopReason: 'refusal' });
  const [, plain] = await firsts({ fails: refused });

  expect(second).toBe(first);
  expect(first).toContain('"kind":"tool"');
  expect(plain).not.toContain('"kind":"tool"');
});

test('the second try may succeed, and nothing was lost by the first', async () => {
  const { unit, model } = await condensed((number) => (number === 1 ? { stopReason: 'refusal' } : LONG));

  expect(unit.bodies('conversation.compacted')).toEqual([
    { callId: 't2c2', summary: LONG, throughSeq: expect.any(Number) },
  ]);
  expect(unit.bodies('model.retried')).toMatchObject([{ code: 'summary_invalid', waitMs: 0 }]);
  expect(model.shown(-2).join()).toContain('heron');
});

test('a compaction that stays too long is made by the runtime in the end', async () => {
  const details = { type: 'prompt_too_long', retriable: false };
  const { unit, compactions } = await condensed(() => ({
    fails: new ModelFailure('MODEL_CONTEXT_FULL', 'Too long.', details),
  }));

  expect(compactions).toBe(5);
  expect(unit.bodies('conversation.compacted')).toMatchObject([{ made: 'runtime' }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('an answer that never fits into the window does not go on for ever', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) =>
    purposeOf(callId) === 'compaction' ? LONG : { stopReason: 'model_context_window_exceeded' },
  );
  unit.say('hello');

  await settle(unit, model);

  expect(model.requests).toHaveLength(3);
  expect(unit.session.turn?.failure?.code).toBe('MODEL_CONTEXT_FULL');
});

test('a short conversation may have a short summary, a long one may not', () => {
  const said = (words: string) => ({
    blocks: [{ kind: 'text' as const, text: words }],
    stopReason: 'end_turn',
  });

  expect(summaryOf(said('Summary: the secret word is heron.'), 70)).toBeDefined();
  expect(summaryOf(said('went on'), 70)).toBeUndefined();
  expect(summaryOf(said('I will do so.'), 100_000)).toBeUndefined();
});

test('the room for the answer is taken into account, without condensing all the time', () => {
  expect(compactAt(200_000, 32_000)).toBe(150_000);
  expect(compactAt(200_000, 64_000)).toBe(136_000);
  expect(compactAt(128_000, 128_000)).toBe(32_000);
});

test.each([
  ['a page of no model service', failing('MODEL_ANSWER_INVALID', 'invalid_answer')],
  ['a request that is refused for nothing that is named', refusedFor('No.')],
  ['a field of the request', refusedFor('max_tokens: 64000 > 32000')],
])(
  '%s during a compaction ends the turn, and the conversation is whole in the next one',
  async (_, fails) => {
    const { unit, model, compactions } = await condensed((number) => (number === 1 ? { fails } : LONG));
    expect(compactions).toBe(1);
    expect(unit.bodies('error.model')).toMatchObject([{ code: fails.code }]);
    expect(unit.bodies('conversation.compacted')).toEqual([]);
    unit.say('and now?');

    await settle(unit, model);

    expect(unit.session.turn?.outcome).toBe('completed');
    expect(model.shown().join()).toContain('The secret word is heron');
  },
);

test('a compaction that is refused for nothing that is named in two turns is made by the runtime', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) => {
    if (purposeOf(callId) === 'compaction') return { fails: refusedFor('No.') };
    return callId === 't1m1' ? 'Noted, and kept.' : { stopReason: 'model_context_window_exceeded' };
  });
  unit.say('The secret word is heron.');
  await settle(unit, model);
  for (const words of ['two', 'three']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.bodies('conversation.compacted')).toMatchObject([{ made: 'runtime' }]);
});

test('a summary that the journal does not take is none: the next try may succeed', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) => {
    if (purposeOf(callId) === 'compaction') return LONG;
    return callId === 't1m1' ? { stopReason: 'model_context_window_exceeded' } : 'Went on.';
  });
  const append = unit.append.bind(unit);
  let refused = 0;
  unit.append = (request) => {
    if (!JSON.stringify(request).includes('conversation.compacted') || refused > 0) return append(request);
    refused += 1;
    return Promise.reject(new UnitRefusal('INVALID_INPUT', 'body: too large.'));
  };
  unit.say('The secret word is heron.');

  await settle(unit, model);

  expect(unit.bodies('model.retried')).toMatchObject([{ code: 'summary_invalid', waitMs: 0 }]);
  expect(unit.bodies('conversation.compacted')).toMatchObject([{ summary: LONG }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});
