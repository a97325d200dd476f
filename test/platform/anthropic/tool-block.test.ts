import { expect, it } from 'vitest';
import { isJson } from '../../../src/journal/codec.ts';
import { toolBlock } from '../../../src/platform/anthropic/tool-block.ts';

it.each(['{"timeout_ms": 1e999}', '{"a": [{"b": -1e400}]}'])(
  'a tool call with a number that no program can hold is answered with what is wrong: %s',
  (json) => {
    const block = toolBlock({ name: 'bash', json, start: undefined }, 'toolu_1');

    expect(block.defect).toContain('a number beyond 1.8e308');
    expect([block.input, isJson(block.input)]).toEqual([{}, true]);
  },
);

it('large numbers that can be held are no defect', () => {
  expect(
    toolBlock({ name: 'bash', json: '{"a": 1e308}', start: undefined }, 'toolu_1').defect,
  ).toBeUndefined();
});
