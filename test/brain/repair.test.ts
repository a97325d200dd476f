/** A request that the service refuses for what stands in it: repaired, condensed, or given up with a word on what to do. */
import { expect, test } from 'vitest';
import { purposeOf } from '../../src/brain/call-id.ts';
import { type MessagePlace, ModelFailure, type ModelRequest } from '../../src/brain/model.ts';
import { type Play, PlayedModel, toolBlock } from './model-double.ts';
import { settle } from './stage.ts';
import { Crash, UnitDouble } from './unit-double.ts';

const SUMMARY = 'The user wanted something, and it was done.';

function refusing(message: string, place?: MessagePlace): Play {
  const details = { type: 'invalid_request_error', retriable: false, place };
  return { fails: new ModelFailure('MODEL_REQUEST_INVALID', message, details) };
}

/** Refuses every request that holds `bad`, naming where; answers the others with `then`. */
function sour(bad: string, then: (request: ModelRequest) => Play | string, message = 'Bad.'): PlayedModel {
  return new PlayedModel((request) => {
    for (const [at, { blocks }] of request.messages.entries()) {
      const block = blocks.findIndex((one) => JSON.stringify(one).includes(bad));
      if (block >= 0) return refusing(`messages.${at}.content.${block}: ${message}`, { message: at, block });
    }
    return then(request);
  });
}

test('a text that is refused goes on as a note, in this request and all later ones', async () => {
  const unit = new UnitDouble();
  const model = sour('POISON', () => 'Fine.');
  unit.say('hello');
  await settle(unit, model);
  unit.say('POISON');
  await settle(unit, model);
  unit.say('again');

  await settle(unit, model);

  const repaired = unit.bodies('conversation.repaired');
  expect(repaired).toMatchObject([{ callId: 't2m1', repair: 'replaced', reason: expect.any(String) }]);
  const poisoned = unit.log.find(({ body }) => body.includes('POISON'));
  expect(repaired[0]?.repairedSeq).toBe(poisoned?.seq);
  expect(unit.bodies('turn.completed').map(({ outcome }) => outcome)).toEqual([
    'completed',
    'completed',
    'completed',
  ]);
  expect(model.shown()).toEqual([
    'user: hello',
    'assistant: Fine.',
    'user: [What stood here cannot be sent to the model any more.]',
    'assistant: Fine.',
    'user: again',
  ]);
});

test('what had been said of an answer that was cut goes on as a note when it is refused', async () => {
  const unit = new UnitDouble();
  const fails = new ModelFailure('MODEL_REFUSED', 'Blocked.', { type: 'blocked', retriable: false });
  let cut = false;
  const model = sour('POISON', () => {
    if (cut) return 'Fine.';
    cut = true;
    return { pieces: ['Some POISON'], fails };
  });
  unit.say('hello');
  await settle(unit, model);
  unit.say('again');

  await settle(unit, model);

  expect(unit.bodies('conversation.repaired')).toMatchObject([{ repair: 'replaced' }]);
  expect(unit.session.turn?.outcome).toBe('completed');
  expect(model.shown()[1]).toBe('assistant: [What stood here cannot be sent to the model any more.]');
});

test('a result that is refused goes on as a note, and its call stays', async () => {
  const unit = new UnitDouble({
    tool: () => Promise.resolve({ outcome: 'ok', output: 'POISON', durationMs: 1 }),
  });
  const model = sour('POISON', ({ messages }) =>
    messages.length === 1 ? { blocks: [toolBlock('list', {}, 'a')] } : 'Listed.',
  );
  unit.say('look');

  await settle(unit, model);

  expect(model.shown().slice(1)).toEqual([
    'assistant: list{}#a',
    'user: #a=[What stood here cannot be sent to the model any more.]',
  ]);
});

test('a call that is refused goes on in words, with its result', async () => {
  const unit = new UnitDouble({
    tool: () => Promise.resolve({ outcome: 'ok', output: 'Files.', durationMs: 1 }),
  });
  const model = sour('POISON', ({ messages }) =>
    messages.length === 1
      ? { blocks: [toolBlock('list', { path: 'POISON' }, 'a'), toolBlock('list', {}, 'b')] }
      : 'Listed.',
  );
  unit.say('look');

  await settle(unit, model);

  expect(model.shown().slice(1)).toEqual([
    'assistant: [What stood here cannot be sent to the model any more.] | list{}#b',
    'user: #b=Files. | Result of the call of list: Files.',
  ]);
});

test('thinking that is refused is dropped with all thinking before it', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ messages }, number) => {
    if (number < 4)
      return {
        blocks: [
          { kind: 'thinking', text: `t${number}`, signature: 's' },
          toolBlock('list', {}, `i${number}`),
        ],
      };
    const at = messages.findIndex(({ blocks }) => blocks.some(({ kind }) => kind === 'thinking'));
    return at < 0
      ? 'Done.'
      : refusing('messages.1.content.0: Invalid `signature` in `thinking` block', { message: at, block: 0 });
  });
  unit.say('look');

  await settle(unit, model);

  expect(unit.bodies('conversation.repaired')).toMatchObject([{ repair: 'dropped' }]);
  expect(model.requests).toHaveLength(5);
  expect(JSON.stringify(model.requests.at(-1)?.messages)).not.toContain('thinking');
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('thinking is dropped too when the service names no place', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ messages }, number) => {
    if (number === 1)
      return { blocks: [{ kind: 'thinking', text: 't', signature: 's' }, toolBlock('list', {})] };
    return JSON.stringify(messages).includes('thinking')
      ? refusing('Invalid `signature` in `thinking` block.')
      : 'Done.';
  });
  unit.say('look');

  await settle(unit, model);

  expect(unit.bodies('conversation.repaired')).toMatchObject([{ repair: 'dropped' }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test.each([
  'adaptive thinking is not supported on this model',
  '`max_tokens` must be greater than `thinking.budget_tokens`.',
  'thinking.type: Input should be a word of another kind',
  "This model doesn't support tool use in streaming mode.",
  'Unexpected value(s) `interleaved-thinking` for the `anthropic-beta` header.',
  'SignatureDoesNotMatch: the request signature we calculated is another one.',
])('a refusal of a setting leaves the conversation alone, turn after turn: %s', async (said) => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) => {
    if (number === 1)
      return { blocks: [{ kind: 'thinking', text: 't', signature: 's' }, toolBlock('list', {})] };
    return number === 2 ? 'Done.' : refusing(said);
  });
  for (const words of ['look', 'on', 'and on', 'and on']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.session.turn?.failure?.code).toBe('MODEL_REQUEST_INVALID');
  expect(unit.bodies('conversation.repaired')).toEqual([]);
  expect(unit.bodies('conversation.compacted')).toEqual([]);
});

