import { expect, test } from 'vitest';
import { runBrain } from '../../src/brain/turn-loop.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { forever, ModelDouble } from './model-double.ts';
import { QUICK, settle } from './stage.ts';
import { Crash, ok, replaced, UnitDouble } from './unit-double.ts';

const WORK = {
  rules: [
    { when: { result: 'b.txt' }, answer: [{ text: 'Both are written.' }] },
    { when: { said: 'colour', result: 'asked' }, answer: [{ text: 'Then {{user}}.' }] },
    { when: { user: 'colour' }, answer: [{ tool: 'ask', input: { question: 'Which colour?' } }] },
    {
      when: { user: 'write' },
      answer: [
        { thinking: 'Two files.' },
        { text: 'I write two files.' },
        { tool: 'write', input: { path: 'a.txt', content: 'a' } },
        { tool: 'write', input: { path: 'b.txt', content: 'b' } },
      ],
    },
    { answer: [{ text: 'You said: {{user}}' }] },
  ],
};

test('a turn with tools is told as one story: call, answer, tools, results, answer, done', async () => {
  const unit = new UnitDouble();
  unit.say('write two files');

  await settle(unit, new ModelDouble(WORK));

  expect(unit.log.map(({ type }) => type)).toEqual([
    'user.message',
    'brain.started',
    'turn.started',
    'model.started',
    'agent.thinking',
    'agent.message',
    'tool.call',
    'tool.call',
    'model.completed',
    'tool.result',
    'tool.result',
    'model.started',
    'agent.message',
    'model.completed',
    'turn.completed',
  ]);
  expect(unit.session.turn).toMatchObject({ outcome: 'completed', state: 'completed' });
  expect(unit.log.filter(({ type }) => type === 'agent.message').map(({ level }) => level)).toEqual([
    'progress',
    'user',
  ]);
  expect(unit.bodies('tool.call').map(({ callId }) => callId)).toEqual(['t1m1.0', 't1m1.1']);
});

test('a brain that crashes at any append, before or after it lands, leaves the same story and runs no tool twice', async () => {
  const whole = new UnitDouble();
  whole.say('write two files');
  await settle(whole, new ModelDouble(WORK));
  const story = sorted(whole.story());
  const appends = whole.appends.length;

  for (let at = 1; at <= appends; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const unit = new UnitDouble();
      unit.crash = (append, moment) => {
        if (append === at && moment === when) throw new Crash();
      };
      unit.say('write two files');

      const { crashes } = await settle(unit, new ModelDouble(WORK));

      expect(crashes, `append ${at} ${when}`).toBe(1);
      expect(sorted(unit.story()), `append ${at} ${when}`).toEqual(story);
      expect([...unit.runs.values()], `append ${at} ${when}`).toEqual([1, 1]);
    }
  }
});

test('an append has the same key whichever brain makes it, once, and no other has it (TURN-1, TURN-2)', async () => {
  const whole = new UnitDouble();
  whole.say('write two files');
  await settle(whole, new ModelDouble(WORK));
  const keys = whole.appends.toSorted();
  expect(new Set(keys).size).toBe(keys.length);

  for (let at = 1; at <= keys.length; at += 1) {
    const unit = new UnitDouble();
    unit.crash = (append, when) => {
      if (append === at && when === 'before') throw new Crash();
    };
    unit.say('write two files');
    await settle(unit, new ModelDouble(WORK));

    expect(unit.appends.length, `append ${at}`).toBeGreaterThan(keys.length);
    expect([...new Set(unit.appends)].toSorted(), `append ${at}`).toEqual(keys);
  }
});

test('a brain that crashes at every single append once still ends the turn with the same story', async () => {
  const whole = new UnitDouble();
  whole.say('write two files');
  await settle(whole, new ModelDouble(WORK));
  const unit = new UnitDouble();
  const crashed = new Set<string>();
  unit.crash = (_, when) => {
    const key = `${unit.appends.at(-1)} ${when}`;
    if (crashed.has(key)) return;
    crashed.add(key);
    throw new Crash();
  };
  unit.say('write two files');

  await settle(unit, new ModelDouble(WORK));

  expect(sorted(unit.story())).toEqual(sorted(whole.story()));
  expect([...unit.runs.values()]).toEqual([1, 1]);
});

