import { describe, expect, test } from 'vitest';
import type { AnswerBlock, InputBlock, ModelMessage, ModelRequest } from '../../../src/brain/model.ts';
import { TOOLBOX } from '../../../src/brain/toolbox.ts';
import { planOf } from '../../../src/models/model-table.ts';
import { placeIn } from '../../../src/platform/anthropic/block-place.ts';
import { paramsOf } from '../../../src/platform/anthropic/params.ts';
import type { ModelPlan } from '../../../src/sessions/model-plan.ts';
import { randomOf } from '../../support/random.ts';

const USER = (text: string): ModelMessage => ({ role: 'user', blocks: [{ kind: 'text', text }] });
const AGENT = (text: string): ModelMessage => ({ role: 'assistant', blocks: [{ kind: 'text', text }] });

function request(messages: readonly ModelMessage[]): ModelRequest {
  return {
    callId: 't1m1',
    plan: planOf('m', { maxOutputTokens: 10 }),
    system: 'Be brief.',
    messages,
    tools: TOOLBOX,
  };
}

test('a long conversation has four cache breakpoints: tools, system, and the last two messages of the user', () => {
  const params = paramsOf(request([USER('1'), AGENT('2'), USER('3'), AGENT('4'), USER('5')]));

  expect(JSON.stringify(params).match(/cache_control/g)).toHaveLength(4);
  expect(params.tools?.at(-1)).toHaveProperty('cache_control');
  expect(params.system).toMatchObject([{ cache_control: { type: 'ephemeral' } }]);
  expect(params.messages.map((message) => JSON.stringify(message).includes('cache_control'))).toEqual([
    false,
    false,
    true,
    false,
    true,
  ]);
});

test('a longer conversation begins with the same bytes, its breakpoints aside (REQUEST-2)', () => {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (key, inner: unknown) => (key === 'cache_control' ? undefined : inner));
  const short = paramsOf(request([USER('1'), AGENT('2'), USER('3')]));
  const long = paramsOf(request([USER('1'), AGENT('2'), USER('3'), AGENT('4'), USER('5')]));

  expect(plain(long.messages.slice(0, 3))).toBe(plain(short.messages));
  expect(plain([long.system, long.tools])).toBe(plain([short.system, short.tools]));
});

test('thinking, tool calls and results go back as they came', () => {
  const { messages } = paramsOf(
    request([
      USER('go'),
      {
        role: 'assistant',
        blocks: [
          { kind: 'thinking', text: 'hm', signature: 'sig' },
          { kind: 'redacted', data: 'xyz' },
          { kind: 'tool', toolUseId: 'toolu_1', tool: 'bash', input: { command: 'ls' } },
        ],
      },
      { role: 'user', blocks: [{ kind: 'result', toolUseId: 'toolu_1', output: 'no', failed: true }] },
    ]),
  );

  expect(messages[1]?.content).toEqual([
    { type: 'thinking', thinking: 'hm', signature: 'sig' },
    { type: 'redacted_thinking', data: 'xyz' },
    { type: 'tool_use', id: 'toolu_1', name: 'bash', input: { command: 'ls' } },
  ]);
  expect(messages[2]?.content).toMatchObject([
    { type: 'tool_result', tool_use_id: 'toolu_1', content: 'no', is_error: true },
  ]);
});

const CALL = (toolUseId: string, more: object = {}): AnswerBlock => ({
  kind: 'tool',
  toolUseId,
  tool: 'bash',
  input: { command: 'ls' },
  ...more,
});
const RESULT = (toolUseId: string, output = 'ok', failed = false): InputBlock => ({
  kind: 'result',
  toolUseId,
  output,
  failed,
});
const ASSISTANT = (...blocks: readonly AnswerBlock[]): ModelMessage => ({ role: 'assistant', blocks });
const ANSWERED = (...blocks: readonly InputBlock[]): ModelMessage => ({ role: 'user', blocks });

