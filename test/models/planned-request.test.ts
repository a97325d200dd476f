/** What the gateway lets a brain ask for. */
import { describe, expect, it } from 'vitest';
import { planOf } from '../../src/models/model-table.ts';
import { plannedRequest } from '../../src/models/planned-request.ts';
import { paramsOf } from '../../src/platform/anthropic/params.ts';
import { TOOLBOX } from '../../src/brain/toolbox.ts';
import type { ModelRequest } from '../../src/brain/model.ts';
import { finished } from '../support/finished.ts';

const PLAN = planOf('claude-opus-4-8', { effort: 'high', thinking: { mode: 'adaptive' }, cacheTtl: '1h' });
const FALLBACK = planOf('claude-sonnet-4-5', { thinking: { mode: 'budget', budgetTokens: 2_000 } });
const PLANS = [PLAN, FALLBACK];
const REQUEST: ModelRequest = {
  callId: 't1m1',
  plan: PLAN,
  system: 'Be brief.',
  tools: TOOLBOX,
  messages: [
    { role: 'user', blocks: [{ kind: 'text', text: 'Hi.' }] },
    {
      role: 'assistant',
      blocks: [
        { kind: 'thinking', text: 'So.', signature: 'proof' },
        { kind: 'redacted', data: 'xyz' },
        { kind: 'text', text: 'I look.' },
        { kind: 'tool', toolUseId: 'toolu_1', tool: 'bash', input: { command: 'ls', url: 'x' } },
      ],
    },
    { role: 'user', blocks: [{ kind: 'result', toolUseId: 'toolu_1', output: 'a', failed: true }] },
  ],
};
const planned = (...given: Parameters<typeof plannedRequest>) => finished(plannedRequest(...given));
const asked = (more: object, params: object = paramsOf(REQUEST)) =>
  planned(JSON.stringify({ ...params, ...more }), PLANS);

describe('a request', () => {
  it('of a brain passes as it is, to each of its models', () => {
    for (const plan of PLANS) {
      const params = paramsOf({ ...REQUEST, plan, toolChoice: 'none' });
      const { model, body } = asked({}, params);

      expect(model).toBe(plan.name);
      expect(body.toString()).toBe(JSON.stringify(params));
    }
  });

  it.each([
    ['model', { model: 'claude-fable-5' }],
    ['model', { model: undefined }],
    ['max_tokens', { max_tokens: PLAN.outputTokensMax + 1 }],
    ['max_tokens', { max_tokens: undefined }],
    ['max_tokens', { max_tokens: '9' }],
    ['output_config.effort', { output_config: { effort: 'max' } }],
    ['output_config', { output_config: {} }],
    ['output_config', { output_config: undefined }],
    ['thinking', { thinking: { type: 'disabled' } }],
    ['thinking', { thinking: { type: 'enabled', budget_tokens: 60_000 } }],
    ['thinking', { thinking: { type: 'adaptive', display: 'omitted' } }],
    ['thinking', { thinking: undefined }],
    ['thinking', { thinking: 'adaptive' }],
    ['output_config.task_budget', { output_config: { task_budget: 1 } }],
    ['tools[0].type', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }],
    ['mcp_servers', { mcp_servers: [{ type: 'url', url: 'https://x.example', name: 'x' }] }],
    ['container', { container: 'c' }],
    ['service_tier', { service_tier: 'priority' }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'document' }] }] }],
    [
      'messages[0].content[0].type',
      {
        messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url: 'https://x' } }] }],
      },
    ],
    [
      'messages[0].content[0].content[0].type',
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'tool_result', tool_use_id: 'a', content: [{ type: 'image', source: {} }] }],
          },
        ],
      },
    ],
    [
      'messages[0].content[0].citations',
      { messages: [{ role: 'user', content: [{ citations: [], type: 'text' }] }] },
    ],
    ['system[0].source', { system: [{ source: {}, type: 'text', text: 'x' }] }],
    ['constructor', { constructor: 1 }],
  ])('that asks for more is refused: %s (proves PLAN-1)', (where, more) => {
    expect(() => asked(more)).toThrow(`(${where}: `);
  });

  it('thinks as much as is planned, and not at all where nothing is (proves PLAN-3)', () => {
    const budget = paramsOf({ ...REQUEST, plan: FALLBACK });
    const most = { type: 'enabled', budget_tokens: 2_001 };
    expect(() => asked({ thinking: most }, budget)).toThrow(
      '(thinking: expected {"type":"enabled","budget_tokens":2000}, as planned)',
    );
    const off = planOf('claude-sonnet-5', { thinking: { mode: 'off' } });
    const plain = planOf('meta/llama-3');
    for (const [plan, expected] of [
      [off, '{"type":"disabled"}'],
      [plain, 'none'],
    ] as const) {
      const params = paramsOf({ ...REQUEST, plan });
      expect(planned(JSON.stringify(params), [plan]).model).toBe(plan.name);
      const more = JSON.stringify({ ...params, thinking: { type: 'adaptive' } });
      expect(() => planned(more, [plan])).toThrow(`(thinking: expected ${expected}, as planned)`);
    }
  });

  it('has bounds in its items, its levels and the values of each', () => {
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`;
    for (const [messages, why] of [
      ['{},'.repeat(100_001), 'up to 100000 items'],
      [`{"content":[${'{},'.repeat(500_000)}{}]},`, 'too many values'],
      [`{"content":[{"type":"tool_use","input":${deep}}]},`, 'too many levels'],
    ] as const)
      expect(() => planned(`{"messages":[${messages}{}]}`, PLANS)).toThrow(why);
  });

  it('that says a thing twice goes as it was read (proves PLAN-2)', () => {
    const plain = planOf('meta/llama-3');
    const twice = `{"model":"claude-fable-5","model":"${plain.name}","max_tokens":9000000,"max_tokens":9,"messages":[]}`;

    expect(planned(twice, [plain]).body.toString()).toBe(
      `{"model":"${plain.name}","max_tokens":9,"messages":[]}`,
    );
    for (const text of ['', '[]', 'null', '{} {}', '{"model"'])
      expect(() => planned(text, PLANS)).toThrow('expected');
  });
});
