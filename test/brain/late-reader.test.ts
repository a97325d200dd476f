/**
 * A brain whose server reads the log late: the line that says how far the log went may be older than the brain's own lease.
 * Found by the simulation (seed 11663): a tool call of the brain before was taken for one of its own, and ran a second time.
 */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { runBrain } from '../../src/brain/turn-loop.ts';
import type { UnitEvents, UnitToolCall } from '../../src/sessions/unit-wire.ts';
import type { Model } from '../../src/brain/model.ts';
import { forever } from './model-double.ts';
import { ok, UnitDouble } from './unit-double.ts';

it('takes no step before it has read its own lease, however far the log is said to go (TURN-2)', async () => {
  const asked: UnitToolCall[] = [];
  const stop = new AbortController();
  const unit = new UnitDouble({
    tool: async (_, call) => {
      asked.push(call);
      stop.abort();
      return ok('done');
    },
  });
  unit.say('go on');
  unit.command({ kind: 'takeLease', owner: 'before' });
  unit.command({ kind: 'beginTurn' });
  const turnId = unit.session.turn?.id;
  const body = {
    callId: 't1m1.0',
    modelCallId: 't1m1',
    toolUseId: 'u',
    tool: 'bash',
    input: { command: 'ls' },
  };
  unit.command({
    kind: 'record',
    events: [
      { type: 'model.started', actor: { kind: 'system' }, turnId, body: { callId: 't1m1', inputToSeq: 1 } },
      { type: 'tool.call', actor: { kind: 'agent' }, turnId, body },
      {
        type: 'model.completed',
        actor: { kind: 'system' },
        turnId,
        body: { callId: 't1m1', stopReason: 'tool_use' },
      },
    ],
  });
  const late = unit.log.length;
  unit.command({ kind: 'takeLease', owner: 'now' });
  const follow = unit.follow.bind(unit);
  unit.follow = async (after, receive: (batch: UnitEvents) => void, signal) => {
    receive({ events: unit.log.slice(0, late), head: late });
    await new Promise(setImmediate); // the brain would have gone on by now
    return follow(late, receive, signal);
  };

  const model: Model = { answer: (_, signal) => forever(signal) };
  await runBrain(
    { unit, model, clock: systemClock, logger: silentLogger },
    unit.assignmentNow(),
    stop.signal,
  );

  expect(asked).toMatchObject([{ tool: 'bash', inherited: true }]);
});