test('every prefix of the log of a finished turn is gone on with to the same story', async () => {
  const whole = new UnitDouble();
  whole.say('write two files');
  await settle(whole, new ModelDouble(WORK));

  for (let length = 1; length < whole.log.length; length += 1) {
    // A prefix that ends inside an append cannot be: an append lands whole (JOURNAL-3).
    if (insideAnswer(whole, length)) continue;
    const unit = UnitDouble.resumed(whole, length);

    await settle(unit, new ModelDouble(WORK));

    expect(sorted(unit.story()), `prefix of ${length}`).toEqual(sorted(whole.story()));
    expect([...unit.runs.values()], `prefix of ${length}`).toEqual([]);
  }
});

test('tool calls of one answer run at the same time', async () => {
  let running = 0;
  let together = 0;
  const both = Promise.withResolvers<void>();
  const unit = new UnitDouble({
    async tool() {
      running += 1;
      together = Math.max(together, running);
      if (running === 2) both.resolve();
      await both.promise;
      return ok('b.txt');
    },
  });
  unit.say('write two files');

  await settle(unit, new ModelDouble(WORK));

  expect(together).toBe(2);
});

test('a message that arrives during a call is shown to the model at the next call of the same turn', async () => {
  const model = new ModelDouble(WORK);
  const unit = new UnitDouble({
    tool: (callId) => {
      if (callId === 't1m1.0') unit.say('in blue, please');
      return Promise.resolve(ok('b.txt'));
    },
  });
  unit.say('write two files');

  await settle(unit, model);

  expect(unit.session.turnCount).toBe(1);
  expect(model.requests[1]?.messages.at(-1)?.blocks.map((block) => block.kind)).toEqual([
    'result',
    'result',
    'text',
  ]);
  expect(model.requests[1]?.messages.at(-1)?.blocks.at(-1)).toEqual({
    kind: 'text',
    text: 'in blue, please',
  });
});

test('a message that arrives while the turn is being finished gets another model call', async () => {
  const model = new ModelDouble(WORK);
  const unit = new UnitDouble();
  let said = false;
  unit.crash = (_, when) => {
    if (said || when === 'after' || unit.appends.at(-1) !== 't1/completed') return;
    said = true;
    unit.say('one more thing');
  };
  unit.say('hello');

  await settle(unit, model);

  expect(unit.session.turnCount).toBe(1);
  expect(unit.bodies('agent.message').map(({ text }) => text)).toEqual([
    'You said: hello',
    'You said: one more thing',
  ]);
});

test('a message in the mode queue waits for the next turn', async () => {
  const model = new ModelDouble(WORK);
  const unit = new UnitDouble();
  let said = false;
  model.before = async () => {
    if (!said) unit.say('and then?', 'queue');
    said = true;
  };
  unit.say('hello');

  await settle(unit, model);

  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['completed', 'completed']);
  expect(model.requests[0]?.messages).toHaveLength(1);
  expect(model.requests[1]?.messages).toHaveLength(3);
});

test('an interrupt aborts the model call, and the next turn knows both messages (TURN-3)', async () => {
  const model = new ModelDouble(WORK);
  const unit = new UnitDouble();
  let calls = 0;
  model.before = async (_, signal) => {
    calls += 1;
    if (calls > 1) return;
    unit.say('stop, do this', 'interrupt');
    await forever(signal);
  };
  unit.say('hello');

  await settle(unit, model);

  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['interrupted', 'completed']);
  expect(model.requests.at(-1)?.messages).toEqual([
    {
      role: 'user',
      blocks: [
        { kind: 'text', text: 'hello' },
        { kind: 'text', text: 'stop, do this' },
      ],
    },
  ]);
});

