/** Tool calls as models write them when they write them badly. */
import { expect, test } from 'vitest';
import type { AnswerBlock } from '../../src/brain/model.ts';
import { BODY_BYTES_MAX, TOOL_CALLS_MAX } from '../../src/kernel/limit.ts';
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
])('ids that are %s go back as usable ones, each with its own result', async (_, first, second) => {
  const { model } = await play([
    toolBlock('list', { path: 'one' }, first),
    toolBlock('list', { path: 'two' }, second),
  ]);

  const [, assistant, user] = model.requests[1]?.messages ?? [];
  const ids = assistant?.blocks.map((block) => ('toolUseId' in block ? block.toolUseId : '')) ?? [];
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_-]{1,128}$/);
  expect(user?.blocks).toMatchObject([
    { toolUseId: ids[0], output: expect.stringContaining('one') },
    { toolUseId: ids[1], output: expect.stringContaining('two') },
  ]);
});

test('an id that was used in an earlier turn is not used again', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ callId }) =>
    callId.endsWith('m1') ? { blocks: [toolBlock('list', {}, 'call_0')] } : 'Listed.',
  );
  unit.say('one');
  await settle(unit, model);
  unit.say('two');

  await settle(unit, model);

  const ids = model.requests
    .at(-1)
    ?.messages.flatMap(({ blocks }) =>
      blocks.flatMap((block) => (block.kind === 'tool' ? [block.toolUseId] : [])),
    );
  expect(ids).toEqual(['call_0', 'call_t2m1_0']);
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
  expect(calls.at(-1)?.defect).toContain('146 more of them');
  expect(unit.session.turn?.outcome).toBe('completed');
});

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
