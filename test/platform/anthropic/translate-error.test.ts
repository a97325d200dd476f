import { describe, expect, test } from 'vitest';
import { ModelFailure, type ModelRequest } from '../../../src/brain/model.ts';
import { UnitRefusal, UnitUnreachable } from '../../../src/brain/unit.ts';
import { endpointRetries } from '../../../src/brain/unit-endpoint.ts';
import type { Http } from '../../../src/brain/unix-http.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { planOf } from '../../../src/models/model-table.ts';
import { AnthropicModel } from '../../../src/platform/anthropic/model.ts';
import { failureOfResponse } from '../../../src/platform/anthropic/translate-error.ts';
import { GO, played } from './stage.ts';

const JSON_OF = (type: string | null, message: string, more: object = {}): string =>
  JSON.stringify({ type: 'error', error: { type, message, ...more } });

describe('a request that is longer than the context', () => {
  test.each([
    ['Messages API', 400, 'prompt is too long: 210000 tokens > 200000 maximum'],
    [
      'Messages API',
      400,
      'input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000, decrease input length or `max_tokens` and try again',
    ],
    ['Messages API', 413, 'Request exceeds the maximum size'],
    ['TGI', 422, '`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 9000 `inputs` tokens'],
    ['z.ai', 400, 'Prompt exceeds max length'],
    [
      'LM Studio',
      400,
      'Trying to keep the first 9000 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens, which is not enough.',
    ],
    ['Bedrock', 400, 'Malformed input request: expected maxLength: 200000, actual: 250000'],
    ['watsonx', 400, 'the number of input tokens 9000 cannot exceed the total tokens limit 8192'],
    ['Databricks', 400, 'Prompt length: 9000 exceeds maximum input length 8192'],
    ['Bedrock', 400, 'Input is too long for requested model.'],
    [
      'Bedrock',
      400,
      'The model returned the following errors: prompt is too long: 227255 tokens > 200000 maximum',
    ],
    [
      'Vertex',
      400,
      'The input token count (1196265) exceeds the maximum number of tokens allowed (1048576).',
    ],
    [
      'Vertex',
      400,
      'Unable to submit request because the input token count is 1100000 but the model only supports up to 1048576.',
    ],
    [
      'OpenAI',
      400,
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 173172 tokens. Please reduce the length of the messages.",
    ],
    [
      'OpenAI',
      400,
      'Your input exceeds the context window of this model. Please adjust your input and try again.',
    ],
    [
      'OpenAI',
      400,
      'Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in 290000 tokens.',
    ],
    [
      'vLLM',
      400,
      "This model's maximum context length is 131072 tokens. However, you requested 32000 output tokens and your prompt contains at least 99073 input tokens.",
    ],
    ['vLLM', 400, 'The decoder prompt (length 9000) is longer than the maximum model length of 8192.'],
    [
      'OpenRouter',
      400,
      "This endpoint's maximum context length is 200000 tokens. However, you requested about 210000 tokens.",
    ],
    ['xAI', 400, "This model's maximum prompt length is 131072 but the request contains 537812 tokens."],
    ['Kimi', 400, 'Invalid request: Your request exceeded model token limit: 262144 (requested: 291351)'],
    ['LiteLLM', 400, 'litellm.ContextWindowExceededError: litellm.BadRequestError: too big'],
    [
      'llama.cpp',
      500,
      'the request exceeds the available context size. try increasing the context size or enable context shift',
    ],
    [
      'llama.cpp',
      400,
      'request (14429 tokens) exceeds the available context size (8192 tokens), try increasing it',
    ],
    ['llama.cpp', 500, 'Context size has been exceeded.'],
    ['llama-cpp-python', 400, 'Requested tokens (516) exceed context window of 512'],
    [
      'LM Studio',
      400,
      'The number of tokens to keep from the initial prompt is greater than the context length.',
    ],
    ['Ollama', 400, 'the input length exceeds the context length'],
    ['Ollama', 400, 'prompt too long; exceeded max context length by 12 tokens'],
    ['Groq', 400, 'Please reduce the length of the messages or completion.'],
    [
      'Cerebras',
      400,
      'Please reduce the length of the messages or completion. Current length is 42328 while limit is 40000',
    ],
    [
      'Mistral',
      400,
      'Prompt contains 150000 tokens and 0 draft tokens, too large for model with 131072 maximum context length',
    ],
    ['MiniMax', 400, 'invalid params, context window exceeds limit (2013)'],
    ['Together', 422, "The input (150000 tokens) is longer than the model's context length (131072 tokens)."],
    ['Copilot', 400, 'prompt token count of 130000 exceeds the limit of 128000'],
    ['SGLang', 400, 'Input token count exceed the max model len'],
    ['DashScope', 400, 'Range of input length should be [1, 30000]'],
    ['DS4', 400, 'Prompt has 5000 tokens, but the configured context size is 4096 tokens'],
  ])('is one in the words of %s (%i "%s")', (_, status, message) => {
    for (const type of ['invalid_request_error', 'BadRequestError', 'None', null]) {
      const failure = failureOfResponse(status, {}, JSON_OF(type, message));

      expect(failure).toMatchObject({
        code: 'MODEL_CONTEXT_FULL',
        type: 'prompt_too_long',
        retriable: false,
      });
      expect(failure.message).toContain(message.slice(0, 30));
    }
  });

  const said = 'prompt is too long: 210000 tokens > 200000 maximum';
  test.each([
    ['a message', { message: said }],
    ['an AWS message', { __type: 'ValidationException', Message: said }],
    ['a detail', { detail: said }],
    ['a detail of its own', { detail: { message: said } }],
    ['a list of details', { detail: [{ loc: ['body'], msg: said }] }],
    ['a text', { error: said }],
    ['a list', [{ error: { code: 400, message: said, status: 'INVALID_ARGUMENT' } }]],
    ['a list of errors', { errors: [{ message: said }] }],
    ['an error of vLLM', { object: 'error', message: said, type: 'BadRequestError', code: 400 }],
    ['a code', { error: { message: 'No.', type: 'invalid_request_error', code: 'context_length_exceeded' } }],
    ['a code alone', { error: { code: 'context_length_exceeded' } }],
    ['a type', { error: { code: 400, message: 'No.', type: 'exceed_context_size_error', n_ctx: 8192 } }],
    [
      'what a proxy quotes',
      {
        error: { message: 'Provider returned error', code: 400, metadata: { raw: `{"message":"${said}"}` } },
      },
    ],
    [
      'a type of our gateway',
      { type: 'error', error: { type: 'request_too_large', message: 'A request has at most 1 bytes.' } },
    ],
  ])('is one as %s', (_, body) => {
    expect(failureOfResponse(400, {}, JSON.stringify(body))).toMatchObject({ code: 'MODEL_CONTEXT_FULL' });
  });

  test.each([
    ['nothing', ''],
    ['a page', '<html><head><title>413 Payload Too Large</title></head></html>'],
    ['a text', 'Request Entity Too Large'],
    ['another type', JSON_OF('too_big', 'No.')],
  ])('is one by the status 413 with %s', (_, body) => {
    expect(failureOfResponse(413, {}, body)).toMatchObject({ code: 'MODEL_CONTEXT_FULL', retriable: false });
  });

  test('is one as a plain text', () => {
    expect(failureOfResponse(400, {}, 'Input is too long for requested model.').code).toBe(
      'MODEL_CONTEXT_FULL',
    );
  });

  test.each([
    [
      429,
      'rate_limit_error',
      'This request would exceed your organization’s rate limit of 50,000 input tokens per minute.',
      'MODEL_RATE_LIMITED',
    ],
    [
      413,
      'tokens',
      'Request too large for model `x` in organization `y` on tokens per minute (TPM): Limit 6000, Requested 9000.',
      'MODEL_RATE_LIMITED',
    ],
    [
      429,
      'tokens',
      'Too many tokens per minute: the input token count exceeds the limit.',
      'MODEL_RATE_LIMITED',
    ],
    [
      400,
      'invalid_request_error',
      'max_tokens: 64001 > 64000, which is the maximum allowed number of output tokens for m',
      'MODEL_REQUEST_INVALID',
    ],
    [400, 'invalid_request_error', 'max_tokens exceeds the limit of 8192', 'MODEL_REQUEST_INVALID'],
    [
      400,
      'invalid_request_error',
      'The maximum tokens you requested exceeds the model limit of 32768',
      'MODEL_REQUEST_INVALID',
    ],
    [
      400,
      'invalid_request_error',
      'tools.0.custom.name: String should have at most 128 characters',
      'MODEL_REQUEST_INVALID',
    ],
    [400, 'invalid_request_error', 'messages.0: text is blank', 'MODEL_REQUEST_INVALID'],
    [404, 'not_found_error', 'model: maximum context length', 'MODEL_UNKNOWN'],
  ])('is not one at %i %s "%s"', (status, type, message, code) => {
    expect(failureOfResponse(status, {}, JSON_OF(type, message)).code).toBe(code);
  });
});