test('canceling stops running tools, writes their results, and ends the turn as canceled (TURN-3)', async () => {
  let started = 0;
  const unit = new UnitDouble({
    tool: (_, __, canceled) => {
      started += 1;
      if (started === 2) unit.command({ kind: 'cancel', actor: { kind: 'human' } });
      return new Promise((resolve) => {
        const end = (): void => resolve({ outcome: 'canceled', output: 'killed', durationMs: 5 });
        canceled.addEventListener('abort', end, { once: true });
      });
    },
  });
  unit.say('write two files');

  await settle(unit, new ModelDouble(WORK));

  expect(unit.canceled).toEqual(['t1m1.0', 't1m1.1']);
  expect(unit.bodies('tool.result').map(({ outcome }) => outcome)).toEqual(['canceled', 'canceled']);
  expect(unit.session.turn?.outcome).toBe('canceled');
});

test('a brain that finds a stopped turn with open tool calls does not run them', async () => {
  const whole = new UnitDouble();
  whole.say('write two files');
  await settle(whole, new ModelDouble(WORK));
  const calls = whole.log.findIndex(({ type }) => type === 'model.completed') + 1;
  const unit = UnitDouble.resumed(whole, calls);
  unit.command({ kind: 'cancel', actor: { kind: 'human' } });

  await settle(unit, new ModelDouble(WORK));

  expect([...unit.runs.keys()]).toEqual([]);
  expect(unit.bodies('tool.result').map(({ outcome }) => outcome)).toEqual(['canceled', 'canceled']);
  expect(unit.session.turn?.outcome).toBe('canceled');
});

test('a question ends the turn, and the next message answers it', async () => {
  const unit = new UnitDouble();
  unit.say('paint it, in a colour of my choice');
  const model = new ModelDouble(WORK);

  await settle(unit, model);
  const status = unit.session.status;
  unit.say('blue');
  await settle(unit, model);

  expect(status).toBe('awaiting_input');
  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual(['needs_input', 'completed']);
  expect(unit.bodies('agent.message').map(({ text }) => text)).toEqual(['Which colour?', 'Then blue.']);
  const { resultEventId } = unit.bodies<{ resultEventId: string }>('turn.completed')[0] ?? {};
  expect(resultEventId).toMatch(/^evt_/);
});

test('an unknown tool and an invalid input are told to the model and never reach the hands', async () => {
  const unit = new UnitDouble();
  unit.say('go');
  const answer = [
    { tool: 'teleport', input: {} },
    { tool: 'bash', input: { command: 7 } },
    { tool: 'read', input: {} },
  ];
  await settle(
    unit,
    new ModelDouble({ rules: [{ when: { answers: 0 }, answer }, { answer: [{ text: 'I see.' }] }] }),
  );

  expect(unit.bodies('tool.result').map(({ outcome }) => outcome)).toEqual(['failed', 'failed', 'failed']);
  expect(unit.bodies('tool.result').map(({ output }) => output)).toEqual([
    expect.stringContaining('There is no tool "teleport"'),
    '"command" of bash must be of type string.',
    'The input of read lacks "path".',
  ]);
  expect([...unit.runs.keys()]).toEqual([]);
});

test('a nearly full context is condensed, and the conversation goes on from the summary', async () => {
  const model = new ModelDouble({
    rules: [
      { when: { user: 'Write down everything' }, answer: [{ text: 'The user likes blue.' }] },
      { answer: [{ text: 'Noted.' }] },
    ],
  });
  const unit = new UnitDouble({ settings: { contextWindow: 1_000 } });
  model.before = async ({ callId }) => {
    const turnId = unit.session.turn?.id;
    const usage = {
      inputTokens: 10,
      outputTokens: 10,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 800,
      complete: true,
    };
    if (callId === 't1m1') {
      unit.command({
        kind: 'record',
        events: [
          { type: 'model.usage', actor: { kind: 'system' }, turnId, body: { callId, model: 'm', ...usage } },
        ],
      });
    }
  };
  unit.say('I like blue');
  await settle(unit, model, QUICK);
  unit.say('what do I like?');

  await settle(unit, model, QUICK);

  expect(model.requests.map(({ callId }) => callId)).toEqual(['t1m1', 't2c1', 't2m2']);
  expect(unit.bodies('conversation.compacted')[0]).toMatchObject({ summary: 'The user likes blue.' });
  const last = model.requests.at(-1)?.messages ?? [];
  expect(last).toHaveLength(1);
  expect(JSON.stringify(last)).toContain('The user likes blue.');
  expect(last[0]?.blocks.at(-1)).toEqual({ kind: 'text', text: 'what do I like?' });
});

