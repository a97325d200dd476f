/** Answers that are cut off, and conversations that outgrow the model's context. */
import { purposeOf } from '../../src/brain/call-id.ts';
import { expect, test } from 'vitest';
import { fitted } from '../../src/brain/fitting.ts';
import {
  ModelFailure,
  type ModelMessage,
  type ModelRequest,
  PROMPT_TOO_LONG,
} from '../../src/brain/model.ts';
import { ModelDouble } from './model-double.ts';
import { QUICK, settle } from './stage.ts';
import { ok, UnitDouble } from './unit-double.ts';

const NOTHING = { answer: [], stopReason: 'max_tokens' };

test('an answer that was cut off inside its only tool call is told so, not asked for again as it was', async () => {
  const unit = new UnitDouble();
  unit.say('write a book');
  const model = new ModelDouble({
    rules: [{ when: { said: 'cut off' }, answer: [{ text: 'One page, then.' }] }, NOTHING],
  });

  await settle(unit, model);

  expect(model.requests).toHaveLength(2);
  expect(lastText(model.requests[1])).toContain('nothing of it could be kept');
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a second answer in a row of which nothing could be kept ends the turn with an error', async () => {
  const unit = new UnitDouble();
  unit.say('write a book');
  const model = new ModelDouble({ rules: [NOTHING] });

  await settle(unit, model);

  expect(model.requests).toHaveLength(2);
  expect(unit.bodies('error.model')).toMatchObject([{ code: 'MODEL_ANSWER_CUT' }]);
  expect(unit.session.turn).toMatchObject({ outcome: 'error', failure: { code: 'MODEL_ANSWER_CUT' } });
});

test('thinking that a cut answer ends with is not given back', async () => {
  const unit = new UnitDouble();
  unit.say('write a book');
  const model = new ModelDouble({
    rules: [
      { when: { said: 'cut off' }, answer: [{ text: 'One page, then.' }] },
      { answer: [{ thinking: 'A long book.' }], stopReason: 'max_tokens' },
    ],
  });

  await settle(unit, model);

  expect(model.requests[1]?.messages.map(({ role }) => role)).toEqual(['user']);
});

test('tool results that fill the context since the last metering are counted before the next call', async () => {
  const unit = new UnitDouble({
    settings: { contextWindow: 20_000 },
    tool: () => Promise.resolve(ok('x'.repeat(30_000))),
  });
  const model = new ModelDouble({
    rules: [
      { when: { user: 'Write down everything' }, answer: [{ text: 'The file was read four times: all x.' }] },
      { when: { said: 'condensed' }, answer: [{ text: 'Done.' }] },
      { answer: [1, 2, 3, 4].map(() => ({ tool: 'read', input: { path: 'x' } })) },
    ],
  });
  unit.say('read it all');

  await settle(unit, model, QUICK);

  expect(model.requests.map(({ callId }) => callId)).toEqual(['t1m1', 't1c2', 't1m3']);
  expect(JSON.stringify(model.requests[1]?.messages).length).toBeLessThan(20_000 * 4);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a prompt that the service refuses as too long is condensed, and the session goes on', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble({
    rules: [
      { when: { user: 'Write down everything' }, answer: [{ text: 'Hello was said.' }] },
      { answer: [{ text: 'Noted.' }] },
    ],
  });
  let refusals = 0;
  model.before = ({ callId }) => {
    if (callId !== 't1m1') return Promise.resolve();
    refusals += 1;
    throw tooLong();
  };
  unit.say('hello');

  await settle(unit, model);

  expect(refusals).toBe(1);
  expect(model.requests.map(({ callId }) => callId)).toEqual(['t1m1', 't1c2', 't1m3']);
  expect(lastText(model.requests[1])).toContain('Write down everything');
  expect(JSON.stringify(model.requests[1]?.messages)).not.toContain('cut off');
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a compaction that is refused as too long is made again with less', async () => {
  const unit = new UnitDouble({
    settings: { contextWindow: 30_000 },
    tool: () => Promise.resolve(ok('x'.repeat(30_000))),
  });
  const sizes: number[] = [];
  const model = new ModelDouble({
    rules: [
      { when: { user: 'Write down everything' }, answer: [{ text: 'The file was read four times: all x.' }] },
      { when: { said: 'condensed' }, answer: [{ text: 'Done.' }] },
      { answer: [1, 2, 3, 4].map(() => ({ tool: 'read', input: { path: 'x' } })) },
    ],
  });
  model.before = (request) => {
    if (purposeOf(request.callId) === 'answer') return Promise.resolve();
    sizes.push(JSON.stringify(request.messages).length);
    if (sizes.length < 3) throw tooLong();
    return Promise.resolve();
  };
  unit.say('read it all');

  await settle(unit, model, QUICK);

  expect(unit.bodies('model.retried').map(({ waitMs }) => waitMs)).toEqual([0, 0]);
  const compactions = model.requests.filter(({ callId }) => purposeOf(callId) === 'compaction');
  expect(compactions.map(({ toolChoice }) => toolChoice)).toEqual([undefined, 'none', 'none']); // the prefix is lost by then
  expect(sizes[1]).toBeLessThan(sizes[0] ?? 0);
  expect(sizes[2]).toBeLessThan(sizes[1] ?? 0);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a request that is too long also after a compaction ends the turn, and the next turn starts with another one', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble({
    rules: [
      { when: { user: 'Write down everything' }, answer: [{ text: 'Too much.' }] },
      { answer: [{ text: 'Noted.' }] },
    ],
  });
  model.before = ({ callId }) => {
    if (['t1m1', 't1m3', 't2m1'].includes(callId)) throw tooLong();
    return Promise.resolve();
  };
  unit.say('hello');
  await settle(unit, model);
  const failure = unit.session.turn?.failure;
  unit.say('again');

  await settle(unit, model);

  expect(failure).toMatchObject({ code: 'MODEL_CONTEXT_FULL' });
  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['error', 'completed']);
});