test('a request that is refused also after the repair is condensed without the message, and the turn goes on', async () => {
  const unit = new UnitDouble();
  const seen: string[] = [];
  const model = new PlayedModel((request, number) => {
    if (number === 1) return { blocks: [{ kind: 'text', text: 'SOUR' }, toolBlock('list', {})] };
    if (purposeOf(request.callId) === 'compaction') {
      seen.push(JSON.stringify(request.messages));
      return SUMMARY;
    }
    return request.messages.length > 1 ? refusing('messages.1: bad', { message: 1, block: 0 }) : 'On we go.';
  });
  unit.say('look');

  await settle(unit, model);

  expect(unit.bodies('conversation.repaired').map(({ repair }) => repair)).toEqual(['replaced', 'condensed']);
  expect(seen).toHaveLength(1);
  expect(seen[0]).not.toContain('SOUR');
  expect(seen[0]).not.toContain('"tool"');
  expect(unit.bodies('conversation.compacted')).toMatchObject([{ summary: SUMMARY }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('a service that refuses every request is asked a few times, and then says to start a new session', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel((_, number) =>
    number === 1 ? { blocks: [toolBlock('list', {})] } : refusing('messages.0: no', { message: 0, block: 0 }),
  );
  unit.say('look');

  await settle(unit, model);

  expect(model.requests.length).toBeLessThan(8);
  expect(unit.bodies('conversation.compacted')).toMatchObject([{ made: 'runtime' }]);
  expect(unit.bodies('error.model')).toMatchObject([
    { code: 'MODEL_REQUEST_INVALID', message: expect.stringContaining('start a new session') },
  ]);
});

test('a refusal that names nothing in the conversation is final, and repairs nothing', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(() => refusing('max_tokens: 1 too large'));
  unit.say('look');

  await settle(unit, model);

  expect(model.requests).toHaveLength(1);
  expect(unit.bodies('conversation.repaired')).toEqual([]);
  expect(unit.session.turn).toMatchObject({ outcome: 'error', failure: { code: 'MODEL_REQUEST_INVALID' } });
});

test('a brain that crashes at any append of a repair goes on to the same story', async () => {
  const play = () => sour('POISON', () => 'Fine.');
  const whole = new UnitDouble();
  whole.say('POISON');
  await settle(whole, play());

  for (let at = 1; at <= whole.appends.length; at += 1) {
    for (const when of ['before', 'after'] as const) {
      const unit = new UnitDouble();
      unit.crash = (append, moment) => {
        if (append === at && moment === when) throw new Crash();
      };
      unit.say('POISON');

      await settle(unit, play());

      expect(told(unit), `append ${at} ${when}`).toEqual(told(whole));
    }
  }
});

/** The story without the ids of events, which differ from session to session. */
function told(unit: UnitDouble): readonly string[] {
  return unit.story().map((line) => line.replace(/evt_\w+/, 'evt'));
}

test('a refusal that names nothing is told; when the next turn meets it too, the conversation is condensed', async () => {
  const unit = new UnitDouble();
  const model = new PlayedModel(({ messages }) =>
    JSON.stringify(messages).includes('POISON') ? refusing('The request is not acceptable.') : 'Fine.',
  );
  unit.say('POISON, and some more words so that there is something to condense');
  await settle(unit, model);
  expect(unit.session.turn?.failure?.code).toBe('MODEL_REQUEST_INVALID');
  expect(unit.bodies('conversation.repaired')).toEqual([]);
  unit.say('hello');

  await settle(unit, model);

  expect(unit.bodies('conversation.repaired')).toMatchObject([{ repair: 'condensed' }]);
  expect(unit.bodies('conversation.compacted')[0]?.summary).toContain('POISON');
  unit.say('are you there?'); // the third turn: nothing of what was refused is sent any more

  await settle(unit, model);

  expect(unit.session.turn?.outcome).toBe('completed');
  expect(unit.bodies('conversation.compacted')[1]?.summary).not.toContain('POISON');
});

test.each([
  'max_tokens: 64000 > 32000, which is the most',
  '`max_tokens` must be greater than `thinking.budget_tokens`',
])('a refusal of a field of the request condenses nothing, however often it comes: %s', async (message) => {
  const unit = new UnitDouble();
  const model = new PlayedModel(() => refusing(message));
  for (const words of ['one', 'two', 'three']) {
    unit.say(words);
    await settle(unit, model);
  }

  expect(unit.session.turn?.failure?.code).toBe('MODEL_REQUEST_INVALID');
  expect(unit.bodies('conversation.compacted')).toEqual([]);
});
