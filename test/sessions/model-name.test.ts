import { expect, it } from 'vitest';
import { parseModel } from '../../src/sessions/model-name.ts';

it.each([
  'claude-sonnet-5',
  'global.anthropic.claude-x@20250101',
  'us.anthropic.claude-opus-4-1-20250805-v1:0',
  'arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3',
  'meta/llama-3',
  'anthropic/claude-opus-4.5:beta',
  'accounts/x/models/a+b_c-d',
  'x'.repeat(256),
])('takes the name that a provider gives its model: %s', (name) => {
  expect(parseModel(`anthropic/${name}`)).toEqual({ provider: 'anthropic', name });
});

it.each([
  'claude-sonnet-5',
  'anthropic/',
  'anthropic//x',
  'anthropic/x/',
  'anthropic/x//y',
  '/x',
  'nobody/x',
  'toString/x',
  'Anthropic/x',
  'anthropic/a b',
  'anthropic/a\n',
  'anthropic/ä',
  'anthropic/.x',
  'anthropic/a"b',
  `anthropic/${'x'.repeat(257)}`,
])('refuses what no model is called: %s', (model) => {
  expect(() => parseModel(model)).toThrow('expected provider/name');
});
