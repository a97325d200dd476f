/** A request that keeps every rule, and ways to make another of it. */
import type { Fields } from '../../src/rehearsal/json-value.ts';
import { type Refusal, refusalsOf } from '../../src/rehearsal/request-rule.ts';
import { REQUEST_RULES } from '../../src/rehearsal/rules/table.ts';
import { serviceRequest } from '../../src/rehearsal/service-request.ts';

export const TOOL = {
  name: 'bash',
  description: 'Runs a command.',
  input_schema: {
    type: 'object',
    properties: { command: { type: 'string' } },
    required: ['command'],
  },
};
export const MARK = { cache_control: { type: 'ephemeral' } };

export const text = (said: unknown, more: object = {}) => ({ type: 'text', text: said, ...more });
export const use = (id: unknown, more: object = {}) => ({
  type: 'tool_use',
  id,
  name: 'bash',
  input: {},
  ...more,
});
export const result = (id: unknown, more: object = {}) => ({
  type: 'tool_result',
  tool_use_id: id,
  content: 'done',
  ...more,
});
export const user = (...content: readonly unknown[]) => ({ role: 'user', content });
export const agent = (...content: readonly unknown[]) => ({ role: 'assistant', content });

export function request(changes: object = {}): Fields {
  return { model: 'echo', max_tokens: 100, messages: [user(text('hello'))], ...changes };
}

export function saying(...messages: readonly unknown[]): Fields {
  return request({ tools: [TOOL], messages });
}

/** Every rule that refuses the request, in their order. */
export function refusals(
  body: Fields,
  options: Parameters<typeof serviceRequest>[1] = {},
): readonly Refusal[] {
  return [...refusalsOf(REQUEST_RULES, serviceRequest(body, options))];
}
