import Anthropic from '@anthropic-ai/sdk';
import { afterEach, expect, test } from 'vitest';
import { textOf } from '../../src/brain/unix-http.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { NoCredential } from '../../src/sessions/faults.ts';
import { GATEWAY_REQUEST_BYTES_MAX } from '../../src/models/gateway.ts';
import type { Metered } from '../../src/models/usage-reader.ts';
import { DOOR_REFUSAL, GATEWAY_REFUSAL, REFUSAL_HEADER } from '../../src/sessions/unit-wire.ts';
import { CANARY, type ModelStage, openStage } from './model-stage.ts';

let stage: ModelStage | undefined;
afterEach(async () => {
  await stage?.close();
  stage = undefined;
});

const HELLO = { model: 'echo', max_tokens: 100, messages: [{ role: 'user', content: 'hello there' }] };

function ask(
  body: object,
  options: {
    readonly path?: string;
    readonly headers?: Record<string, string>;
    readonly signal?: AbortSignal;
  } = {},
) {
  if (stage === undefined) throw new Error('open a stage first');
  const { path = '/v1/messages', headers = {}, signal = new AbortController().signal } = options;
  return stage.http({
    method: 'POST',
    path,
    headers: { 'x-holdfast-call': 't1m1', 'anthropic-version': '2026-10-21', ...headers },
    body: JSON.stringify(body),
    signal,
  });
}

