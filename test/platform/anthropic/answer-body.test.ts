import { expect, test } from 'vitest';
import { call, end, failureIn, open, piece, type Played, played, START, text, toolsIn } from './stage.ts';

const STREAM =
  START +
  open(0, { type: 'thinking', thinking: '' }) +
  piece(0, { type: 'thinking_delta', thinking: 'Ich überlege … 日本語 🚀' }) +
  text(1, 'Grüße — ', '日本語 🚀') +
  call(2, 'bash', '{"command":"echo äöü"}') +
  end('tool_use');
const JSON_TYPE = { 'content-type': 'application/json' };
const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [
    { type: 'text', text: 'Not streamed.' },
    { type: 'tool_use', id: 'toolu_a', name: 'bash', input: { command: 'ls' } },
  ],
  stop_reason: 'tool_use',
  usage: { input_tokens: 10, output_tokens: 5 },
};

function expectWhole({ answer, text: shown, thinking }: Played): void {
  expect(shown).toBe('Grüße — 日本語 🚀');
  expect(thinking).toBe('Ich überlege … 日本語 🚀');
  expect(answer?.stopReason).toBe('tool_use');
  expect(answer === undefined ? [] : toolsIn(answer)).toMatchObject([{ input: { command: 'echo äöü' } }]);
}

test.each([
  ['LF', STREAM],
  ['CR LF', STREAM.replaceAll('\n', '\r\n')],
  ['CR', STREAM.replaceAll('\n', '\r')],
  ['a BOM', `\ufeff${STREAM}`],
  ['comments', STREAM.replaceAll('event:', ': processing\n\nevent:')],
  ['data before event', STREAM.replaceAll(/(event: .*)\n(data: .*)\n/g, '$2\n$1\n')],
  ['data alone', STREAM.replaceAll(/event: .*\n/g, '')],
  ['no type in the JSON', STREAM.replaceAll(/data: \{"type":"[a-z_]+",/g, 'data: {')],
  ['no spaces', STREAM.replaceAll(/^(event|data): /gm, '$1:')],
  [
    'events of later versions',
    STREAM.replaceAll('event: content', 'event: trace\ndata: not JSON\n\nevent: content'),
  ],
  ['pings and the end that proxies add', `event: ping\ndata: {}\n\n${STREAM}data: [DONE]\n\n`],
  ['no blank line at the end', STREAM.slice(0, -1)],
  ['spaces before it', `\n\n${STREAM}`],
])('a stream with %s is read whole, in one chunk and byte by byte', async (_, stream) => {
  expectWhole(await played([stream]));
  expectWhole(await played(Array.from(Buffer.from(stream), (byte) => Buffer.from([byte]))));
});

test('a stream under another content type is read all the same', async () => {
  expectWhole(await played([STREAM], { headers: { 'content-type': 'text/plain' } }));
});

test('a whole Message in place of a stream is an answer, however it is printed and called', async () => {
  for (const body of [JSON.stringify(MESSAGE), `\n ${JSON.stringify(MESSAGE, null, 2)}`]) {
    for (const headers of [
      JSON_TYPE,
      { 'content-type': 'text/event-stream' },
      { 'content-type': undefined },
    ]) {
      const { answer, text: shown } = await played([body.slice(0, 30), body.slice(30)], { headers });

      expect(shown).toBe('Not streamed.');
      expect(answer).toMatchObject({
        stopReason: 'tool_use',
        blocks: [{ text: 'Not streamed.' }, { toolUseId: 'toolu_a', input: { command: 'ls' } }],
      });
    }
  }
});

test('a Message that stands whole in the start of its stream is an answer', async () => {
  const start = `event: message_start\ndata: ${JSON.stringify({ type: 'message_start', message: MESSAGE })}\n\n`;

  expect((await played([`${start}data: {"type":"message_stop"}\n\n`])).answer?.blocks).toHaveLength(2);
  expect(failureIn(await played([start])).retriable).toBe(true); // cut
});

test.each([
  [
    'a page',
    'text/html',
    '<!DOCTYPE html><html><body>Log in</body></html>',
    /Log in.*Is the base URL right\?/,
  ],
  ['a page that says it is a stream', 'text/event-stream', '<html>Log in</html>', /base URL/],
  [
    'JSON of another API',
    'application/json',
    '{"object":"chat.completion","choices":[]}',
    /choices.*base URL/,
  ],
  ['JSON that is cut', 'application/json', '{"type":"message","content":[', /base URL/],
  ['a list', 'application/json', '[]', /base URL/],
  ['a plain text', 'text/plain', 'error code: 520', /error code: 520.*base URL/],
])('%s in place of an answer is named, and not asked for again', async (_, type, body, message) => {
  const failure = failureIn(await played([body], { headers: { 'content-type': type } }));

  expect(failure).toMatchObject({ code: 'MODEL_ANSWER_INVALID', retriable: false, requestId: 'req_1' });
  expect(failure.message).toMatch(message);
});

test('a body that is longer than any Message is named as well', async () => {
  const chunks = Array.from({ length: 9 }, () => `{${' '.repeat(1024 * 1024)}`);

  expect(failureIn(await played(chunks, { headers: JSON_TYPE })).code).toBe('MODEL_ANSWER_INVALID');
});

test('a redirect is named, and not followed with the conversation in it', async () => {
  const failure = failureIn(await played(['<html>login</html>'], { status: 302 }));

  expect(failure).toMatchObject({ code: 'MODEL_ANSWER_INVALID', retriable: false });
  expect(failure.message).toMatch(/302.*base URL/);
});

test('an error under the status 200 is that error', async () => {
  const body = JSON.stringify({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } });

  expect(failureIn(await played([body], { headers: JSON_TYPE }))).toMatchObject({
    code: 'MODEL_OVERLOADED',
    retriable: true,
  });
});

