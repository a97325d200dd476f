/** Each rule refuses the request that breaks it, first of all rules, and lets its lawful neighbour pass. */
import { describe, expect, it, test } from 'vitest';
import type { Fields } from '../../src/rehearsal/json-value.ts';
import { play, readAsked } from '../../src/rehearsal/play.ts';
import { HEAD_RULES } from '../../src/rehearsal/rules/head.ts';
import { REQUEST_RULES } from '../../src/rehearsal/rules/table.ts';
import { type ModelTraits, parseScript } from '../../src/rehearsal/script.ts';
import { agent, MARK, refusals, request, result, saying, text, TOOL, use, user } from './lawful.ts';

interface Case {
  readonly refused: Fields;
  readonly lawful: Fields;
  readonly message?: string | RegExp;
  readonly traits?: ModelTraits;
}

const schema = (changes: object) =>
  request({ tools: [{ ...TOOL, input_schema: { ...TOOL.input_schema, ...changes } }] });
const image = (source: object) => saying(user({ type: 'image', source }));
const picture = { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' };
const hour = { cache_control: { type: 'ephemeral', ttl: '1h' } };
const called = (call: object, ...more: readonly unknown[]) =>
  saying(user(text('go')), agent(call), user(...more));
const budget = (tokens: number, more: object = {}) =>
  request({ max_tokens: 4_000, thinking: { type: 'enabled', budget_tokens: tokens }, ...more });

/** A conversation that the rehearsal has thought in. */
const THOUGHT = thought();
const [FIRST, ANSWER] = THOUGHT;
const REPLY = user(text('and now?'));
const thinks = (...messages: readonly unknown[]) => saying(...messages);
const [THINKING, ANSWERED] = ANSWER.content;

const CASES: Readonly<Record<string, Case>> = {
  'fields.unknown': {
    refused: request({ betas: [] }),
    lawful: request({ metadata: {} }),
    message: 'betas: Extra inputs are not permitted',
  },
  'fields.sampling': { refused: request({ top_p: 1 }), lawful: request() },
  'model.missing': { refused: request({ model: 7 }), lawful: request({ model: 'x' }) },
  'max_tokens.missing': { refused: request({ max_tokens: undefined }), lawful: request({ max_tokens: 1 }) },
  'max_tokens.least': { refused: request({ max_tokens: -1 }), lawful: request({ max_tokens: 0 }) },
  'max_tokens.most': {
    refused: request({ max_tokens: 101 }),
    lawful: request({ max_tokens: 100 }),
    traits: { maxOutputTokens: 100 },
    message: 'max_tokens: 101 > 100, which is the maximum allowed number of output tokens for echo',
  },
  'system.type': {
    refused: request({ system: [{ type: 'image' }] }),
    lawful: request({ system: [text('Be brief.')] }),
  },
  'system.blank': { refused: request({ system: [text(' ')] }), lawful: request({ system: 'x' }) },
  'stream.type': { refused: request({ stream: 'yes' }), lawful: request({ stream: true }) },
  effort: {
    refused: request({ output_config: { effort: 'huge' } }),
    lawful: request({ output_config: { effort: 'xhigh' } }),
  },
  'metadata.user_id': {
    refused: request({ metadata: { user_id: 'x'.repeat(257) } }),
    lawful: request({ metadata: { user_id: 'x'.repeat(256) } }),
  },
  'thinking.type': {
    refused: request({ thinking: { type: 'much' } }),
    lawful: request({ thinking: { type: 'between_tools' } }),
  },
  'thinking.adaptive': {
    refused: request({ thinking: { type: 'adaptive' } }),
    lawful: budget(1_024),
    traits: { thinking: ['enabled', 'disabled'] },
  },
  'thinking.model': {
    refused: budget(1_024),
    lawful: request({ thinking: { type: 'adaptive' } }),
    traits: { thinking: ['adaptive'] },
    message: /^"thinking\.type\.enabled" is not supported for this model\. Use "thinking\.type\.adaptive"/,
  },
  'thinking.field': {
    refused: request({ thinking: { type: 'disabled', display: 'omitted' } }),
    lawful: request({ thinking: { type: 'adaptive', display: 'omitted' } }),
  },
  'thinking.display': {
    refused: request({ thinking: { type: 'adaptive', display: 'all' } }),
    lawful: request({ thinking: { type: 'adaptive', display: 'summarized' } }),
  },
  'thinking.budget.least': { refused: budget(1_023), lawful: budget(1_024) },
  'thinking.budget.most': { refused: budget(4_000), lawful: budget(3_999) },
  'thinking.forced': {
    refused: budget(1_024, { tools: [TOOL], tool_choice: { type: 'any' } }),
    lawful: budget(1_024, { tools: [TOOL], tool_choice: { type: 'auto' } }),
  },
  'tools.type': { refused: request({ tools: {} }), lawful: request({ tools: [] }) },
  'tools.name': {
    refused: request({ tools: [{ ...TOOL, name: 'a.b' }] }),
    lawful: request({ tools: [{ ...TOOL, name: 'x'.repeat(128) }] }),
  },
  'tools.unique': {
    refused: request({ tools: [TOOL, TOOL] }),
    lawful: request({ tools: [TOOL, { ...TOOL, name: 'other' }] }),
  },
  'tools.description': {
    refused: request({ tools: [{ ...TOOL, description: 1 }] }),
    lawful: request({ tools: [{ ...TOOL, description: undefined }] }),
  },
  'tools.field': {
    refused: request({ tools: [{ ...TOOL, timeout: 1 }] }),
    lawful: request({ tools: [{ ...TOOL, strict: true }] }),
  },
  'tools.schema': {
    refused: request({ tools: [{ name: 'x' }] }),
    lawful: request({ tools: [{ name: 'x', input_schema: { type: 'object' } }] }),
  },
  'tools.schema.type.missing': { refused: schema({ type: undefined }), lawful: schema({}) },
  'tools.schema.type': { refused: schema({ type: 'string' }), lawful: schema({ type: 'object' }) },
  'tools.schema.top': {
    refused: schema({ anyOf: [{ required: ['a'] }] }),
    lawful: schema({ properties: { a: { anyOf: [{ type: 'null' }] } } }),
  },
  'tools.schema.property': {
    refused: schema({ properties: { 'a b': {} } }),
    lawful: schema({ properties: { 'a.b': {} } }),
  },
  'tools.schema.draft': {
    refused: schema({ properties: { a: 'number' } }),
    lawful: schema({ properties: { a: { type: ['number', 'null'], exclusiveMinimum: 0, items: true } } }),
  },
  'tool_choice.alone': {
    refused: request({ tool_choice: { type: 'auto' } }),
    lawful: request({ tools: [TOOL], tool_choice: { type: 'auto' } }),
  },
  'tool_choice.type': {
    refused: request({ tools: [TOOL], tool_choice: 'auto' }),
    lawful: request({ tools: [TOOL], tool_choice: { type: 'none' } }),
  },
  'tool_choice.name': {
    refused: request({ tools: [TOOL], tool_choice: { type: 'tool', name: 'other' } }),
    lawful: request({ tools: [TOOL], tool_choice: { type: 'tool', name: 'bash' } }),
  },
  'messages.missing': { refused: request({ messages: {} }), lawful: request() },
  'messages.none': { refused: request({ messages: [] }), lawful: request() },
  'messages.many': {
    refused: request({ messages: Array.from({ length: 100_001 }, () => user(text('x'))) }),
    lawful: request({ messages: Array.from({ length: 1_000 }, () => user(text('x'))) }),
  },
  'messages.role': {
    refused: saying(user(text('x')), { role: 'tool', content: 'x' }),
    lawful: saying(user(text('x')), { role: 'system', content: 'x' }),
  },
  'messages.first': {
    refused: saying(agent(text('x')), user(text('y'))),
    lawful: saying(user(text('x')), user(text('y'))),
  },
  'messages.field': { refused: saying({ ...user(text('x')), id: 1 }), lawful: saying(user(text('x'))) },
  'messages.content': {
    refused: saying({ role: 'user', content: 1 }),
    lawful: saying({ role: 'user', content: 'x' }),
  },
  'messages.empty': {
    refused: saying(user(text('x')), agent(), user(text('y'))),
    lawful: saying(user(text('x')), agent(text('z')), user(text('y'))),
    message:
      'messages.1: all messages must have non-empty content except for the optional final assistant message',
  },
  'block.type': {
    refused: saying(user({ type: 'video' })),
    lawful: saying(user({ type: 'document', source: {} })),
  },
  'block.field': {
    refused: saying(user(text('x', { level: 1 }))),
    lawful: saying(user(text('x', { citations: [] }))),
    message: 'messages.0.content.0.text.level: Extra inputs are not permitted',
  },
  'block.role': { refused: saying(user(use('a')), user(text('x'))), lawful: called(use('a'), result('a')) },
  'block.document': {
    refused: saying(user(text('x')), agent({ type: 'document', source: {} }), user(text('y'))),
    lawful: saying(user({ type: 'document', source: {} }, text('x'))),
  },
  'text.citations': {
    refused: saying(user(text('x', { citations: [{}] }))),
    lawful: saying(user(text('x')), agent(text('y', { citations: [{}] })), user(text('z'))),
  },
  'text.type': { refused: saying(user({ type: 'text' })), lawful: saying(user(text('x'))) },
  'text.empty': {
    refused: called(use('a'), result('a', { content: [text('')] })),
    lawful: called(use('a'), result('a', { content: '' })),
  },
  'text.blank': { refused: saying(user(text(' \n'))), lawful: saying(user(text(' x'))) },
  'image.source': {
    refused: image({ type: 'path' }),
    lawful: image({ type: 'url', url: 'https://example.org/a.png' }),
  },
  'image.media_type': { refused: image({ ...picture, media_type: 'image/bmp' }), lawful: image(picture) },
  'image.data': { refused: image({ ...picture, data: 'no!' }), lawful: image(picture) },
  'image.size': {
    refused: image({ ...picture, data: 'A'.repeat(10 * 1024 * 1024 + 1) }),
    lawful: image({ ...picture, data: 'AAAA' }),
  },
  'cache.type': {
    refused: saying(user(text('x', { cache_control: { type: 'long' } }))),
    lawful: saying(user(text('x', MARK))),
  },
  'cache.ttl': {
    refused: saying(user(text('x', { cache_control: { type: 'ephemeral', ttl: '1d' } }))),
    lawful: saying(user(text('x', hour))),
  },
  'cache.many': {
    refused: request({
      tools: [{ ...TOOL, ...MARK }],
      system: [text('s', MARK)],
      messages: [user(text('a', MARK), text('b', MARK), text('c', MARK))],
    }),
    lawful: request({
      tools: [{ ...TOOL, ...MARK }],
      system: [text('s', MARK)],
      messages: [user(text('a', MARK), text('b', MARK), text('c'))],
    }),
    message: 'A maximum of 4 blocks with cache_control may be provided. Found 5.',
  },
  'cache.order': {
    refused: request({ system: [text('s', MARK)], messages: [user(text('x', hour))] }),
    lawful: request({ system: [text('s', hour)], messages: [user(text('x', MARK))] }),
    message:
      /^messages\.0\.content\.0\.cache_control\.ttl: a ttl='1h' cache_control block must not come after/,
  },
  'cache.empty': { refused: saying(user(text('', MARK))), lawful: saying(user(text('x', MARK))) },
  'tool_use.id': {
    refused: called(use('functions.bash:0'), result('functions.bash:0')),
    lawful: called(use('functions_bash-0'), result('functions_bash-0')),
  },
  'tool_use.name': {
    refused: called(use('a', { name: '' }), result('a')),
    lawful: called(use('a', { name: 'not among the tools' }), result('a')),
  },
  'tool_use.name.long': {
    refused: called(use('a', { name: 'x'.repeat(201) }), result('a')),
    lawful: called(use('a', { name: 'x'.repeat(200) }), result('a')),
  },
  'tool_use.input': {
    refused: called(use('a', { input: ['ls'] }), result('a')),
    lawful: called(use('a', { input: { command: ['ls'] } }), result('a')),
    message: 'messages.1.content.0.tool_use.input: Input should be a valid dictionary',
  },
  'tool_use.unique': {
    refused: saying(user(text('go')), agent(use('a')), user(result('a')), agent(use('a')), user(result('a'))),
    lawful: saying(user(text('go')), agent(use('a')), user(result('a')), agent(use('b')), user(result('b'))),
    message: 'messages.3.content.0: `tool_use` ids must be unique',
  },
  'tool_result.id': { refused: called(use('a'), result('a.b')), lawful: called(use('a'), result('a')) },
  'tool_result.content': {
    refused: called(use('a'), result('a', { content: [use('b')] })),
    lawful: called(use('a'), result('a', { content: [text('x')] })),
  },
  'tool_result.error': {
    refused: called(use('a'), result('a', { content: '', is_error: true })),
    lawful: called(use('a'), result('a', { content: '' })),
  },
  'tool_result.error.text': {
    refused: called(use('a'), result('a', { content: [{ type: 'image', source: picture }], is_error: true })),
    lawful: called(use('a'), result('a', { content: [{ type: 'image', source: picture }] })),
  },
  'tool_use.open': {
    refused: called(use('a'), text('wait'), result('a')),
    lawful: called(use('a'), result('a'), text('wait')),
    message:
      'messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: a. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
  },
  'tool_result.unexpected': { refused: saying(user(result('a'))), lawful: called(use('a'), result('a')) },
  'tool_result.twice': {
    refused: called(use('a'), result('a'), result('a')),
    lawful: called(use('a'), result('a')),
  },
  'thinking.required': {
    refused: thinks(FIRST, agent({ type: 'thinking', thinking: 'hm' }, text('x')), REPLY),
    lawful: thinks(FIRST, ANSWER, REPLY),
  },
  'thinking.last': {
    refused: thinks(FIRST, agent(THINKING), REPLY),
    lawful: thinks(FIRST, agent(THINKING, text('Well.')), REPLY),
  },
  'thinking.signature': {
    refused: thinks(FIRST, agent({ ...THINKING, signature: 'EqMadeElsewhere' }, ANSWERED), REPLY),
    lawful: thinks(FIRST, ANSWER, REPLY),
    message: 'messages.1.content.0: Invalid `signature` in `thinking` block',
  },
  'thinking.changed': {
    refused: thinks(FIRST, agent({ ...THINKING, thinking: 'something else' }, ANSWERED), REPLY),
    lawful: thinks(FIRST, agent(ANSWERED), REPLY),
  },
  'thinking.prefix': {
    refused: { ...thinks(FIRST, ANSWER, REPLY), tools: [{ ...TOOL, description: 'Runs one command.' }] },
    lawful: { ...thinks(user(text('go', MARK)), ANSWER, REPLY), tools: [{ ...TOOL, ...MARK }] },
    message: /bound to a different conversation.*What differs: tools\.$/,
  },
  prefill: {
    refused: saying(user(text('x')), agent(text('y'))),
    lawful: saying(
      user(text('x')),
      agent(text('y'), { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: {} }),
    ),
  },
  'prefill.space': {
    refused: saying(user(text('x')), agent(text('y '))),
    lawful: saying(user(text('x')), agent(text('y'))),
    traits: { prefill: true },
  },
  'prompt.window': {
    refused: request({ system: 'x'.repeat(4_000) }),
    lawful: request({ system: 'x'.repeat(3_000) }),
    traits: { window: 1_000 },
    message: /^prompt is too long: \d+ tokens > 1000 maximum$/,
  },
};

describe('a rule', () => {
  it('has an id of its own, and each has a case here', () => {
    const ids = REQUEST_RULES.map(({ id }) => id);

    expect([...new Set([...ids, ...HEAD_RULES.map(({ id }) => id)])]).toHaveLength(
      ids.length + HEAD_RULES.length,
    );
    expect(Object.keys(CASES).toSorted()).toEqual(ids.toSorted());
  });

  it.each(Object.entries(CASES))(
    '%s refuses the one and lets the other pass',
    (id, { refused, lawful, message, traits }) => {
      const [first] = refusals(refused, { traits });

      expect(refusals(lawful, { traits })).toEqual([]);
      expect(first).toMatchObject({ id, status: 400, type: 'invalid_request_error' });
      expect(first?.message).not.toMatch(/\{\w+\}/);
      if (message !== undefined)
        expect(first?.message).toEqual(
          expect.stringMatching(typeof message === 'string' ? literal(message) : message),
        );
    },
  );
});

test.each([
  null,
  1,
  'x',
  [],
  {},
  { role: 'user', content: null },
  { role: 'user', content: [null, 1, 'x', [], {}] },
])('a message that is %j is refused, not stumbled over', (message) => {
  expect(refusals(saying(message)).length).toBeGreaterThan(0);
});

test.each(Object.keys(saying(user(text('x')))))(
  'any JSON in the place of %s is looked at without a throw',
  (field) => {
    for (const odd of [
      null,
      0,
      'x',
      [],
      [null],
      [[]],
      {},
      [{ type: null }],
      { type: {} },
      [{ content: [{}] }],
    ])
      expect(() =>
        refusals(request({ [field]: odd, thinking: odd, tool_choice: odd, system: odd })),
      ).not.toThrow();
  },
);

test('counting tokens asks for no max_tokens and takes none', () => {
  const counted = request({ max_tokens: undefined });

  expect(refusals(counted, { counts: true })).toEqual([]);
  expect(refusals(request(), { counts: true })).toMatchObject([{ id: 'fields.unknown' }]);
});

test('thinking may be left out from the beginning on, but not from between', () => {
  const [, second] = thought([FIRST, ANSWER, REPLY]);
  const later = [REPLY, agent(...second.content), user(text('go on'))];

  expect(refusals(thinks(FIRST, ANSWER, ...later))).toEqual([]);
  expect(refusals(thinks(FIRST, agent(ANSWERED), ...later))).toEqual([]);
  const other = agent({ type: 'thinking', thinking: 'x', signature: thoughtOf('x', [FIRST]) }, ANSWERED);
  expect(refusals(thinks(FIRST, other, ...later))).toMatchObject([{ id: 'thinking.prefix' }]);
});

function literal(sentence: string): RegExp {
  return new RegExp(`^${sentence.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}

type Content = readonly [object, object];

/** Plays a script that thinks; answers the first message and the answer. */
function thought(
  messages: readonly object[] = [user(text('go'))],
): readonly [object, { readonly role: string; readonly content: Content }] {
  return [
    messages[0] ?? {},
    agent(...blocksOf('Let me see.', messages)) as unknown as { role: string; content: Content },
  ]; // of two parts
}

function thoughtOf(thinking: string, messages: readonly object[]): string {
  const [block] = blocksOf(thinking, messages);
  return block?.type === 'thinking' ? block.signature : '';
}

function blocksOf(thinking: string, messages: readonly object[]) {
  const script = parseScript(
    'x',
    JSON.stringify({ description: 'x', rules: [{ answer: [{ thinking }, { text: 'Well.' }] }] }),
  );
  const asked = readAsked(saying(...messages));
  return (asked === undefined ? undefined : play(script, asked))?.blocks ?? [];
}
