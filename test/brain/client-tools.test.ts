/** Tools that somebody outside runs, as the brain offers, checks and waits for them. */
import { expect, it } from 'vitest';
import { offeredTools } from '../../src/brain/client-tools.ts';
import { TOOLBOX } from '../../src/brain/toolbox.ts';
import { paramsOf } from '../../src/platform/anthropic/params.ts';
import { APPEND_EVENTS_MAX, TOOL_CALLS_MAX } from '../../src/kernel/limit.ts';
import { type AgentTool, BUILT_IN_TOOLS } from '../../src/sessions/agent-tool.ts';
import type { ToolAnswer } from '../../src/sessions/tool-requests.ts';
import { PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const LOOKUP: AgentTool = {
  name: 'lookup',
  description: 'Looks up an order.',
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    properties: { order: { type: 'integer' } },
    required: ['order'],
    additionalProperties: false,
  },
  timeoutSeconds: 60,
};
const NOW = { name: 'now', description: 'The time.', inputSchema: { type: 'object' } };

const calls = (...inputs: readonly object[]) => ({
  blocks: inputs.map((input) => toolBlock('lookup', input)),
});
const resolve = (unit: UnitDouble, callId: string, answer: ToolAnswer) =>
  unit.command({ kind: 'resolveTool', callId, answer, actor: { kind: 'human' } });
const say = (unit: UnitDouble, text: string): void => unit.say(text);

it('are offered after the tools of every session, whose names nobody else may have', async () => {
  const unit = new UnitDouble({ tools: [LOOKUP, NOW] });
  const model = new PlayedModel(() => 'Hello.');
  say(unit, 'go');

  await settle(unit, model);

  const offered = model.requests[0]?.tools ?? [];
  expect(offered.slice(0, TOOLBOX.length)).toEqual(TOOLBOX);
  expect(offered.slice(TOOLBOX.length).map(({ name }) => name)).toEqual(['lookup', 'now']);
  expect(unit.bodies('model.started')[0]?.tools).toEqual(offered);
  expect(TOOLBOX.map(({ name }) => name)).toEqual(BUILT_IN_TOOLS);
  const sent = paramsOf(model.requests[0] as (typeof model.requests)[number]).tools?.slice(-2);
  expect(sent?.[0]).toMatchObject({ name: 'lookup', input_schema: LOOKUP.inputSchema });
  expect(sent?.[1]).toMatchObject({ name: 'now', input_schema: { type: 'object' } });
});

it('of a name that a later version has itself are offered in place of that one', () => {
  const own = { name: 'bash', description: 'Mine.', schema: { type: 'object' } };

  const offered = offeredTools([own]);

  expect(offered.filter(({ name }) => name === 'bash')).toEqual([own]);
  expect(offered).toHaveLength(TOOLBOX.length);
});

it('proves TOOLS-2: nobody is asked about an input that does not fit, and the model mends it', async () => {
  const unit = new UnitDouble({ tools: [LOOKUP] });
  const model = new PlayedModel((_, number) => {
    if (number === 1) return calls({ order: 'seven' }, { order: 7, of: 'me' });
    return number === 2 ? calls({ order: 7 }) : 'There.';
  });
  say(unit, 'go');

  await settle(unit, model);

  const results = unit.bodies('tool.result');
  expect(results.map(({ outcome }) => outcome)).toEqual(['failed', 'failed']);
  expect(results.map(({ output }) => output)).toEqual([
    'The call was not made: its input does not fit the schema of lookup: /order must be integer. Mend the input and make it again.',
    expect.stringContaining('additional properties ("of")'),
  ]);
  expect(unit.bodies('tool.requested')).toMatchObject([
    { callId: 't1m2.0', kind: 'client', input: { order: 7 }, timeoutSeconds: 60 },
  ]);
  expect(unit.session.status).toBe('awaiting_input');
  expect(unit.runs.size, 'no hands were asked').toBe(0);

  resolve(unit, 't1m2.0', { kind: 'answer', output: 'It is on its way.' });
  await settle(unit, model);

  expect(unit.bodies('turn.completed')).toMatchObject([{ outcome: 'completed' }]);
  expect(JSON.stringify(model.requests[2]?.messages.at(-1))).toContain('It is on its way.');
});

it('run beside tools of the hands, and what became of those that nobody ran is told as a failure', async () => {
  const unit = new UnitDouble({ tools: [LOOKUP] });
  const model = new PlayedModel((_, number) =>
    number === 1
      ? {
          blocks: [
            toolBlock('lookup', { order: 1 }),
            toolBlock('list', {}),
            toolBlock('lookup', { order: 2 }),
          ],
        }
      : 'Done.',
  );
  say(unit, 'go');
  await settle(unit, model);
  expect([...unit.runs.keys()]).toEqual(['t1m1.1']);
  expect(unit.session.status).toBe('awaiting_input');

  resolve(unit, 't1m1.2', { kind: 'fail', reason: 'No such order.' });
  expect(unit.session.status, 'one still waits').toBe('awaiting_input');
  unit.command({ kind: 'expireTools', now: Number.MAX_SAFE_INTEGER });
  await settle(unit, model);

  const [messages] = [model.requests[1]?.messages.at(-1)];
  expect(
    messages?.blocks.map((block) => (block.kind === 'result' ? [block.failed, block.output] : [])),
  ).toEqual([
    [true, expect.stringMatching(/^\[timed_out\] Nobody answered this call in time\./)],
    [false, expect.any(String)],
    [true, 'No such order.'],
  ]);
  expect([...unit.runs.values()]).toEqual([1]);
});

it('more of them than an append has room for are asked for as far as one answer may, and the model is told of the others', async () => {
  const unit = new UnitDouble({ tools: [LOOKUP] });
  const model = new PlayedModel((_, number) =>
    number === 1 ? calls(...Array.from({ length: 250 }, (_call, order) => ({ order }))) : 'Done.',
  );
  say(unit, 'go');

  await settle(unit, model);

  expect(unit.session.status).toBe('awaiting_input');
  expect(unit.bodies('tool.requested')).toHaveLength(TOOL_CALLS_MAX);
  const ofAnswer = unit.log.filter(({ type }) => /^(tool\.(call|requested)|model\.completed)$/.test(type));
  expect(ofAnswer.length).toBeLessThanOrEqual(APPEND_EVENTS_MAX);
  expect(unit.bodies('tool.call').at(-1)?.defect).toContain('more calls are not shown here');
});

it('a name that is no tool is answered with those that there are', async () => {
  const unit = new UnitDouble({ tools: [LOOKUP] });
  const model = new PlayedModel((_, number) =>
    number === 1 ? { blocks: [toolBlock('look', {})] } : 'Sorry.',
  );
  say(unit, 'go');

  await settle(unit, model);

  expect(unit.bodies('tool.result')[0]?.output).toMatch(/There is no tool "look".*, ask, lookup\.$/);
});