test('what does not fit is shortened from the oldest on: results first, then texts, then whole messages', () => {
  const messages = [1, 2, 3].flatMap((number): ModelMessage[] => [
    { role: 'user', blocks: [{ kind: 'text', text: `order ${number} ${'o'.repeat(3_000)}` }] },
    {
      role: 'assistant',
      blocks: [
        { kind: 'thinking', text: 'hm', signature: 's' },
        { kind: 'tool', toolUseId: `u${number}`, tool: 'write', input: { content: 'w'.repeat(3_000) } },
      ],
    },
    {
      role: 'user',
      blocks: [{ kind: 'result', toolUseId: `u${number}`, output: 'r'.repeat(9_000), failed: false }],
    },
    { role: 'assistant', blocks: [{ kind: 'text', text: `done ${number}` }] },
  ]);

  expect(fitted(messages, 100_000)).toEqual(messages);
  const lessWork = JSON.stringify(fitted(messages, 10_000));
  expect(lessWork.match(/o{3000}/g)).toHaveLength(3);
  expect(lessWork.match(/r{9000}/g)).toHaveLength(2);
  const lessText = fitted(messages, 3_500);
  expect(lessText).toHaveLength(messages.length);
  expect(JSON.stringify(lessText)).not.toMatch(/r{9000}|w{3000}/);
  const fewer = fitted(messages, 1_200);
  expect(JSON.stringify(fewer).length / 4).toBeLessThanOrEqual(1_400);
  expect(JSON.stringify(fewer[0])).toContain('order 1');
  expect(JSON.stringify(fewer.at(-1))).toContain('done 3');
});

test('a result whose call was left out is given as text, since the service refuses it otherwise', () => {
  const messages: ModelMessage[] = [
    { role: 'user', blocks: [{ kind: 'text', text: 'go' }] },
    {
      role: 'assistant',
      blocks: [
        { kind: 'tool', toolUseId: 'u1', tool: 'write', input: { content: 'w'.repeat(900) } },
        { kind: 'text', text: 't'.repeat(900) },
      ],
    },
    { role: 'user', blocks: [{ kind: 'result', toolUseId: 'u1', output: 'fine', failed: false }] },
  ];

  const [only, ...others] = fitted(messages, 150);

  expect(others).toEqual([]);
  expect(only?.blocks.map(({ kind }) => kind)).toEqual(['text', 'text', 'text']);
  expect(JSON.stringify(only)).toContain('fine');
});

function tooLong(): ModelFailure {
  return new ModelFailure('MODEL_CONTEXT_FULL', 'prompt is too long', {
    type: PROMPT_TOO_LONG,
    retriable: false,
  });
}

function lastText(request: ModelRequest | undefined): string {
  return JSON.stringify(request?.messages.at(-1)?.blocks.at(-1));
}