describe('an account that cannot pay', () => {
  test.each([
    [
      429,
      'rate_limit_error',
      "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set based on your organization's API tier. You will regain access on 2026-12-01 at 00:00 UTC.",
      { details: { error_code: 'enforced_spend_limit_reached' } },
    ],
    [
      400,
      'invalid_request_error',
      'You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.',
      {},
    ],
  ])(
    'has reached its spending limit (%i %s): the failure says until when, and is final',
    (status, type, message, more) => {
      const failure = failureOfResponse(
        status,
        { 'x-should-retry': 'true', 'retry-after': '30' },
        JSON_OF(type, message, more),
      );

      expect(failure).toMatchObject({ code: 'MODEL_SPEND_LIMIT', retriable: false });
      expect(failure.message).toContain('2026-12-01 at 00:00 UTC');
    },
  );

  test('has reached a limit of its spending in other words', () => {
    const said = 'You have exceeded your monthly spend limit for this workspace.';
    expect(failureOfResponse(429, {}, JSON_OF('rate_limit_error', said))).toMatchObject({
      code: 'MODEL_SPEND_LIMIT',
      retriable: false,
    });
  });

  test.each([
    ['param', { error: { message: 'No.', type: 'invalid_request_error', param: 'messages.[3].role' } }],
    ['loc', { detail: [{ loc: ['body', 'messages', 3, 'role'], msg: 'No.' }] }],
  ])('says in a field of its own where the fault is: %s', (_, body) => {
    const places: string[] = [];
    failureOfResponse(422, {}, JSON.stringify(body), (words) => {
      places.push(words);
      return undefined;
    });

    expect(places[0]).toMatch(/messages\.\[?3\]?\.role/);
  });

  test.each([
    [
      400,
      'invalid_request_error',
      'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
      {},
    ],
    [402, 'billing_error', 'There is an issue with your billing.', {}],
    [402, 'unknown_error', 'Insufficient Balance', {}],
    [402, null, 'This request requires more credits, or fewer max_tokens.', {}],
    [
      429,
      'insufficient_quota',
      'You exceeded your current quota, please check your plan and billing details.',
      { code: 'insufficient_quota' },
    ],
  ])('has no credit (%i %s)', (status, type, message, more) => {
    expect(failureOfResponse(status, {}, JSON_OF(type, message, more))).toMatchObject({
      code: 'MODEL_NO_CREDIT',
      retriable: false,
    });
  });

  test('is on hold: the failure says where to ask', () => {
    const details = { error_code: 'organization_on_hold', appeal_url: 'https://example.org/appeal' };
    const failure = failureOfResponse(
      400,
      {},
      JSON_OF('invalid_request_error', 'This organization has been disabled.', { details }),
    );

    expect(failure).toMatchObject({ code: 'MODEL_ACCOUNT_ON_HOLD', retriable: false });
    expect(failure.message).toContain('https://example.org/appeal');
    expect(
      failureOfResponse(403, {}, JSON_OF('permission_error', 'Your account has been suspended.')).code,
    ).toBe('MODEL_ACCOUNT_ON_HOLD');
  });
});

