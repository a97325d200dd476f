import { expect, test } from 'vitest';
import { USAGE_COUNT_MAX, UsageReader } from '../../src/models/usage-reader.ts';

const START =
  'event: message_start\ndata: {"message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1,"cache_read_input_tokens":7}}}\n\n';

test('counts of the start stay, and those of the delta are the newest', () => {
  const reader = new UsageReader();

  reader.read(START);
  reader.read('event: message_delta\r\ndata: {"usage":{"output_tokens":42}}\r\n\r\n');

  expect(reader.known(true)).toEqual({
    model: 'm',
    usage: {
      inputTokens: 5,
      outputTokens: 42,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 7,
      complete: true,
    },
  });
});

test('only message_stop is the end, also when a text looks like one', () => {
  const reader = new UsageReader();

  expect(reader.read('event: content_block_delta\ndata: {"delta":{"text":"event: message_stop"}}\n\n')).toBe(
    false,
  );
  expect(reader.read('event: message_stop\ndata: {}\n\n')).toBe(true);
});

test('a stream that never began has no usage', () => {
  expect(new UsageReader().known(false)).toBeUndefined();
});

test('a count that no answer can have is bounded, so that sums of it stay exact', () => {
  const text = JSON.stringify({
    model: 'm',
    usage: { input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 1e300 },
  });

  const known = UsageReader.ofMessage(text);

  expect(known?.usage).toMatchObject({ inputTokens: USAGE_COUNT_MAX, outputTokens: USAGE_COUNT_MAX });
});
