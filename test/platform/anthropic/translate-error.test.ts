import { expect, test } from 'vitest';
import { failureOfResponse } from '../../../src/platform/anthropic/translate-error.ts';

test.each([
  [400, 'invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum'],
  [
    400,
    'invalid_request_error',
    'input length and `max_tokens` exceed context limit: 188240 + 32000 > 200000',
  ],
  [413, 'request_too_large', 'Request exceeds the maximum size'],
])('a %i %s that says "%s" is a full context, not an invalid request', (status, type, message) => {
  const failure = failureOfResponse(status, {}, JSON.stringify({ error: { type, message } }));

  expect(failure).toMatchObject({ code: 'MODEL_CONTEXT_FULL', type: 'prompt_too_long', retriable: false });
  expect(failure.message).toContain(message);
});

test('another invalid request stays one', () => {
  const error = { type: 'invalid_request_error', message: 'messages.0: text is blank' };

  const failure = failureOfResponse(400, {}, JSON.stringify({ error }));

  expect(failure).toMatchObject({ code: 'MODEL_REQUEST_INVALID', retriable: false });
});
