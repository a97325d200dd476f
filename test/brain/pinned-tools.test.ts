/** The tools that a session is offered are those of its log, whatever this version has. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { TOOLBOX_BEFORE_PINNING } from '../../src/brain/toolbox-before-pinning.ts';
import { TOOLBOX } from '../../src/brain/toolbox.ts';
import { PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const OTHER = [
  { name: 'bash', description: 'As it was.', schema: { type: 'object', properties: {}, required: [] } },
  { name: 'fetch', description: 'Gone by now.', schema: { type: 'object', properties: {}, required: [] } },
];

/** Begins a session whose first model call was journalled with `tools`, by a version that had them. */
function begun(tools: object | undefined): UnitDouble {
  const unit = new UnitDouble();
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'before' });
  unit.command({ kind: 'beginTurn' });
  const body = { callId: 't1m1', inputToSeq: 1, ...(tools === undefined ? {} : { tools }) };
  const turnId = unit.session.turn?.id;
  unit.command({
    kind: 'record',
    events: [{ type: 'model.started', actor: { kind: 'system' }, turnId, body }],
  });
  return unit;
}

test('the first call of a session writes its tools into the log, and no later one does', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1 ? { blocks: [toolBlock('list', {})] } : 'There.',
  );
  unit.say('look');
  await settle(unit, model);
  unit.say('again');

  await settle(unit, model);

  const starts = unit.bodies('model.started');
  expect(starts.map(({ tools }) => tools !== undefined)).toEqual([true, false, false]);
  expect(JSON.stringify(starts[0]?.tools)).toBe(JSON.stringify(TOOLBOX));
  expect(new Set(model.requests.map(({ tools }) => JSON.stringify(tools))).size).toBe(1);
});

test('a session goes on with the tools of its log, byte for byte, until it is condensed (CONVERSATION-4)', async () => {
  const unit = begun(OTHER);
  const model = new PlayedModel(({ callId }) =>
    callId === 't2m1' ? { stopReason: 'model_context_window_exceeded' } : `All is well at ${callId}, so far.`,
  );
  await settle(unit, model);
  unit.say('more');

  await settle(unit, model);

  expect(model.requests.map(({ callId, tools }) => [callId, tools[0]?.description])).toEqual([
    ['t1m1', 'As it was.'],
    ['t2m1', 'As it was.'],
    ['t2c2', 'As it was.'],
    ['t2m3', TOOLBOX[0]?.description],
  ]);
  expect(JSON.stringify(model.requests[0]?.tools)).toBe(JSON.stringify(OTHER));
});

test('a session of a version that wrote no tools goes on with those that it had', async () => {
  const unit = begun(undefined);
  const model = new PlayedModel(() => 'Hello.');

  await settle(unit, model);

  expect(model.requests[0]?.tools).toEqual(TOOLBOX_BEFORE_PINNING);
  expect(unit.bodies('model.started')).toHaveLength(1);
});

test('the tools of before are those of that commit, byte for byte', () => {
  const hash = createHash('sha256').update(JSON.stringify(TOOLBOX_BEFORE_PINNING)).digest('hex');

  expect(hash).toBe('9751bf72bb8999603a286380a696edbb8493d1a5a5ecebca44a073d3bea01957');
});

test('a call of a tool that was offered and is gone gets a failed result', async () => {
  const unit = begun(OTHER);
  const model = new PlayedModel((_, number) =>
    number === 1 ? { blocks: [toolBlock('fetch', {}), toolBlock('bash', { cmd: 'ls' })] } : 'Then not.',
  );

  await settle(unit, model);

  expect(unit.bodies('tool.result')).toMatchObject([
    { outcome: 'failed', output: expect.stringContaining('There is no tool "fetch"') },
    { outcome: 'failed', output: expect.stringContaining('lacks "command"') },
  ]);
  expect(unit.runs.size).toBe(0);
  expect(unit.session.turn?.outcome).toBe('completed');
});