test.each([
  [
    401,
    JSON_OF('authentication_error', 'invalid x-api-key'),
    'MODEL_KEY_REFUSED',
    'authentication_error',
    false,
  ],
  [
    401,
    JSON_OF(null, 'Incorrect API key', { code: 'invalid_api_key' }),
    'MODEL_KEY_REFUSED',
    'authentication_error',
    false,
  ],
  [403, '<html>forbidden</html>', 'MODEL_KEY_REFUSED', 'permission_error', false],
  [404, JSON_OF('not_found_error', 'model: m'), 'MODEL_UNKNOWN', 'not_found_error', false],
  [404, '<html>Not Found</html>', 'MODEL_UNKNOWN', 'not_found_error', false],
  [409, JSON_OF('conflict_error', 'Conflict'), 'MODEL_REQUEST_INVALID', 'conflict_error', true],
  [429, JSON_OF('requests', 'Slow down.'), 'MODEL_RATE_LIMITED', 'requests', true],
  [429, '', 'MODEL_RATE_LIMITED', 'rate_limit_error', true],
  [500, '<html>500</html>', 'MODEL_UNAVAILABLE', 'api_error', true],
  [504, JSON_OF('timeout_error', 'The request timed out.'), 'MODEL_UNAVAILABLE', 'timeout_error', true],
  [520, 'error code: 520', 'MODEL_UNAVAILABLE', 'api_error', true],
  [529, '', 'MODEL_OVERLOADED', 'overloaded_error', true],
  [402, JSON_OF('budget_exceeded', 'The budget is used up.'), 'MODEL_NO_CREDIT', 'budget_exceeded', false],
  [400, JSON_OF('no_credential', 'No key.'), 'MODEL_REQUEST_INVALID', 'no_credential', false],
  [429, '{"error":{"message":"slow down","code":"429"}}', 'MODEL_RATE_LIMITED', 'rate_limit_error', true],
  [503, '{"error":{"code":"UNAVAILABLE","message":"x"}}', 'MODEL_UNAVAILABLE', 'api_error', true],
  [
    400,
    JSON_OF('budget_exceeded', 'Budget has been exceeded!', { code: '400' }),
    'MODEL_REQUEST_INVALID',
    'budget_exceeded',
    false,
  ],
])('%i %s is %s', (status, body, code, type, retriable) => {
  expect(failureOfResponse(status, {}, body)).toMatchObject({ code, type, retriable });
});

