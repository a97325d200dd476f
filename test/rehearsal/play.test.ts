/** What a script can play besides a good answer. */
import { afterEach, expect, test } from 'vitest';
import { play, readAsked } from '../../src/rehearsal/play.ts';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseScript } from '../../src/rehearsal/script.ts';
import { agent, MARK, refusals, request, result, saying, text, TOOL, user } from './lawful.ts';

let rehearsal: Rehearsal | undefined;
afterEach(async () => {
  await rehearsal?.close();
  rehearsal = undefined;
});

async function stream(script: object, changes: object = {}) {
  await rehearsal?.close();
  const scripts = [parseScript('echo', JSON.stringify({ description: 'x', ...script }))];
  rehearsal = await startRehearsal({ port: 0, scripts });
  const response = await fetch(`${rehearsal.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'any', 'anthropic-version': '2026-10-21' },
    body: JSON.stringify(request({ tools: [TOOL], stream: true, ...changes })),
  });
  const body = await response.text();
  const frames = [...body.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => JSON.parse(data));
  const ofType = (type: string) => frames.filter((frame) => frame.type === type);
  return { response, body, frames, ofType, deltas: ofType('content_block_delta').map(({ delta }) => delta) };
}

test('a refusal says why, or says nothing about it', async () => {
  const rule = { answer: [{ text: 'Well' }], stopReason: 'refusal' };
  const told = { ...rule, stopDetails: { category: 'bio', explanation: 'No.' } };

  const [why] = (await stream({ rules: [told] })).ofType('message_delta');
  const [silent] = (await stream({ rules: [rule] })).ofType('message_delta');

  expect(why.delta).toMatchObject({
    stop_reason: 'refusal',
    stop_details: { type: 'refusal', category: 'bio', explanation: 'No.' },
  });
  expect(silent.delta.stop_details).toEqual({ type: 'refusal', category: null, explanation: null });
});

test('the end of an answer is as the rule says', async () => {
  const { ofType, response } = await stream({
    rules: [
      {
        answer: [],
        stopReason: null,
        stopSequence: 'END',
        model: null,
        headers: { 'Request-Id': 'req_mine' },
      },
    ],
  });

  expect(ofType('message_delta')[0].delta).toEqual({ stop_reason: null, stop_sequence: 'END' });
  expect(ofType('message_start')[0].message).not.toHaveProperty('model');
  expect(response.headers.get('request-id')).toBe('req_mine');
});

test('odd tool calls come as they are written', async () => {
  const { ofType, deltas } = await stream({
    rules: [
      {
        answer: [
          { tool: 'a/b', id: 'functions.a:0', raw: ['{"x":', '', '}'] },
          { tool: 'bash', input: { command: 'ls' }, whole: true, index: 0 },
          { block: { type: 'hologram', x: 1 } },
        ],
      },
    ],
  });

  const starts = ofType('content_block_start');
  expect(starts.map(({ index }) => index)).toEqual([0, 0, 2]);
  expect(starts[0].content_block).toMatchObject({ id: 'functions.a:0', name: 'a/b', input: {} });
  expect(starts[1].content_block.input).toEqual({ command: 'ls' });
  expect(starts[2].content_block).toEqual({ type: 'hologram', x: 1 });
  expect(deltas.map(({ partial_json: json }) => json)).toEqual(['{"x":', '', '}']);
});

test('a text comes in the pieces that it is given in, also when they cut a character in two', async () => {
  const { deltas } = await stream({ rules: [{ answer: [{ text: ['a \ud83d', '\ude80'] }] }] });

  expect(deltas.map((delta) => delta.text)).toEqual(['a \ud83d', '\ude80']);
});

test('thinking is shown, omitted or off, as the request says, and else as the script does', async () => {
  const script = { rules: [{ answer: [{ thinking: 'hm' }, { redacted: true }, { text: 'x' }] }] };
  const kinds = async (more: object, thinking?: object) =>
    (await stream({ ...script, ...more }, { thinking })).deltas.map(({ type }) => type);

  expect(await kinds({})).toEqual(['thinking_delta', 'signature_delta', 'text_delta']);
  expect(await kinds({ display: 'omitted' })).toEqual(['signature_delta', 'text_delta']);
  const shown = { type: 'adaptive', display: 'summarized' };
  expect(await kinds({ display: 'omitted' }, shown)).toEqual([
    'thinking_delta',
    'signature_delta',
    'text_delta',
  ]);
  expect(await kinds({}, { type: 'disabled' })).toEqual(['text_delta']);
});

test.each([{}, { display: 'omitted' }])('thinking that comes back as it was is taken: %j', (more) => {
  const parts = [{ thinking: 'hm' }, { redacted: true }, { text: ' ' }, { thinking: 'so' }, { tool: 'bash' }];
  const script = parseScript('x', JSON.stringify({ description: 'x', ...more, rules: [{ answer: parts }] }));
  const messages: object[] = [user(text('go'))];
  for (let turn = 0; turn < 3; turn += 1) {
    const asked = readAsked(saying(...messages));
    const blocks = (asked === undefined ? undefined : play(script, asked))?.blocks ?? [];
    const calls = blocks.flatMap((block) => (block.type === 'tool_use' ? [result(block.id)] : []));
    const kept = blocks.filter((block) => block.type !== 'text'); // the blank one may not go back
    messages.push(agent(...kept), user(...calls, text(`and ${turn}`)));

    expect(refusals(saying(...messages))).toEqual([]);
  }
});

test('a status comes with its own type, words, details and headers', async () => {
  const { response, body } = await stream({
    rules: [
      {
        answer: [],
        faults: [
          {
            status: 400,
            type: 'billing_error',
            message: 'No credit.',
            details: { error_code: 'x' },
            headers: { 'Retry-After': '0' },
          },
        ],
      },
    ],
  });

  expect([response.status, response.headers.get('retry-after')]).toEqual([400, '0']);
  expect(JSON.parse(body).error).toEqual({
    type: 'billing_error',
    message: 'No credit.',
    details: { error_code: 'x' },
  });
});

test('a status may come with any body, and then be any', async () => {
  const { response, body } = await stream({
    rules: [
      { answer: [], faults: [{ status: 200, body: '<html>', headers: { 'content-type': 'text/html' } }] },
    ],
  });

  expect([response.status, body]).toEqual([200, '<html>']);
});

test('a stream may end early, or with an error in the words of the script', async () => {
  const answer = [{ text: 'one two three' }];
  const error = { error: 'api_error', message: 'Oh.', details: { error_code: 'x' }, afterTokens: 1 };
  const ended = await stream({ rules: [{ answer, faults: [{ end: true, afterTokens: 1 }] }] });
  const failed = await stream({ rules: [{ answer, faults: [error] }] });

  expect(ended.frames.at(-1)).toMatchObject({ type: 'content_block_delta', delta: { text: 'one' } });
  expect(failed.frames.at(-1)).toEqual({
    type: 'error',
    error: { type: 'api_error', message: 'Oh.', details: { error_code: 'x' } },
    request_id: failed.response.headers.get('request-id'),
  });
});

test('usage reads from the cache what the request before has put there', () => {
  const script = parseScript('x', JSON.stringify({ description: 'x', rules: [{ answer: [{ text: 'x' }] }] }));
  const usageOf = (...messages: readonly unknown[]) => {
    const asked = readAsked(request({ system: [text('s'.repeat(400), MARK)], messages }));
    return asked === undefined ? undefined : play(script, asked)?.usage;
  };
  const long = 'x'.repeat(4_000);

  const plain = usageOf(user(text(long)));
  const first = usageOf(user(text(long, MARK)));
  const second = usageOf(user(text(long, MARK)), agent(text('y')), user(text('and?', MARK)));

  expect(plain?.cache_read_input_tokens).toBe(0);
  expect(plain?.input_tokens).toBeGreaterThanOrEqual(1_000);
  expect(first).toMatchObject({ input_tokens: 1, cache_read_input_tokens: 0 });
  expect(second?.cache_read_input_tokens).toBe(first?.cache_creation_input_tokens);
  expect(second?.cache_creation_input_tokens).toBeGreaterThan(0);
  expect(second?.cache_creation_input_tokens).toBeLessThan(100);
});
