import { expect, it, test } from 'vitest';
import { EventStreamDecoder } from '../../src/kernel/event-stream.ts';
import { USAGE_COUNT_MAX, UsageReader } from '../../src/models/usage-reader.ts';

/** What is known of a stream in the end, and whether it had its end. */
function readAll(stream: string) {
  const reader = new UsageReader();
  const decoder = new EventStreamDecoder();
  const stopped = [...decoder.read(Buffer.from(stream))].map((frame) => reader.read(frame));
  return { known: reader.known(true), stopped };
}
const event = (type: string, data: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const started = (usage: object, model?: string) => event('message_start', { message: { model, usage } });

const START =
  'event: message_start\ndata: {"message":{"model":"m","usage":{"input_tokens":5,"output_tokens":1,"cache_read_input_tokens":7}}}\n\n';

test('counts of the start stay, and those of the delta are the newest', () => {
  const { known } = readAll(`${START}event: message_delta\r\ndata: {"usage":{"output_tokens":42}}\r\n\r\n`);

  expect(known).toEqual({
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

it.each([
  ['CR LF', (stream: string) => stream.replaceAll('\n', '\r\n')],
  ['CR', (stream: string) => stream.replaceAll('\n', '\r')],
  ['a BOM', (stream: string) => `\ufeff${stream}`],
  ['no space', (stream: string) => stream.replaceAll(': ', ':')],
  ['data alone', (stream: string) => stream.replaceAll(/^event: .*\n/gm, '')],
  ['data first', (stream: string) => stream.replaceAll(/(event: .*)\n(data: .*)\n/g, '$2\n$1\n')],
  ['events named otherwise', (stream: string) => stream.replaceAll(/^event: .*\n/gm, 'event: message\n')],
  ['comments', (stream: string) => stream.replaceAll('\n\n', '\n\n: still there\n\n')],
])('is read with %s', (_, written) => {
  const stream =
    started({ input_tokens: 5, output_tokens: 1 }, 'm') +
    event('content_block_delta', { delta: { type: 'text_delta', text: 'event: message_stop' } }) +
    event('message_delta', { usage: { output_tokens: 42 } }) +
    event('message_stop', {});

  const { known, stopped } = readAll(written(stream));

  expect(known).toMatchObject({ model: 'm', usage: { inputTokens: 5, outputTokens: 42 } });
  expect(stopped.filter(Boolean)).toHaveLength(1);
});

test('only message_stop is the end, also when a text looks like one', () => {
  const reader = new UsageReader();

  expect(
    reader.read({ event: 'content_block_delta', data: '{"delta":{"text":"event: message_stop"}}' }),
  ).toBe(false);
  expect(reader.read({ event: undefined, data: '{"type":"x","text":"message_stop"}' })).toBe(false);
  expect(reader.read({ event: 'message_stop', data: '{}' })).toBe(true);
  expect(reader.read({ event: undefined, data: '{"type":"message_stop"}' })).toBe(true);
});

test('a count never shrinks, and what is left out or null says nothing', () => {
  const stream =
    started({
      input_tokens: 10,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 7,
      output_tokens: 1,
    }) +
    event('message_delta', {
      usage: {
        input_tokens: 0,
        cache_read_input_tokens: null,
        cache_creation_input_tokens: null,
        output_tokens: 9,
      },
    });

  expect(readAll(stream).known?.usage).toMatchObject({
    inputTokens: 10,
    cacheReadInputTokens: 100,
    cacheCreationInputTokens: 7,
    outputTokens: 9,
  });
});

test('what was written to the cache is also read by its lifetimes', () => {
  const parts = { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 };
  const created = (usage: object) => readAll(started(usage)).known?.usage.cacheCreationInputTokens;

  expect(created({ cache_creation: parts })).toBe(7);
  expect(created({ cache_creation_input_tokens: null, cache_creation: parts })).toBe(7);
  expect(created({ cache_creation_input_tokens: 9, cache_creation: parts })).toBe(9);
  expect(created({ cache_creation: null })).toBe(0);
});

test('an answer of which the service does not name the model is counted all the same', () => {
  expect(readAll(started({ input_tokens: 3 })).known).toMatchObject({
    model: undefined,
    usage: { inputTokens: 3 },
  });
  expect(readAll(event('message_delta', { usage: { output_tokens: 4 } })).known?.usage.outputTokens).toBe(4);
  expect(UsageReader.ofMessage({ type: 'message', usage: { input_tokens: 3 } })).toMatchObject({
    model: undefined,
    usage: { inputTokens: 3, complete: true },
  });
});

test('a stream that never began has no usage, and what is no message neither', () => {
  expect(new UsageReader().known(false)).toBeUndefined();
  expect(
    readAll(event('ping', {}) + event('error', { error: { type: 'overloaded_error' } })).known,
  ).toBeUndefined();
  for (const said of [undefined, {}, { model: 'm' }, { usage: 7 }])
    expect(UsageReader.ofMessage(said)).toBeUndefined();
});

test('a count that no answer can have is bounded, so that sums of it stay exact', () => {
  const said = {
    model: 'm',
    usage: { input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 1e300, cache_read_input_tokens: -5 },
  };

  const known = UsageReader.ofMessage(said);

  expect(known?.usage).toMatchObject({
    inputTokens: USAGE_COUNT_MAX,
    outputTokens: USAGE_COUNT_MAX,
    cacheReadInputTokens: 0,
  });
});

it('what is kept for an hour is told apart, where the service says so', () => {
  const written = (usage: object) => readAll(started(usage, 'm')).known?.cacheCreation1hInputTokens;
  const parts = { ephemeral_5m_input_tokens: 3, ephemeral_1h_input_tokens: 4 };

  expect(written({ cache_creation_input_tokens: 7 })).toBeUndefined();
  expect(written({ cache_creation_input_tokens: 7, cache_creation: parts })).toBe(4);
  expect(written({ cache_creation: { ephemeral_1h_input_tokens: 'many' } })).toBeUndefined();
  expect(written({ cache_creation: { ephemeral_1h_input_tokens: 1e12 } })).toBe(USAGE_COUNT_MAX);
  const grows =
    started({ cache_creation: parts }, 'm') +
    event('message_delta', { usage: { cache_creation: { ephemeral_1h_input_tokens: 0 } } });
  expect(readAll(grows).known?.cacheCreation1hInputTokens).toBe(4);
  const whole = { type: 'message', model: 'm', usage: { cache_creation: parts } };
  expect(UsageReader.ofMessage(whole)?.cacheCreation1hInputTokens).toBe(4);
});
