/** What a brain makes of calls that wait for somebody. */
import { expect, test } from 'vitest';
import { wantsBrain } from '../../src/sessions/lifecycle.ts';
import { ModelDouble } from './model-double.ts';
import { settle } from './stage.ts';
import { Crash, ok, UnitDouble } from './unit-double.ts';

const WORK = {
  rules: [
    {
      when: { answers: 0 },
      answer: [
        { tool: 'write', input: { path: 'a.txt', content: 'a' } },
        { tool: 'bash', input: { command: 'deploy' } },
      ],
    },
    { answer: [{ text: 'Done.' }] },
  ],
};
const HUMAN = { kind: 'human' } as const;
const LOOKED_AT = [{ tool: 'bash', action: 'ask' }] as const;

function careful(tool: (name: string) => Promise<void> = () => Promise.resolve()): UnitDouble {
  const unit = new UnitDouble({
    tool: async (_callId, call) => {
      await tool(call.tool);
      return ok(JSON.stringify(call.input));
    },
  });
  unit.session = { ...unit.session, toolRules: LOOKED_AT };
  unit.say('deploy');
  return unit;
}

const approve = (unit: UnitDouble, input?: unknown) =>
  unit.command({
    kind: 'resolveTool',
    callId: 't1m1.1',
    actor: HUMAN,
    answer: input === undefined ? { kind: 'approve' } : { kind: 'approve', input },
  });

test('a call that waits is left alone until it is approved, and the others run', async () => {
  const unit = careful();
  const model = new ModelDouble(WORK);
  await settle(unit, model);

  expect(unit.session).toMatchObject({ status: 'awaiting_input', turn: { state: 'running' } });
  expect([...unit.runs]).toEqual([['t1m1.0', 1]]);
  approve(unit);
  await settle(unit, model);

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(unit.runs.get('t1m1.1')).toBe(1);
});

test('a call that is approved beside one that runs starts at once', async () => {
  let approved = false;
  let release = (): void => undefined;
  const deployed = new Promise<void>((resolve) => {
    release = resolve;
  });
  const unit: UnitDouble = careful(async (tool) => {
    if (tool === 'bash') return release();
    if (!approved) approve(unit);
    approved = true;
    await deployed; // the first call ends only after the second has run
  });
  await settle(unit, new ModelDouble(WORK));

  expect(unit.session.turn?.outcome).toBe('completed');
  expect([...unit.runs.values()]).toEqual([1, 1]);
});

test('a call that is approved with another input runs with that, and the model is told', async () => {
  const unit = careful();
  const model = new ModelDouble(WORK);
  await settle(unit, model);
  approve(unit, { command: 'deploy --dry' });
  await settle(unit, model);

  const output =
    'Whoever approved this call changed its input. It ran with: {"command":"deploy --dry"}\n\n{"command":"deploy --dry"}';
  expect(unit.bodies('tool.result').at(-1)).toMatchObject({ output });
  expect(JSON.stringify(model.requests.at(-1))).toContain(JSON.stringify(output).slice(1, -1));
});

test('a brain that crashes at any append, with an approval between, leaves the same story and runs no tool twice', async () => {
  const story = async (at: number, when: 'before' | 'after'): Promise<readonly unknown[]> => {
    const unit = careful();
    const model = new ModelDouble(WORK);
    unit.crash = (append, now) => {
      if (append === at && now === when) throw new Crash();
    };
    await settle(unit, model);
    if (!wantsBrain(unit.session)) approve(unit);
    await settle(unit, model);
    expect([...unit.runs.values()].every((count) => count === 1)).toBe(true);
    return unit.log.map(({ type }) => type).filter((type) => type !== 'brain.started');
  };
  const whole = await story(0, 'before');
  expect(whole.at(-1)).toBe('turn.completed');
  for (let at = 1; at <= 8; at += 1)
    for (const when of ['before', 'after'] as const) expect([at, await story(at, when)]).toEqual([at, whole]);
});