function contents(...messages: readonly ModelMessage[]): readonly unknown[] {
  const plain = JSON.stringify(paramsOf(request(messages)).messages, (key, value: unknown) =>
    key === 'cache_control' ? undefined : value,
  );
  return (JSON.parse(plain) as readonly { content: unknown }[]).map(({ content }) => content);
}

describe('what a log holds that the service refuses', () => {
  test('half a surrogate pair is sent nowhere (REQUEST-3)', () => {
    const half = 'a \ud83d b';
    const params = paramsOf({
      ...request([
        USER(half),
        ASSISTANT(
          { kind: 'thinking', text: half, signature: 'sig' },
          { kind: 'text', text: half },
          CALL('toolu_1', { input: { [half]: [{ deep: half }] } }),
        ),
        ANSWERED(RESULT('toolu_1', half, true)),
      ]),
      system: half,
      tools: TOOLBOX.slice(0, 1).map((tool) => ({ ...tool, description: half })),
    });

    expect(JSON.stringify(params)).not.toMatch(/\\ud[89a-f]/i);
    expect(JSON.stringify(params).match(/\ufffd/g)).toHaveLength(8);
  });

  test('input that is no object, or too deep to be walked, goes as an object (REQUEST-4)', () => {
    let deep: unknown = {};
    for (let level = 0; level < 500; level += 1) deep = [deep];
    const inputs = [['ls'], 'ls', 5, null, undefined, { deep }];
    const calls = inputs.map((input, index) => CALL(`toolu_${index}`, { input }));
    const results = inputs.map((_, index) => RESULT(`toolu_${index}`));

    const [, answer] = contents(USER('go'), ASSISTANT(...calls), ANSWERED(...results));

    expect(answer).toMatchObject([
      { input: {} },
      { input: {} },
      { input: {} },
      { input: {} },
      { input: {} },
      { input: { deep: expect.any(Array) } },
    ]);
  });

  test('odd names and ids go as lawful ones, each id once, and the results with them (REQUEST-4)', () => {
    const ids = ['toolu_a', 'functions.bash:0', '', 'toolu_a', 'toolu_a'];
    const [, first, results, second, later] = contents(
      USER('go'),
      ASSISTANT(...ids.slice(0, 4).map((id) => CALL(id, { tool: 'a b' }))),
      ANSWERED(...ids.slice(0, 4).map((id, index) => RESULT(id, `result ${index}`))),
      ASSISTANT(CALL('toolu_a', { tool: '' })),
      ANSWERED(RESULT('toolu_a', 'again')),
    );

    const wire = ['toolu_a', 'functionsbash0', 'toolu', 'toolu_a_2'];
    expect(first).toMatchObject(wire.map((id) => ({ type: 'tool_use', id, name: 'ab' })));
    expect(results).toMatchObject(wire.map((id, index) => ({ tool_use_id: id, content: `result ${index}` })));
    expect(second).toMatchObject([{ id: 'toolu_a_3', name: 'invalid_tool' }]);
    expect(later).toMatchObject([{ tool_use_id: 'toolu_a_3', content: 'again' }]);
  });

  test('results come first, each call has one, and a result without its call goes as a text (REQUEST-4)', () => {
    const [, , user] = contents(
      USER('go'),
      ASSISTANT(CALL('a'), CALL('b')),
      ANSWERED({ kind: 'text', text: 'and' }, RESULT('b'), RESULT('gone', 'lost'), RESULT('b', 'twice')),
    );

    expect(user).toMatchObject([
      { type: 'tool_result', tool_use_id: 'b', content: 'ok' },
      { type: 'tool_result', tool_use_id: 'a', is_error: true, content: expect.any(String) },
      { type: 'text', text: 'and' },
      { type: 'text', text: expect.stringContaining('lost') },
      { type: 'text', text: expect.stringContaining('twice') },
    ]);
  });

  test('a call is answered in the very next message, and not again in the one after it (REQUEST-4)', () => {
    const [, , first, second] = contents(
      USER('go'),
      ASSISTANT(CALL('a')),
      USER('wait'),
      ANSWERED(RESULT('a')),
    );

    expect(first).toMatchObject([{ type: 'tool_result', is_error: true }, { text: 'wait' }]);
    expect(second).toMatchObject([{ type: 'text' }]);
  });

  test('no text is blank, no message empty, no failed result silent (REQUEST-3)', () => {
    const all = contents(
      ANSWERED({ kind: 'text', text: ' \n' }),
      ASSISTANT({ kind: 'text', text: '' }, { kind: 'redacted', data: '' }),
      ANSWERED(),
      ASSISTANT(CALL('a'), { kind: 'text', text: '  ' }),
      ANSWERED(RESULT('a', ' ', true), { kind: 'text', text: '' }),
    ).map((content) => JSON.stringify(content));

    expect(all.join()).not.toMatch(/"(text|content)":"\s*"|\[\]/);
  });

  test('thinking goes with its signature and never last (REQUEST-5)', () => {
    const thought = { kind: 'thinking', text: 'hm', signature: 'sig' } as const;
    const [, first, , second] = contents(
      USER('go'),
      ASSISTANT(thought, { kind: 'thinking', text: 'unsigned' }, { kind: 'text', text: 'a' }, thought),
      USER('go'),
      ASSISTANT(thought, { kind: 'redacted', data: 'xyz' }),
      USER('go'),
    );

    expect(first).toMatchObject([{ type: 'thinking' }, { type: 'text', text: 'a' }]);
    expect(second).toMatchObject([{ type: 'text' }]);
  });
});