test.each(['', '\n', 'event: message_sta', ': ping\n\n'])(
  'the body %j is that of a cut connection',
  async (body) => {
    expect(failureIn(await played([body]))).toMatchObject({ code: 'MODEL_UNAVAILABLE', retriable: true });
  },
);

test.each([
  [
    'event: error\n',
    { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } },
    'MODEL_OVERLOADED',
    true,
  ],
  [
    '',
    { type: 'error', error: { type: 'rate_limit_error', message: 'Rate limited' } },
    'MODEL_RATE_LIMITED',
    true,
  ],
  ['', { error: { code: 429, message: 'Slow down.' } }, 'MODEL_RATE_LIMITED', true],
  ['', { error: 'it broke' }, 'MODEL_UNAVAILABLE', true],
  [
    'event: error\n',
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'Output blocked by content filtering policy' },
    },
    'MODEL_REFUSED',
    false,
  ],
  [
    '',
    { type: 'error', error: { type: 'invalid_request_error', message: 'No.' } },
    'MODEL_REQUEST_INVALID',
    false,
  ],
  [
    '',
    { error: { code: 400, message: 'the request exceeds the available context size' } },
    'MODEL_CONTEXT_FULL',
    false,
  ],
])('an error in mid-stream (%s%j) is that error', async (event, data, code, retriable) => {
  const error = { ...data, request_id: 'req_body' };
  const frames = [START, text(0, 'It begins well'), `${event}data: ${JSON.stringify(error)}\n\n`];
  const result = await played(frames, { headers: { 'request-id': undefined } });

  expect(failureIn(result)).toMatchObject({ code, retriable, requestId: 'req_body' });
  expect(result.text).toBe('It begins well');
});

test('an event of the answer that is no JSON is not passed over', async () => {
  const failure = failureIn(
    await played([START, 'event: content_block_delta\ndata: {"index":0,\n\n', end('end_turn')]),
  );

  expect(failure.code).toBe('MODEL_UNAVAILABLE');
});
