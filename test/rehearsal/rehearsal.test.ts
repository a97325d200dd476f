import { afterEach, expect, test } from 'vitest';
import { type Rehearsal, startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import { parseScript } from '../../src/rehearsal/script.ts';

let rehearsal: Rehearsal | undefined;
afterEach(async () => {
  await rehearsal?.close();
  rehearsal = undefined;
});

async function open(script?: object): Promise<void> {
  const scripts =
    script === undefined ? undefined : [parseScript('echo', JSON.stringify({ description: 'x', ...script }))];
  rehearsal = await startRehearsal({ port: 0, ...(scripts === undefined ? {} : { scripts }) });
}

interface Answer {
  readonly content: readonly {
    readonly type: string;
    readonly id: string;
    readonly name: string;
    readonly text?: string;
  }[];
  readonly error: { readonly type: string };
}

async function read(response: Response): Promise<Answer> {
  return (await response.json()) as Answer; // a test that reads what is not there fails
}

function ask(
  messages: readonly object[],
  options: { readonly model?: string; readonly key?: string; readonly stream?: boolean } = {},
) {
  const { model = 'echo', key = 'any', stream = false } = options;
  return fetch(`${rehearsal?.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'anthropic-version': '2026-10-21' },
    body: JSON.stringify({ model, stream, max_tokens: 10, messages }),
  });
}
const HELLO = [{ role: 'user', content: 'hello' }];

test('a stream has the events of the real service in their order', async () => {
  await open({
    rules: [{ answer: [{ thinking: 'hm' }, { text: 'hi' }, { tool: 'bash', input: { command: 'ls' } }] }],
  });

  const text = await (await ask(HELLO, { stream: true })).text();

  expect([...text.matchAll(/^event: (.*)$/gm)].map(([, event]) => event)).toEqual([
    'message_start',
    ...['content_block_start', 'ping', 'content_block_delta', 'content_block_delta', 'content_block_stop'],
    ...['content_block_start', 'content_block_delta', 'content_block_stop'],
    ...[
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
    ],
    'message_delta',
    'message_stop',
  ]);
});

test('the same request gets the same answer with the same ids', async () => {
  await open();

  const [first, second] = await Promise.all([
    ask(HELLO, { model: 'tools' }),
    ask(HELLO, { model: 'rehearsal-tools' }),
  ]);
  const again = await ask(HELLO, { model: 'tools' });

  expect(await again.json()).toEqual(await first.json());
  expect(await second.json()).toMatchObject({ stop_reason: 'tool_use' });
});

test('the name of the model chooses the script; models of the service get the default one, others are unknown', async () => {
  await open();

  expect((await ask(HELLO, { model: 'claude-whatever' })).status).toBe(200);
  expect((await ask(HELLO, { model: 'rehearsal-nothing' })).status).toBe(404);
  expect((await ask(HELLO, { model: 'tolls' })).status).toBe(404);
});

test('a script can refuse keys and models', async () => {
  await open({ key: 'right', models: ['echo'], rules: [{ answer: [{ text: 'x' }] }] });

  const wrongKey = await ask(HELLO, { key: 'wrong' });
  const wrongModel = await ask(HELLO, { key: 'right', model: 'other' });

  expect([wrongKey.status, (await read(wrongKey)).error.type]).toEqual([401, 'authentication_error']);
  expect([wrongModel.status, (await read(wrongModel)).error.type]).toEqual([404, 'not_found_error']);
  expect((await ask(HELLO, { key: 'right' })).status).toBe(200);
});

test('faults are played to the first attempts of the same request, in their order', async () => {
  await open({
    rules: [
      {
        faults: [
          { status: 529, times: 2 },
          { status: 429, retryAfterMs: 10 },
        ],
        answer: [{ text: 'x' }],
      },
    ],
  });

  const statuses = [];
  for (let attempt = 1; attempt <= 5; attempt += 1) statuses.push((await ask(HELLO)).status);
  const other = await ask([{ role: 'user', content: 'another' }]);

  expect(statuses).toEqual([529, 529, 429, 200, 200]);
  expect(other.status).toBe(529);
});

test('the demo goes from the bug to the mended program and remembers it later', async () => {
  await open();
  const messages: object[] = [{ role: 'user', content: 'write a program' }];
  const step = async (...results: readonly string[]): Promise<string> => {
    const { content } = await read(await ask(messages, { model: 'demo' }));
    const tools = content.filter(({ type }) => type === 'tool_use');
    const answers = tools.map(({ id }, index) => ({
      type: 'tool_result',
      tool_use_id: id,
      content: results[index],
    }));
    messages.push({ role: 'assistant', content });
    if (answers.length > 0) messages.push({ role: 'user', content: answers });
    return [...tools.map(({ name }) => name), content.at(-1)?.text].join(' ').trim();
  };

  expect(await step('ok', 'ok')).toBe('write write');
  (messages.at(-1) as { content: object[] }).content.push({ type: 'text', text: 'keep it short' });
  expect(await step('average of 4 8 6: expected 6, got 9')).toBe('bash');
  expect(await step('replaced')).toBe('edit');
  expect(await step('ok: all checks passed')).toBe('bash');
  expect(await step()).toMatch(/divisor|divides/);
  expect(JSON.stringify(messages)).toContain('keep it short\\"');
  messages.push({ role: 'user', content: 'what did we do?' });
  expect(await step()).toContain('what did we do?');
});
