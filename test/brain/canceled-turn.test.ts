/** What becomes of a turn that its user stopped. */
import { expect, test } from 'vitest';
import { Conversation } from '../../src/brain/conversation.ts';
import { runTools } from '../../src/brain/tool-calls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { STOP_GRACE_MS } from '../../src/supervisor/limit.ts';
import { forever, ModelDouble } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const ECHO = { rules: [{ answer: [{ text: 'You said: {{user}}' }] }] };

test('an order that was canceled while it was queued is not handed to the model as if it had just been said', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble(ECHO);
  unit.say('delete everything');
  unit.command({ kind: 'cancel', actor: { kind: 'human' } });
  unit.say('hello');

  await settle(unit, model);

  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['canceled', 'completed']);
  expect(textsOf(model)).toEqual([
    'delete everything',
    expect.stringContaining('The user stopped the turn here.'),
    'hello',
  ]);
});

test('an order that was canceled during its first model call is marked as stopped too (CONVERSATION-2)', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble(ECHO);
  model.before = async ({ callId }, signal) => {
    if (callId !== 't1m1') return;
    unit.command({ kind: 'cancel', actor: { kind: 'human' } });
    await forever(signal);
  };
  unit.say('delete everything');
  await settle(unit, model);
  unit.say('hello');

  await settle(unit, model);

  expect(textsOf(model)).toEqual([
    'delete everything',
    expect.stringContaining('The user stopped the turn here.'),
    'hello',
  ]);
});

test('a message that waited for the turn after the canceled one is live', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble(ECHO);
  model.before = async ({ callId }, signal) => {
    if (callId !== 't1m1') return;
    unit.say('then this', 'queue');
    unit.command({ kind: 'cancel', actor: { kind: 'human' } });
    await forever(signal);
  };
  unit.say('delete everything');

  await settle(unit, model);

  expect(textsOf(model).at(-1)).toBe('then this');
  expect(textsOf(model)).toHaveLength(3);
});

test('the brain writes the results of canceled tools long before the supervisor steps in', async () => {
  const waits: number[] = [];
  const wanted = new AbortController();
  const unit = new UnitDouble({
    tool: () => {
      wanted.abort();
      return new Promise(() => undefined);
    },
  });
  const clock = {
    ...systemClock,
    sleep(ms: number) {
      waits.push(ms);
      return Promise.resolve();
    },
  };
  const call = {
    callId: 't1m1.0',
    toolUseId: 'u',
    tool: 'bash',
    input: { command: 'sleep 60' },
    seq: 4,
    inherited: false,
  };
  const signals = { wanted: wanted.signal, signal: new AbortController().signal };

  await runTools({ unit, clock }, [call], signals, () => Promise.resolve());

  expect(unit.canceled).toEqual(['t1m1.0']);
  expect(waits).toHaveLength(1);
  expect(waits[0]).toBeLessThanOrEqual(STOP_GRACE_MS / 2);
});

test('a call of this brain stays its own when the turn is canceled', async () => {
  const unit = new UnitDouble({ tool: () => new Promise(() => undefined) });
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'test' });
  unit.command({ kind: 'beginTurn' });
  const turnId = unit.session.turn?.id;
  const system = { kind: 'system' } as const;
  const call = { callId: 't1m1.0', modelCallId: 't1m1', toolUseId: 'a', tool: 'bash', input: {} };
  unit.note({ type: 'model.started', actor: system, turnId, body: { callId: 't1m1', inputToSeq: 1 } });
  unit.note({ type: 'tool.call', actor: { kind: 'agent' }, turnId, body: call });
  unit.note({
    type: 'model.completed',
    actor: system,
    turnId,
    body: { callId: 't1m1', stopReason: 'tool_use' },
  });
  const conversation = new Conversation(unit.assignmentNow());
  unit.command({ kind: 'cancel', actor: { kind: 'human' } });

  for (const event of unit.log) conversation.absorb(event);

  expect(conversation.openTools()).toMatchObject([{ callId: 't1m1.0', inherited: false }]);
});

function textsOf(model: ModelDouble): readonly string[] {
  const messages = model.requests.at(-1)?.messages ?? [];
  return messages.flatMap(({ blocks }) =>
    blocks.map((block) => (block.kind === 'text' ? block.text : block.kind)),
  );
}