test('whatever a conversation holds, what comes later changes nothing before it (REQUEST-2)', () => {
  const { seed, below, pick } = randomOf(Number(process.env['SEED'] ?? Date.now() % 1e9));
  const id = (): string => pick(['a', 'a_2', 'b', '', 'c:1', 'c1', '日']);
  for (let round = 0; round < 100; round += 1) {
    const messages = Array.from({ length: 2 + below(12) }, (_, index): ModelMessage => {
      const size = below(5);
      if (index % 2 === 0)
        return ANSWERED(
          ...Array.from({ length: size }, () =>
            below(2) === 0 ? RESULT(id()) : { kind: 'text' as const, text: pick(['', 'x\ud83d']) },
          ),
        );
      return ASSISTANT(
        ...Array.from({ length: size }, () =>
          below(2) === 0 ? CALL(id()) : { kind: 'text' as const, text: pick(['', 'x']) },
        ),
      );
    });
    const whole = contents(...messages);

    for (let length = 1; length < messages.length; length += 1)
      expect(whole.slice(0, length), `SEED=${seed} round ${round}`).toEqual(
        contents(...messages.slice(0, length)),
      );
    const ids = JSON.stringify(whole).match(/"id":"[^"]*"/g) ?? [];
    expect(new Set(ids).size, `SEED=${seed} round ${round}`).toBe(ids.length);
  }
});

