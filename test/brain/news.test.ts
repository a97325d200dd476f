/** What happened to a session between two turns is told to the model, once, before what the user says next. */
import { expect, test } from 'vitest';
import { PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

async function worked(): Promise<{ unit: UnitDouble; model: PlayedModel }> {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1 ? { blocks: [toolBlock('bash', { command: 'make &' })] } : 'Done.',
  );
  unit.say('build it');
  await settle(unit, model);
  return { unit, model };
}

test('files that were lost are told before the next message, and not again', async () => {
  const { unit, model } = await worked();
  unit.note({ type: 'workspace.reverted', actor: { kind: 'system' }, body: { savedAt: 0, reason: 'x' } });
  unit.say('go on');
  await settle(unit, model);
  unit.say('and on');

  await settle(unit, model);

  expect(model.shown().slice(-3)).toEqual([
    expect.stringMatching(/^user: \[Files: .* since 1970-01-01T00:00:00.000Z is lost.*\] \| go on$/),
    'assistant: Done.',
    'user: and on',
  ]);
});

test('an empty workspace is told as such', async () => {
  const { unit, model } = await worked();
  unit.note({ type: 'workspace.reverted', actor: { kind: 'system' }, body: { reason: 'x' } });
  unit.say('go on');

  await settle(unit, model);

  expect(model.shown().at(-1)).toMatch(/^user: \[Files: all .* is lost; it is empty\..*\] \| go on$/);
});

test('a session that slept is told that its programs have ended', async () => {
  const { unit, model } = await worked();
  unit.note({ type: 'session.hibernated', actor: { kind: 'system' }, body: { epoch: 1, processes: 2 } });
  unit.say('go on');

  await settle(unit, model);

  expect(model.shown().at(-1)).toMatch(
    /^user: \[The session slept: .*\(2 have ended\), and \/tmp is empty.*\] \| go on$/,
  );
});

test('a session that used no tool has nothing to be told after it slept', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(() => 'Hello.');
  unit.say('hello');
  await settle(unit, model);
  unit.note({ type: 'session.hibernated', actor: { kind: 'system' }, body: { epoch: 1 } });
  unit.say('again');

  await settle(unit, model);

  expect(model.shown().at(-1)).toBe('user: again');
});
