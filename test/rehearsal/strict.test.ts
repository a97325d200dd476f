/** What a rehearsal refuses over HTTP, and in which form. */
import { afterEach, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { RequestLog } from '../../src/rehearsal/request-log.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { parseLoosely, parseStrictly } from '../../src/rehearsal/strict-json.ts';
import { request, text, user } from './lawful.ts';

let rehearsal: Rehearsal | undefined;
afterEach(async () => {
  await rehearsal?.close();
  rehearsal = undefined;
});

async function open(script: object = {}, strict?: boolean): Promise<void> {
  const whole = { description: 'x', rules: [{ answer: [{ text: 'hi' }] }], ...script };
  const scripts = [parseScript('echo', JSON.stringify(whole))];
  rehearsal = await startRehearsal({ port: 0, scripts, strict });
}

const HEADERS = { 'x-api-key': 'any', 'anthropic-version': '2026-10-21', 'content-type': 'application/json' };

async function post(
  body: object | string | Uint8Array<ArrayBuffer>,
  options: { readonly path?: string; readonly headers?: Record<string, string> } = {},
) {
  const { path = '/v1/messages', headers = HEADERS } = options;
  const response = await fetch(`${rehearsal?.url}${path}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  return { status: response.status, id: response.headers.get('request-id'), body: await response.json() };
}

test('a refusal has the form of the service, and the id of the request in its head and in its body', async () => {
  await open();

  const refused = await post(request({ messages: [user(text(''))] }));
  const again = await post(request({ messages: [user(text(''))] }));

  expect(refused).toEqual({
    status: 400,
    id: expect.stringMatching(/^req_[0-9a-f]{24}$/),
    body: {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: 'messages: text content blocks must be non-empty',
      },
      request_id: refused.id,
    },
  });
  expect(again).toEqual(refused);
});

test('what is wrong with the headers is said before the body is looked at', async () => {
  await open();
  const refused = async (headers: Record<string, string>) => {
    const { status, body } = await post('{', { headers });
    return [status, body.error.type, body.error.message];
  };

  const { 'x-api-key': key, ...keyless } = HEADERS;
  expect(await refused(keyless)).toEqual([401, 'authentication_error', 'x-api-key header is required']);
  expect(await refused({ 'x-api-key': key })).toEqual([
    400,
    'invalid_request_error',
    'anthropic-version: header is required',
  ]);
  expect(await refused({ ...HEADERS, 'anthropic-version': '2024-01-01' })).toEqual([
    400,
    'invalid_request_error',
    'anthropic-version: "2024-01-01" is not a valid version',
  ]);
  const both = { ...HEADERS, authorization: 'Bearer any', 'anthropic-version': '2023-06-01' };
  expect((await post(request({ temperature: 1 }), { headers: both })).status).toBe(200);
});

test('tokens are counted by the same rules', async () => {
  await open();
  const path = '/v1/messages/count_tokens';

  expect(await post(request({ max_tokens: undefined }), { path })).toMatchObject({
    status: 200,
    id: expect.stringMatching(/^req_/),
    body: { input_tokens: expect.any(Number) },
  });
  expect((await post(request({ max_tokens: undefined, messages: [] }), { path })).status).toBe(400);
});

test('a prompt beyond the window of the script is too long, also when it is counted', async () => {
  await open({ window: 100 });

  expect((await post(request())).status).toBe(200);
  expect((await post(request({ system: 'x'.repeat(1_000) }))).body.error.message).toMatch(
    /^prompt is too long: \d+ tokens > 100 maximum$/,
  );
});

test('more than 32 MB is too much, and the client gets to read so', async () => {
  await open();

  const { status, body } = await post(request({ system: 'x'.repeat(32 * 1024 * 1024) }));

  expect([status, body.error.type]).toEqual([413, 'request_too_large']);
});

test('off, it answers whatever it can read', async () => {
  await open({}, false);

  const odd = request({ messages: [user(text('\ud83d'))], betas: [], top_k: 1 });
  expect((await post(odd, { headers: { 'x-api-key': 'any' } })).status).toBe(200);
  expect((await post('{', { headers: { 'x-api-key': 'any' } })).status).toBe(400);
});

test.each([
  ['"\\ud83d"', 'no low surrogate in string: line 1 column 8 (char 7)'],
  ['"\\ud83d rocket"', 'no low surrogate in string: line 1 column 8 (char 7)'],
  ['"\\ud83d\\n"', 'no low surrogate in string: line 1 column 8 (char 7)'],
  ['"\\ud83d\\u0041"', 'invalid low surrogate in string: line 1 column 8 (char 7)'],
  ['"\\ud83d\\ud83d\\ude80"', 'invalid low surrogate in string: line 1 column 8 (char 7)'],
  ['{"a":\n"\\ude80"}', 'invalid high surrogate in string: line 2 column 2 (char 7)'],
])('half a character in %s is no JSON', (json, reason) => {
  expect(parseStrictly(Buffer.from(json))).toEqual({ kind: 'invalid', reason });
});

test('whole characters are JSON, escaped or not, and so is a backslash before what looks like half of one', () => {
  for (const value of ['🚀', '\\ud83d', 'ä', ''])
    expect(parseStrictly(Buffer.from(JSON.stringify(value)))).toEqual({ kind: 'value', value });
  expect(parseStrictly(Buffer.from('"\\ud83d\\ude80"'))).toEqual({ kind: 'value', value: '🚀' });
});

test('bytes that are no UTF-8 and brackets without end are no JSON', () => {
  expect(parseStrictly(Buffer.from([0x22, 0xed, 0xa0, 0xbd, 0x22]))).toMatchObject({ kind: 'invalid' });
  expect(parseLoosely('['.repeat(100_000))).toEqual({ kind: 'invalid', reason: 'recursion limit reached' });
  expect(parseLoosely(`["${'['.repeat(1_000)}\\"["]`)).toMatchObject({ kind: 'value' });
});

test('of the requests, as many are kept as fit', () => {
  const log = new RequestLog();
  const add = (path: string, bytes: number) => log.add({ path, headers: {}, body: undefined }, bytes);

  for (let index = 1; index <= 1_001; index += 1) add(`/${index}`, 1);
  expect([log.requests.length, log.requests[0]?.path]).toEqual([1_000, '/2']);
  add('/large', 32 * 1024 * 1024);
  expect(log.requests.map(({ path }) => path)).toEqual(['/large']);
});
