import { expect, test } from 'vitest';
import type { ModelMessage, ModelRequest } from '../../../src/brain/model.ts';
import { TOOLBOX } from '../../../src/brain/toolbox.ts';
import { planOf } from '../../../src/models/model-table.ts';
import { paramsOf } from '../../../src/platform/anthropic/params.ts';

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

test('a longer conversation begins with the same bytes, its breakpoints aside', () => {
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