test('an answer that was cut off at the output limit goes on in the same turn', async () => {
  const unit = new UnitDouble();
  unit.say('tell me a long story');
  const model = new ModelDouble({
    rules: [
      { when: { answers: 0 }, answer: [{ text: 'Once upon' }], stopReason: 'max_tokens' },
      { answer: [{ text: 'a time.' }] },
    ],
  });

  await settle(unit, model);

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(JSON.stringify(model.requests[1]?.messages.at(-1))).toContain('cut off');
});

test('a refusal of the model ends the turn with an error, and the next message starts clean', async () => {
  const unit = new UnitDouble();
  unit.say('something bad');
  const model = new ModelDouble({
    rules: [
      { when: { user: 'bad' }, answer: [{ text: 'No.' }], stopReason: 'refusal' },
      { answer: [{ text: 'Sure.' }] },
    ],
  });
  await settle(unit, model);
  unit.say('something good');

  await settle(unit, model);

  expect(unit.bodies('turn.completed').map(({ outcome, errorCode }) => [outcome, errorCode])).toEqual([
    ['error', 'MODEL_REFUSED'],
    ['completed', undefined],
  ]);
  expect(model.requests.at(-1)?.messages.map(({ role }) => role)).toEqual(['user']);
});

test('tokens are told as deltas that add up to the message', async () => {
  const unit = new UnitDouble();
  unit.say('hello');

  await settle(unit, new ModelDouble(WORK));

  expect(unit.deltas.map(({ text }) => text).join('')).toBe('You said: hello');
  expect(unit.deltas[0]).toMatchObject({ callId: 't1m1', offset: 0 });
});

test('a brain whose epoch is stale ends quietly as replaced (TURN-4)', async () => {
  const unit = new UnitDouble();
  unit.say('hello');
  unit.crash = () => {
    throw replaced();
  };

  const end = await run(unit);

  expect(end).toBe('replaced');
});

test('a brain whose session is archived in the middle of a model call ends (TURN-4)', async () => {
  const unit = new UnitDouble();
  const model = new ModelDouble(WORK);
  model.before = async (_, signal) => {
    unit.command({ kind: 'archive', actor: { kind: 'human' } });
    await forever(signal);
  };
  unit.say('hello');

  const end = await run(unit, model);

  expect(end).toBe('replaced');
  expect(unit.log.at(-1)?.type).toBe('session.archived');
});

test('a brain that is told to stop in the middle of a tool call ends and cancels nothing', async () => {
  const stop = new AbortController();
  const unit = new UnitDouble({
    tool: () => {
      setImmediate(() => stop.abort());
      return new Promise(() => undefined);
    },
  });
  unit.say('write two files');

  const end = await run(unit, new ModelDouble(WORK), stop.signal);

  expect(end).toBe('stopped');
  expect(unit.canceled).toEqual([]);
  expect(unit.session.turn?.state).toBe('running');
});

async function run(unit: UnitDouble, model = new ModelDouble(WORK), signal = new AbortController().signal) {
  unit.command({ kind: 'takeLease', owner: 'test' });
  return runBrain(
    { unit, model, clock: systemClock, logger: silentLogger },
    unit.assignmentNow(),
    signal,
    QUICK,
  );
}

/** Results of parallel tools land in any order; everything else has one order, which its own test looks at. */
function sorted(story: readonly string[]): readonly string[] {
  return story.map((line) => line.replace(/"resultEventId":"[^"]*"/, '')).toSorted();
}

function insideAnswer(unit: UnitDouble, length: number): boolean {
  const after = unit.log[length - 1]?.type;
  const next = unit.log[length]?.type;
  const written = ['agent.thinking', 'agent.message', 'tool.call'];
  return written.includes(after ?? '') && (written.includes(next ?? '') || next === 'model.completed');
}