test.each([
  [{ 'retry-after': '2' }, 2_000],
  [{ 'retry-after': '0' }, undefined],
  [{ 'retry-after': '-5' }, undefined],
  [{ 'retry-after': '' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': '10800' }, 10_800_000],
  [{ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, undefined],
  [{ 'retry-after-ms': '700', 'retry-after': '9' }, 700],
  [{ 'retry-after-ms': '0', 'retry-after': '9' }, 9_000],
  [{}, undefined],
])('a service that asks to wait by %j is waited for %s ms', (headers, retryAfterMs) => {
  expect(failureOfResponse(429, headers, '').retryAfterMs).toBe(retryAfterMs);
});

test('a date to wait for is the time until then', () => {
  const later = new Date(Date.now() + 3_600_000).toUTCString();
  const { retryAfterMs = 0 } = failureOfResponse(429, { 'retry-after': later }, '');

  expect(retryAfterMs).toBeGreaterThan(0);
  expect(retryAfterMs).toBeLessThanOrEqual(3_600_000);
});

test('the id of the request is in the failure, by the header or by the body', () => {
  const body = JSON.stringify({
    type: 'error',
    error: { type: 'api_error', message: 'No.' },
    request_id: 'req_body',
  });

  expect(failureOfResponse(500, { 'request-id': 'req_head' }, body).requestId).toBe('req_head');
  expect(failureOfResponse(500, {}, body).requestId).toBe('req_body');
  expect(failureOfResponse(500, {}, '').requestId).toBeUndefined();
});

test('the types of the gateway are its own only where the gateway says so', () => {
  const headers = { 'x-holdfast-refusal': 'gateway' };
  const said = (type: string) => failureOfResponse(402, headers, JSON_OF(type, 'No more.'));

  expect(said('budget_exceeded')).toMatchObject({ code: 'BUDGET_EXCEEDED', retriable: false });
  expect(said('no_credential')).toMatchObject({ code: 'NO_CREDENTIAL', retriable: false });
  expect(said('no_price')).toMatchObject({ code: 'NO_PRICE', retriable: false });
  expect(said('api_error')).toMatchObject({ code: 'MODEL_UNAVAILABLE' });
});

describe('proves WIRE-1', () => {
  const saying = (code: string) => JSON.stringify({ error: { code, message: 'Another brain took over.' } });
  const headers = { 'x-holdfast-refusal': 'door' };

  test.each(['EPOCH_STALE', 'SESSION_ARCHIVED', 'OTHER'])(
    '%s is a refusal of the door by its header',
    async (code) => {
      const { failure } = await played([saying(code)], { status: 409, headers });

      expect(failure).toBeInstanceOf(UnitRefusal);
      expect(failure).toMatchObject({ code });
    },
  );

  test.each([
    ['EPOCH_STALE', 400, 'MODEL_REQUEST_INVALID'],
    ['EPOCH_STALE', 409, 'MODEL_REQUEST_INVALID'],
    ['SESSION_ARCHIVED', 429, 'MODEL_RATE_LIMITED'],
    ['UNAUTHENTICATED', 401, 'MODEL_KEY_REFUSED'],
    ['INTERNAL', 500, 'MODEL_UNAVAILABLE'],
  ])('%s of a service (%i) is only an error of the service', async (code, status, expected) => {
    for (const own of [{}, { 'x-holdfast-refusal': 'gateway' }]) {
      const { failure } = await played([saying(code)], { status, headers: own });

      expect(failure).toBeInstanceOf(ModelFailure);
      expect(failure).toMatchObject({ code: expected });
    }
  });

  test('a door that fails is waited for as for all else, and is no failure of the service', async () => {
    const answers = [503, 500, 409];
    const http: Http = () => {
      const status = answers.shift() ?? 0;
      return Promise.resolve({ status, headers, body: bodyOf(saying(`CODE_${status}`)) });
    };

    const asked = new AnthropicModel(http, 'token').answer(REQUEST, AbortSignal.timeout(60_000), SINK);

    await expect(asked).rejects.toMatchObject({ name: 'UnitRefusal', code: 'CODE_409' });
    expect(answers).toEqual([]);
  });

  test('a connection that is cut before it answers is a failure of the call, which is told at once', async () => {
    let calls = 0;
    const cut = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    const http: Http = () => {
      calls += 1;
      return Promise.reject(cut);
    };

    const asked = new AnthropicModel(http, 'token').answer(REQUEST, AbortSignal.timeout(60_000), SINK);

    await expect(asked).rejects.toMatchObject({ code: 'MODEL_UNAVAILABLE', type: 'connection_error' });
    expect(calls).toBe(1);
  });

  test('a door that does not come back is unreachable, also where nobody listens at it', async () => {
    const refused = Object.assign(new Error('connect ENOENT'), { code: 'ENOENT', syscall: 'connect' });
    const failed = { status: 503, headers };
    for (const http of [
      () => Promise.resolve({ ...failed, body: bodyOf(saying('UNAVAILABLE')) }),
      () => Promise.reject(refused),
    ]) {
      const impatient = endpointRetries({ clock: systemClock }, 0);
      const asked = new AnthropicModel(http, 'token', impatient).answer(
        REQUEST,
        AbortSignal.timeout(60_000),
        SINK,
      );

      await expect(asked).rejects.toBeInstanceOf(UnitUnreachable);
    }
  });
});

const REQUEST: ModelRequest = { callId: 't1m1', plan: planOf('m'), system: '', messages: GO, tools: [] };
const SINK = { text: () => undefined, thinking: () => undefined };

async function* bodyOf(text: string): AsyncGenerator<Uint8Array, void> {
  yield Buffer.from(text);
}