test('a stream passes unchanged, with the key put in and only the listed headers (GATEWAY-4)', async () => {
  stage = await openStage();

  const response = await ask(
    { ...HELLO, stream: true },
    { headers: { 'x-evil': '1', authorization: 'Bearer unit', 'anthropic-version': '2026-10-21' } },
  );
  const text = await textOf(response, 100_000);
  const direct = await fetch(`${stage.rehearsal.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'x', 'anthropic-version': '2026-10-21' },
    body: JSON.stringify({ ...HELLO, stream: true }),
  });

  expect(text).toBe(await direct.text());
  expect(response.headers['request-id']).toMatch(/^req_/);
  const sent = stage.rehearsal.requests[0]?.headers ?? {};
  expect(sent).toMatchObject({ 'x-api-key': CANARY, 'anthropic-version': '2026-10-21' });
  expect(sent).not.toHaveProperty('authorization'); // not the unit token either
  expect(sent).not.toHaveProperty('x-evil');
  expect(sent).not.toHaveProperty('x-holdfast-call');
});

test('a token of a login goes as a bearer, with the feature that it needs, and in no other header', async () => {
  const token = 'sk-ant-oat01-5f2e8c0d9b71a4';
  stage = await openStage({ ports: { keyFor: () => Promise.resolve(new Sealed(token)) } });

  await ask(HELLO);

  const headers = stage.rehearsal.requests[0]?.headers ?? {};
  expect(headers['authorization']).toBe(`Bearer ${token}`);
  expect(headers['anthropic-beta']).toBe('oauth-2025-04-20');
  expect(headers).not.toHaveProperty('x-api-key');
});

test('the caller sees message_stop only after the usage is durable', async () => {
  const durable = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<Metered>();
  stage = await openStage({
    ports: {
      async meter(usage) {
        asked.resolve(usage);
        await durable.promise;
      },
    },
  });

  const response = await ask({ ...HELLO, stream: true });
  let seen = '';
  const reading = (async () => {
    for await (const chunk of response.body) seen += Buffer.from(chunk).toString();
  })();
  const metered = await asked.promise;
  const before = seen;
  durable.resolve();
  await reading;

  expect(metered).toMatchObject({ callId: 't1m1', model: 'echo', usage: { complete: true } });
  expect(metered.usage.outputTokens).toBeGreaterThan(1);
  expect(before).not.toContain('message_stop');
  expect(seen).toContain('message_stop');
});

test('an answer without streaming is metered before it is sent', async () => {
  stage = await openStage();

  const answer = JSON.parse(await textOf(await ask(HELLO), 100_000));

  expect(answer).toMatchObject({ type: 'message', content: [{ type: 'text', text: 'hello there' }] });
  expect(stage.metered).toMatchObject([
    { model: 'echo', usage: { complete: true, outputTokens: answer.usage.output_tokens } },
  ]);
});

test('a stream that the service cuts reaches the caller as a cut, and is metered as incomplete (GATEWAY-3)', async () => {
  stage = await openStage({
    scripts: {
      echo: { rules: [{ faults: [{ cut: true, afterTokens: 1 }], answer: [{ text: 'one two three' }] }] },
    },
  });

  const response = await ask({ ...HELLO, stream: true });

  await expect(textOf(response, 100_000)).rejects.toThrow('aborted');
  expect(stage.metered).toMatchObject([{ usage: { complete: false } }]);
});

test('a caller that leaves in mid-stream is metered as incomplete, and the service is let go (GATEWAY-3)', async () => {
  const metered = Promise.withResolvers<Metered>();
  stage = await openStage({
    scripts: { echo: { tokensPerSecond: 2, rules: [{ answer: [{ text: 'a very slow and long answer' }] }] } },
    ports: { meter: (usage) => Promise.resolve(metered.resolve(usage)) },
  });
  const leave = new AbortController();

  const response = await ask({ ...HELLO, stream: true }, { signal: leave.signal });
  for await (const chunk of response.body) {
    if (String(chunk) !== '') break;
  }
  leave.abort();

  expect((await metered.promise).usage.complete).toBe(false);
});

test('a service that falls silent is given up, and the caller sees a cut', async () => {
  stage = await openStage({
    scripts: {
      echo: { rules: [{ faults: [{ hang: true, afterTokens: 1 }], answer: [{ text: 'one two three' }] }] },
    },
    idleTimeoutMs: 50,
  });

  const response = await ask({ ...HELLO, stream: true });

  await expect(textOf(response, 100_000)).rejects.toThrow('aborted');
});

test('a session over its budget is refused before the service is asked', async () => {
  stage = await openStage({
    ports: {
      budget: () =>
        Promise.resolve({ kind: 'refused', type: 'budget_exceeded', message: 'The budget is used up.' }),
    },
  });

  const response = await ask(HELLO);

  expect(response.status).toBe(402);
  expect(response.headers).toMatchObject({ 'x-should-retry': 'false', [REFUSAL_HEADER]: GATEWAY_REFUSAL });
  expect(JSON.parse(await textOf(response, 1_000))).toEqual({
    type: 'error',
    error: { type: 'budget_exceeded', message: 'The budget is used up.' },
  });
  expect(stage.rehearsal.requests).toEqual([]);
});

test('the budget is asked with the model of the call, and a call without a price is refused in words of its own (proves GATEWAY-10)', async () => {
  const asked: string[] = [];
  stage = await openStage({
    ports: {
      budget(_sessionId, model) {
        asked.push(model);
        return Promise.resolve({ kind: 'refused', type: 'no_price', message: 'It has no price.' });
      },
    },
  });

  const response = await ask(HELLO);

  expect(asked).toEqual(['echo']);
  expect(response.status).toBe(402);
  expect(JSON.parse(await textOf(response, 1_000)).error).toEqual({
    type: 'no_price',
    message: 'It has no price.',
  });
  expect(stage.rehearsal.requests).toEqual([]);
});

test('a call is metered with what was asked for, and when', async () => {
  stage = await openStage({ ports: { clock: { now: () => 1_790_000_000_000 } } });

  await textOf(await ask(HELLO), 100_000);

  expect(stage.metered).toMatchObject([
    { model: 'echo', asked: { model: 'echo', cacheTtl: '5m', at: 1_790_000_000_000 } },
  ]);
});

test('a session without a key is told what to do', async () => {
  stage = await openStage({ ports: { keyFor: () => Promise.reject(new NoCredential('anthropic')) } });

  const body = JSON.parse(await textOf(await ask(HELLO), 1_000));

  expect(body.error).toMatchObject({
    type: 'no_credential',
    message: expect.stringContaining('create a credential'),
  });
});

test.each(['keyFor', 'budget'])(
  'a store that does not answer %s is to be waited for, and is no fault of the request or of the key',
  async (question) => {
    const outage = () => Promise.reject(new Outage('NO_ANSWER', 'The database does not answer.'));
    stage = await openStage({ ports: { [question]: outage } });

    const response = await ask(HELLO);

    expect(response.status).toBe(503);
    expect(response.headers).toMatchObject({ [REFUSAL_HEADER]: DOOR_REFUSAL });
    expect(JSON.parse(await textOf(response, 1_000)).error).toEqual({
      code: 'UNAVAILABLE',
      message: 'The database does not answer.',
    });
  },
);

test.each([
  ['a store that does not answer', 503, new Outage('NO_ANSWER', 'The database does not answer.')],
  ['a defect', 500, new Error('a defect')],
])(
  'an answer that cannot be metered for %s is a failed call, for the service was paid (proves GATEWAY-5)',
  async (_, status, error) => {
    stage = await openStage({ ports: { meter: () => Promise.reject(error) } });

    const response = await ask(HELLO);

    expect(response.status).toBe(status);
    expect(response.headers).toMatchObject({ 'x-should-retry': 'true', [REFUSAL_HEADER]: GATEWAY_REFUSAL });
    expect(JSON.parse(await textOf(response, 1_000)).error.type).toBe('api_error');
    expect(stage.rehearsal.requests).toHaveLength(1);
  },
);

test('errors of the service pass with their status and the headers that say when to come back', async () => {
  stage = await openStage({
    scripts: { echo: { rules: [{ faults: [{ status: 429, retryAfterMs: 1500 }], answer: [] }] } },
  });

  const response = await ask(HELLO);

  expect(response.status).toBe(429);
  expect(response.headers).toMatchObject({ 'retry-after': '2', 'retry-after-ms': '1500' });
  expect(response.headers).not.toHaveProperty(REFUSAL_HEADER);
  expect(JSON.parse(await textOf(response, 1_000)).error.type).toBe('rate_limit_error');
  expect(stage.metered).toEqual([]);
});

test('other paths, other methods and a body that is too large are refused', async () => {
  stage = await openStage();
  const signal = new AbortController().signal;

  expect((await ask(HELLO, { path: '/v1/files' })).status).toBe(404);
  expect((await ask(HELLO, { path: '/v1/messages/count_tokens' })).status).toBe(404);
  expect((await stage.http({ method: 'GET', path: '/v1/messages', signal })).status).toBe(405);
  expect((await ask({ padding: 'x'.repeat(GATEWAY_REQUEST_BYTES_MAX) })).status).toBe(413);
  expect(stage.rehearsal.requests).toEqual([]);
});

test('a service that cannot be reached is an error that may pass', async () => {
  stage = await openStage();
  await stage.rehearsal.close();

  const response = await ask(HELLO);

  expect(response.status).toBe(502);
  expect(response.headers['x-should-retry']).toBe('true');
});

test('the key is in nothing that the caller gets and in no log line (GATEWAY-1)', async () => {
  const lines: string[] = [];
  stage = await openStage({
    scripts: {
      echo: { key: 'another', rules: [{ answer: [] }] },
      cut: { rules: [{ faults: [{ cut: true }], answer: [{ text: 'x' }] }] },
    },
    ports: {
      keyFor: () => Promise.resolve(new Sealed(CANARY)),
      logger: jsonLogger('debug', (line) => lines.push(line)),
    },
  });

  await textOf(await ask(HELLO), 10_000);
  await textOf(await ask({ ...HELLO, model: 'cut', stream: true }), 10_000).catch(() => undefined);

  expect(stage.rehearsal.requests[0]?.headers['x-api-key']).toBe(CANARY);
  expect(stage.seen()).toContain('authentication_error');
  expect(stage.seen()).not.toContain(CANARY);
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('')).not.toContain(CANARY);
});

test('the real SDK client gets its answers from the rehearsal, streamed and whole', async () => {
  stage = await openStage();
  const client = new Anthropic({ apiKey: 'any', baseURL: stage.rehearsal.url, maxRetries: 0 });
  const params = { model: 'tools', max_tokens: 100, messages: [{ role: 'user' as const, content: 'go' }] };

  const whole = await client.messages.create(params);
  const streamed = await client.messages.stream(params).finalMessage();

  expect(streamed.content).toEqual(whole.content);
  expect(streamed.stop_reason).toBe('tool_use');
  expect(streamed.usage).toMatchObject(whole.usage);
});

test('what the plan of the session does not have is refused before the service is asked (proves GATEWAY-7)', async () => {
  stage = await openStage();

  const refused = [
    await ask({ ...HELLO, model: 'another' }),
    await ask({ ...HELLO, max_tokens: 1_000_000 }),
    await ask({ ...HELLO, tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
    await ask(HELLO, { headers: { 'anthropic-beta': 'files-api-2025-04-14' } }),
  ];
  for (const response of refused) {
    expect([response.status, response.headers[REFUSAL_HEADER]]).toEqual([403, GATEWAY_REFUSAL]);
    expect(JSON.parse(await textOf(response, 1_000)).error.type).toBe('not_planned');
  }
  for (const callId of ['', 'x', 't1m1, t1m2', 't1m1.0', 't0m1', `t1m${'1'.repeat(20)}`])
    expect((await ask(HELLO, { headers: { 'x-holdfast-call': callId } })).status).toBe(400);
  expect(stage.rehearsal.requests).toEqual([]);
});

test('a session makes one call at a time, the next sees what it used, and a third is refused (proves GATEWAY-6)', async () => {
  const asked = Promise.withResolvers<void>();
  const durable = Promise.withResolvers<void>();
  let used = 0;
  stage = await openStage({
    ports: {
      async budget() {
        return used === 0
          ? { kind: 'allowed' }
          : { kind: 'refused', type: 'budget_exceeded', message: 'It is used up.' };
      },
      async meter({ usage }) {
        asked.resolve();
        await durable.promise;
        used += usage.outputTokens;
      },
    },
  });

  const first = ask(HELLO);
  await asked.promise; // the answer is there, and what it used is not written down yet
  const left = new AbortController();
  const gone = ask(HELLO, { signal: left.signal });
  const others = [ask(HELLO), ask(HELLO)];
  const early = await Promise.race(others);
  expect(early.status).toBe(429);
  expect(JSON.parse(await textOf(early, 1_000)).error.type).toBe('too_many_calls');
  left.abort();
  await gone.catch(() => undefined);
  durable.resolve();

  expect((await first).status).toBe(200);
  const statuses = await Promise.all(others.map(async (one) => (await one).status));
  expect(statuses.every((status) => status === 402 || status === 429)).toBe(true);
  expect((await ask(HELLO)).status).toBe(402);
  expect(stage.rehearsal.requests).toHaveLength(1);
});
