/** Tool calls as models write them when they write them badly. */
import type { MessageParam } from '@anthropic-ai/sdk/resources/messages/messages';
import { expect, test } from 'vitest';
import { type AnswerBlock, TOOL_USE_ID_CHARS_MAX } from '../../src/brain/model.ts';
import { BODY_BYTES_MAX, TOOL_CALLS_MAX } from '../../src/kernel/limit.ts';
import { paramsOf } from '../../src/platform/anthropic/params.ts';
import { PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

async function play(blocks: readonly AnswerBlock[]): Promise<{ unit: UnitDouble; model: PlayedModel }> {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => (number === 1 ? { blocks } : 'I see.'));
  unit.say('go');
  await settle(unit, model);
  return { unit, model };
}

/** The messages of the last request as the service gets them. */
function sent(model: PlayedModel): readonly MessageParam[] {
  const request = model.requests.at(-1);
  return request === undefined ? [] : paramsOf(request).messages;
}

function idsIn(messages: readonly (MessageParam | undefined)[]): readonly string[] {
  return messages.flatMap((message) =>
    Array.isArray(message?.content)
      ? message.content.flatMap((block) => (block.type === 'tool_use' ? [block.id] : []))
      : [],
  );
}

test('a call with a defect is journalled with it, not run, and answered with it', async () => {
  const defect = 'The input of bash is not JSON: {"command": tru';
  const { unit, model } = await play([
    { kind: 'tool', toolUseId: 'a', tool: 'bash', input: {}, defect },
    toolBlock('list', { path: '.' }, 'b'),
  ]);

  expect(unit.bodies('tool.call')[0]).toMatchObject({ input: {}, defect });
  expect(unit.bodies('tool.result')).toContainEqual(
    expect.objectContaining({ outcome: 'failed', output: defect }),
  );
  expect([...unit.runs.keys()]).toEqual(['t1m1.1']);
  expect(model.shown().at(-1)).toContain(`failed #a=${defect}`);
});

test('a model that writes nothing but broken calls is given up after five answers, not two hundred', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => ({
    blocks: [{ kind: 'tool', toolUseId: `t${number}`, tool: 'bash', input: {}, defect: 'Not JSON.' }],
  }));
  unit.say('go');

  await settle(unit, model);

  expect(model.requests).toHaveLength(5);
  expect(unit.session.turn).toMatchObject({ outcome: 'error', failure: { code: 'MODEL_ANSWER_INVALID' } });
});

test.each([
  ['doubled', 'same', 'same'],
  ['empty', '', ''],
  ['odd', 'functions.bash:0', 'functions.bash:1'],
  ['long', 'x'.repeat(300), 'y'.repeat(300)],
  ['longer than is kept', 'x'.repeat(1_100), `${'x'.repeat(1_100)}y`],
])('ids that are %s go to the service as usable ones, each with its own result', async (_, first, second) => {
  const { model } = await play([
    toolBlock('list', { path: 'one' }, first),
    toolBlock('list', { path: 'two' }, second),
  ]);

  const [assistant, user] = sent(model).slice(1);
  const ids = idsIn([assistant]);
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,1024}$/);
  expect(user?.content).toMatchObject([
    { tool_use_id: ids[0], content: expect.stringContaining('one') },
    { tool_use_id: ids[1], content: expect.stringContaining('two') },
  ]);
});

test.each([129, 257, TOOL_USE_ID_CHARS_MAX])(
  'an id of %i characters is kept and goes back as it is: a proxy may have put state into it',
  async (chars) => {
    const id = 'x'.repeat(chars);
    const { unit, model } = await play([toolBlock('list', {}, id)]);

    expect(unit.bodies('tool.call')[0]?.toolUseId).toBe(id);
    expect(idsIn(sent(model))).toEqual([id]);
  },
);

test('an id that was used in an earlier turn is not used again', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) =>
    callId.endsWith('m1') ? { blocks: [toolBlock('list', {}, 'call_0')] } : 'Listed.',
  );
  unit.say('one');
  await settle(unit, model);
  unit.say('two');

  await settle(unit, model);

  expect(idsIn(sent(model))).toEqual(['call_0', 'call_0_2']);
});

test('calls beyond what one answer may have are journalled, answered as not made, and told', async () => {
  const many = Array.from({ length: TOOL_CALLS_MAX + 6 }, (_, index) =>
    toolBlock('list', { path: `${index}` }, `t${index}`),
  );
  const { unit, model } = await play(many);

  expect(unit.bodies('tool.call')).toHaveLength(TOOL_CALLS_MAX + 6);
  expect(unit.runs.size).toBe(TOOL_CALLS_MAX);
  const failed = unit.bodies('tool.result').filter(({ outcome }) => outcome === 'failed');
  expect(failed).toHaveLength(6);
  expect(failed[0]?.output).toContain(`at most ${TOOL_CALLS_MAX} calls`);
  expect(model.requests[1]?.messages.at(-1)?.blocks).toHaveLength(TOOL_CALLS_MAX + 6);
});

test('of more calls than one append holds the rest is counted in the last', async () => {
  const many = Array.from({ length: 400 }, (_, index) => toolBlock('list', {}, `t${index}`));
  const { unit } = await play([{ kind: 'text', text: 'All of them.' }, ...many]);

  const calls = unit.bodies('tool.call');
  expect(calls).toHaveLength(254);
  expect(calls.at(-1)?.defect).toContain('146 more calls');
  expect(unit.session.turn?.outcome).toBe('completed');
});

test.each([undefined, 'The input of list is not JSON.'])(
  'calls for which the texts of an answer leave no room are counted in the last one that is kept (defect: %s)',
  async (defect) => {
    const texts = Array.from(
      { length: 200 },
      (_, index): AnswerBlock => ({ kind: 'text', text: `${index}` }),
    );
    const many = Array.from({ length: 70 }, (_, index) => ({
      ...toolBlock('list', {}, `t${index}`),
      ...(index === 54 && defect !== undefined ? { defect } : {}),
    }));
    const { unit, model } = await play([...texts, ...many]);

    expect(unit.bodies('tool.call')).toHaveLength(55);
    expect(unit.runs.size).toBe(54);
    const told = unit.bodies('tool.call').at(-1)?.defect;
    expect(told).toContain(defect ?? 'was not made');
    expect(told).toContain('15 more');
    expect(model.shown().at(-1)).toContain('15 more');
  },
);

test('an input that is too large for the log is kept as none, and the model is told', async () => {
  const content = 'x'.repeat(BODY_BYTES_MAX);
  const { unit } = await play([toolBlock('write', { path: 'a', content })]);

  expect(unit.bodies('tool.call')).toMatchObject([
    { input: {}, defect: expect.stringContaining('cannot be kept') },
  ]);
  expect(unit.bodies('tool.result')).toMatchObject([{ outcome: 'failed' }]);
});

test('a name as long as a command is kept as far as a name goes, and answered', async () => {
  const { unit } = await play([toolBlock(`cd /workspace && ${'echo hello; '.repeat(100_000)}`, {})]);

  expect(String(unit.bodies('tool.call')[0]?.tool).length).toBeLessThanOrEqual(200);
  expect(unit.bodies('tool.result')).toMatchObject([{ outcome: 'failed' }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});