describe('the plan', () => {
  const planned = (plan: Partial<ModelPlan>) =>
    paramsOf({ ...request([USER('1')]), plan: { ...planOf('m'), outputTokensMax: 32_000, ...plan } });

  test('without settings says nothing of effort and thinking', () => {
    const params = planned({});

    expect(Object.keys(params).toSorted()).toEqual([
      'max_tokens',
      'messages',
      'model',
      'stream',
      'system',
      'tools',
    ]);
  });

  test.each<[Partial<ModelPlan>, object | undefined]>([
    [{ thinking: { mode: 'off' } }, { type: 'disabled' }],
    [{ thinking: { mode: 'adaptive' } }, { type: 'adaptive' }],
    [{ thinking: { mode: 'adaptive', display: 'summarized' } }, { type: 'adaptive', display: 'summarized' }],
    [
      { thinking: { mode: 'budget', budgetTokens: 8_000, display: 'omitted' } },
      { type: 'enabled', budget_tokens: 8_000, display: 'omitted' },
    ],
    [{ thinking: { mode: 'budget', budgetTokens: 64_000 } }, { type: 'enabled', budget_tokens: 31_999 }],
    [{ thinking: { mode: 'budget', budgetTokens: 1 } }, { type: 'enabled', budget_tokens: 1_024 }],
    [{ thinking: { mode: 'budget', budgetTokens: 8_000 }, outputTokensMax: 1_024 }, undefined],
  ])('%j thinks as %j', (plan, thinking) => {
    expect(planned(plan).thinking).toEqual(thinking);
  });

  test('says nothing of tool_choice unless the request does', () => {
    expect(paramsOf({ ...request([USER('1')]), toolChoice: 'none' }).tool_choice).toEqual({ type: 'none' });
    expect(planned({})).not.toHaveProperty('tool_choice');
  });

  test('says effort and the size of an answer', () => {
    expect(planned({ effort: 'xhigh' })).toMatchObject({
      max_tokens: 32_000,
      output_config: { effort: 'xhigh' },
    });
  });

  test('of an hour of cache says so at all four breakpoints', () => {
    const params = paramsOf({
      ...request([USER('1'), AGENT('2'), USER('3')]),
      plan: { ...planOf('m'), cacheTtl: '1h' },
    });

    expect(JSON.stringify(params).match(/"cache_control":\{"type":"ephemeral","ttl":"1h"\}/g)).toHaveLength(
      4,
    );
  });
});

test('a compaction reads what was cached and writes nothing that nobody reads', () => {
  const messages = [USER('1'), AGENT('2'), USER('3'), AGENT('4'), USER('5 and: condense this')];
  const marked = (callId: string) =>
    paramsOf({ ...request(messages), callId }).messages.map((message) =>
      JSON.stringify(message).includes('cache_control'),
    );

  expect(marked('t1c2')).toEqual([true, false, true, false, false]);
  expect(marked('t1m2')).toEqual([false, false, true, false, true]);
});

describe('the place that the service names (REQUEST-1)', () => {
  const thought = { kind: 'thinking', text: 'hm' } as const;
  const messages = [
    USER('go'),
    ASSISTANT(
      thought,
      { ...thought, signature: 'sig' },
      { kind: 'text', text: '' },
      CALL('toolu_a'),
      CALL('toolu_a'),
    ),
    ANSWERED({ kind: 'text', text: 'and' }, RESULT('toolu_a'), RESULT('toolu_a')),
  ];

  test.each([
    ['messages.1.content.0: Invalid `signature` in `thinking` block', { message: 1, block: 1 }],
    ['messages.1.content.1.tool_use.input: Input should be a valid dictionary', { message: 1, block: 3 }],
    ['messages[1].content[2].name: no', { message: 1, block: 4 }],
    ['messages.[2].role no', { message: 2 }],
    ['body.messages.1.content.2 no', { message: 1, block: 4 }],
    ['messages.2.content.2: text is bad', { message: 2, block: 0 }],
    ['messages.2: all messages must have non-empty content', { message: 2 }],
    ['messages: text content at index 1 is bad', { message: 1 }],
    [
      'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_a_2. Each `tool_use` block must …',
      { message: 1, block: 4 },
    ],
    ['`tool_use` ids were found without `tool_result` blocks: toolu_a', { message: 1, block: 3 }],
    ['messages.9.content.0: no', undefined],
    ['messages: text content blocks must be non-empty', undefined],
    ['tools.0.custom.name: no', undefined],
    ['max_tokens: toolu_a', undefined],
  ])('in "%s" is %j of the conversation', (said, place) => {
    expect(placeIn(messages, said)).toEqual(place);
  });
});
