/** Where a message stands in the conversation: at the first call that saw it, whoever makes that call, and however often. */
import { expect, test } from 'vitest';
import { PlayedModel } from './model-double.ts';
import { settle } from './stage.ts';
import { UnitDouble } from './unit-double.ts';

test('a call that is made again after a crash is the same request, without what has come since (CONVERSATION-2)', async () => {
  const unit = new UnitDouble();
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'before' });
  unit.command({ kind: 'beginTurn' });
  const inputToSeq = unit.log.length;
  unit.say('and wait'); // lands before the call, whose brain has not read it
  const turnId = unit.session.turn?.id;
  const body = { callId: 't1m1', inputToSeq };
  unit.note({ type: 'model.started', actor: { kind: 'system' }, turnId, body }); // then the brain is killed
  const model = new PlayedModel((_, number) => (number === 1 ? 'Gone.' : 'Waiting.'));

  await settle(unit, model);

  expect(model.requests.map(({ callId }) => callId)).toEqual(['t1m1', 't1m2']);
  expect(JSON.stringify(model.requests[0]?.messages)).not.toContain('and wait');
  expect(model.shown()).toEqual(['user: go', 'assistant: Gone.', 'user: and wait']);
});
