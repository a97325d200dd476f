/** A log of a version that journalled no tools is read as that version read it: its prompt cache is found, its thinking stays valid. */
import { expect, test } from 'vitest';
import type { NewEvent } from '../../src/journal/event.ts';
import { PlayedModel } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

const SYSTEM = { kind: 'system' } as const;
const AGENT = { kind: 'agent' } as const;
const SLEPT: NewEvent = { type: 'session.hibernated', actor: SYSTEM, body: { epoch: 1 } };

/** What the version of then (d3f00fe) sends after `written`, message for message. */
const SENT_THEN = [
  'user: look',
  'assistant: list{}#toolu_1',
  'user: #toolu_1=treasure',
  'assistant: There.',
  'user: and now?',
  'assistant: Still there.',
  'user: BADWORD | wait | really',
  'assistant: Half of',
  'user: Your last answer was cut off because it was too long. Go on where it stopped, in smaller steps.',
  'assistant: it.',
];

/** Turns of then: a tool, a sleep, a refusal, an answer of nothing while a message joined, and one that was cut. */
function written(): UnitDouble {
  const unit = new UnitDouble();
  let turn = 0;
  let call = 0;
  const put = (type: NewEvent['type'], body: object, actor: NewEvent['actor'] = SYSTEM): void =>
    unit.note({ type, actor, turnId: unit.session.turn?.id, body } as NewEvent);
  const begin = (text: string): void => {
    unit.say(text);
    unit.command({ kind: 'takeLease', owner: 'then' });
    unit.command({ kind: 'beginTurn' });
    turn += 1;
    call = 0;
  };
  const ask = (stopReason: string, ...said: readonly string[]): string => {
    call += 1;
    const callId = `t${turn}m${call}`;
    put('model.started', { callId, inputToSeq: unit.log.length });
    for (const text of said) put('agent.message', { callId, text }, AGENT);
    if (stopReason === 'tool_use') {
      const body = {
        callId: `${callId}.0`,
        modelCallId: callId,
        toolUseId: 'toolu_1',
        tool: 'list',
        input: {},
      };
      put('tool.call', body, AGENT);
    }
    put('model.completed', { callId, stopReason });
    return callId;
  };
  const end = (outcome: 'completed' | 'error'): void => void unit.command({ kind: 'completeTurn', outcome });

  begin('look');
  const used = ask('tool_use');
  put('tool.result', { callId: `${used}.0`, outcome: 'ok', output: 'treasure', durationMs: 1 });
  ask('end_turn', 'There.');
  end('completed');
  unit.note(SLEPT);
  begin('and now?');
  ask('end_turn', 'Still there.');
  end('completed');
  begin('BADWORD');
  ask('refusal', 'First you');
  end('error');
  begin('wait');
  ask('end_turn');
  unit.say('really');
  ask('max_tokens', 'Half of');
  ask('end_turn', 'it.');
  end('completed');
  return unit;
}

test('what such a log holds is sent as it was then, and what comes now is added to it (CONVERSATION-5)', async () => {
  const unit = written();
  const model = new PlayedModel(() => 'Yes.');
  unit.say('are you there?');

  await settle(unit, model);

  expect(model.shown()).toEqual([...SENT_THEN, 'user: are you there?']);
});

test('what happened since its last call is told, and what is declined from now on is left out', async () => {
  const unit = written();
  const model = new PlayedModel(({ messages }) =>
    JSON.stringify(messages).includes('BADWORD 2') ? { stopReason: 'refusal' } : 'Yes.',
  );
  const reverted = { reason: 'x', savedAt: 0 };
  unit.note({ type: 'workspace.reverted', actor: SYSTEM, body: reverted });
  for (const text of ['are you there?', 'BADWORD 2', 'something else']) {
    unit.say(text);
    await settle(unit, model);
  }

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown()).toEqual([
    ...SENT_THEN,
    expect.stringMatching(/^user: \[Files: .* is lost.*\] \| are you there\?$/),
    'assistant: Yes.',
    expect.stringMatching(/^user: \[A part .*\] \| something else$/),
  ]);
});

test('its next call journals the tools that it had, once: from there on it is a log of this version', async () => {
  const unit = written();
  const model = new PlayedModel(() => 'Yes.');
  for (const text of ['one', 'two']) {
    unit.say(text);
    await settle(unit, model);
  }

  const marked = unit.bodies('model.started').filter(({ tools }) => tools !== undefined);
  expect(marked.map(({ callId }) => callId)).toEqual(['t5m1']);
  expect(marked[0]?.tools).toEqual(model.requests[0]?.tools);
  expect(model.requests[1]?.tools).toEqual(model.requests[0]?.tools);
});
