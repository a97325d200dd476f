/** Answers that no honest model service gives, through the gateway and the real stream decoder into the journal. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { MODEL_ATTEMPTS_MAX } from '../../src/brain/model-call.ts';
import { AnthropicModel } from '../../src/platform/anthropic/model.ts';
import { CANARY, type ModelStage, openStage } from '../models/model-stage.ts';
import { settle } from './stage.ts';
import { ok, UnitDouble } from './unit-double.ts';

type Service = (response: ServerResponse, call: number, request: IncomingMessage) => void;

let stage: ModelStage | undefined;
let server: Server | undefined;
afterEach(async () => {
  await stage?.close();
  server?.closeAllConnections();
  server?.close();
  stage = undefined;
  server = undefined;
});

async function turn(service: Service): Promise<{ readonly unit: UnitDouble; readonly calls: number }> {
  let calls = 0;
  server = createServer((request, response) => {
    request.resume().once('end', () => service(response, (calls += 1), request));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { unit: await play(new URL(`http://user:secret@127.0.0.1:${port}`)), calls };
}

async function play(upstream: URL): Promise<UnitDouble> {
  stage = await openStage({ upstream });
  const unit = new UnitDouble({ tool: () => Promise.resolve(ok('done')) });
  unit.say('go');
  await settle(unit, new AnthropicModel(stage.http, 'unit-token'));
  return unit;
}

const frame = (type: string, data: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const USAGE = { input_tokens: 1, output_tokens: 1 };
const START = frame('message_start', { message: { model: 'm', usage: USAGE } });
const open = (index: number, content_block: object): string =>
  frame('content_block_start', { index, content_block });
const piece = (index: number, delta: object): string => frame('content_block_delta', { index, delta });
const end = (stop_reason: unknown): string =>
  frame('message_delta', { delta: { stop_reason }, usage: USAGE }) + frame('message_stop', {});
const text = (said: string): string => open(0, { type: 'text', text: said });
const call = (json: string): string =>
  open(1, { type: 'tool_use', id: 'toolu_1', name: 'bash' }) +
  piece(1, { type: 'input_json_delta', partial_json: json });

function stream(response: ServerResponse, ...frames: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(START + frames.join(''));
}

test('a service that repeats the key in an error leaves no key in the log and none on the way', async () => {
  const { unit } = await turn((response) => {
    const error = { type: 'authentication_error', message: `bad key ${CANARY} ${'x'.repeat(5_000)}.` };
    response.writeHead(401, { 'content-type': 'application/json', 'request-id': `req_${CANARY}` });
    response.end(JSON.stringify({ error }));
  });

  expect(JSON.stringify(unit.log)).not.toContain(CANARY);
  expect(stage?.seen()).not.toContain(CANARY);
  expect(stage?.seen()).toContain('bad key [sealed]');
  const [failure] = unit.bodies('error.model');
  expect(failure?.message).toMatch(/bad key \[sealed\].*Replace the credential, then send a message\.$/);
  expect(String(failure?.message).length).toBeLessThanOrEqual(500);
});

test('a service that repeats the key in a stream leaves no key in the log and none on the way (GATEWAY-1)', async () => {
  const { unit } = await turn((response) => {
    stream(response, text(`your key is ${CANARY}, é`), end('end_turn'));
  });

  expect(stage?.seen()).not.toContain(CANARY);
  expect(unit.bodies('agent.message').map((body) => body.text)).toEqual(['your key is [sealed], é']);
});

test('a tool call whose input is not JSON is answered with what is wrong, and not asked and paid for again', async () => {
  const { unit, calls } = await turn((response, number) => {
    if (number === 1) stream(response, call('{"command": tru'), end('tool_use'));
    else stream(response, text('done'), end('end_turn'));
  });

  expect(calls).toBe(2);
  expect(unit.bodies('model.retried')).toEqual([]);
  expect(unit.bodies('tool.call')).toMatchObject([{ tool: 'bash', input: {} }]);
  expect(unit.bodies('tool.result')).toMatchObject([{ outcome: 'failed' }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('an answer that stops for a tool call without one is not the end of the work', async () => {
  const { unit, calls } = await turn((response, number) => {
    if (number === 1) stream(response, text('I will run it.'), end('tool_use'));
    else stream(response, text('done'), end('end_turn'));
  });

  expect(calls).toBe(2);
  expect(unit.bodies('agent.message').map((body) => body.text)).toEqual(['I will run it.', 'done']);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('an answer without an end is given up at its bound, and the service is hung up on', async () => {
  const cut = Promise.withResolvers<void>();
  const { unit, calls } = await turn((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write(START + text('a'));
    response.once('close', () => cut.resolve());
    const more = piece(0, { type: 'text_delta', text: 'x'.repeat(64 * 1024) });
    const write = (): void => {
      while (!response.destroyed && response.write(more));
      response.once('drain', write);
    };
    write();
  });
  await cut.promise;

  expect(calls).toBe(1);
  expect(unit.bodies('error.model')).toMatchObject([{ code: 'MODEL_ANSWER_TOO_LARGE', retriable: false }]);
});

test.each([
  [
    'more blocks than one append holds',
    'MODEL_ANSWER_TOO_LARGE',
    Array.from({ length: 600 }, (_, index) => open(index, { type: 'text', text: 'a' })).join('') +
      end('end_turn'),
  ],
  ['a stop reason that is a number', 'MODEL_ANSWER_INVALID', text('a') + end(5)],
  ['a stop reason of megabytes', 'MODEL_ANSWER_INVALID', text('a') + end('x'.repeat(1_000_000))],
  ['a line of megabytes', 'MODEL_ANSWER_TOO_LARGE', text('a') + end('x'.repeat(5_000_000))],
  [
    'more JSON than can be parsed at once',
    'MODEL_ANSWER_TOO_LARGE',
    text('a') + frame('message_delta', { more: Array(300_000).fill(0) }),
  ],
  [
    'a text that is no text',
    'MODEL_ANSWER_INVALID',
    open(0, { type: 'text', text: { a: 1 } }) + end('end_turn'),
  ],
])('an answer with %s ends the turn with an error after one call', async (_, code, frames) => {
  const { unit, calls } = await turn((response) => stream(response, frames));

  expect(calls).toBe(1);
  expect(unit.bodies('error.model')).toMatchObject([{ code, retriable: false }]);
  expect(unit.session.turn?.outcome).toBe('error');
});

test('a whole answer that is larger than one may be ends the turn with an error after one call', async () => {
  const { unit, calls } = await turn((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({ type: 'message', content: [{ type: 'text', text: 'x'.repeat(9_000_000) }] }),
    );
  });

  expect(calls).toBe(1);
  expect(unit.bodies('error.model')).toMatchObject([{ code: 'MODEL_ANSWER_TOO_LARGE', retriable: false }]);
  expect(stage?.metered).toMatchObject([{ unmetered: true }]);
});

test('a tool input of endless depth is answered with what is wrong', async () => {
  const deep = `{"command":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
  const { unit, calls } = await turn((response, number) => {
    if (number === 1) stream(response, call(deep), end('tool_use'));
    else stream(response, text('done'), end('end_turn'));
  });

  expect(calls).toBe(2);
  expect(unit.bodies('tool.call')).toMatchObject([{ input: {} }]);
  expect(unit.session.turn?.outcome).toBe('completed');
});

test('an error event of endless depth ends the turn after one call', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const { unit, calls } = await turn((response) =>
    stream(response, `event: error\ndata: {"error":${deep}}\n\n`),
  );

  expect(calls).toBe(1);
  expect(unit.session.turn).toMatchObject({ outcome: 'error', failure: { code: 'MODEL_ANSWER_INVALID' } });
});

test('a refusal of megabytes is a failure of the call, not of the brain', async () => {
  const { unit, calls } = await turn((response) => response.writeHead(400).end('x'.repeat(5_000_000)));

  expect(calls).toBe(1);
  expect(unit.bodies('error.model')).toMatchObject([{ code: 'MODEL_REQUEST_INVALID' }]);
});

test('a service that switches protocols is a failure at once', async () => {
  const { unit, calls } = await turn((response, _, { socket }) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n');
    response.detachSocket(socket);
  });

  expect(calls).toBe(MODEL_ATTEMPTS_MAX);
  expect(unit.bodies('error.model')[0]?.message).toContain('wants another protocol (101)');
});

test('a service that cannot be reached is named, without its credentials, and the advice is said once', async () => {
  const { unit, port } = await unreachable();

  expect(unit.bodies('error.model')[0]?.message).toBe(
    `The model service failed: The model service at 127.0.0.1:${port} cannot be reached (ECONNREFUSED). Send the message again later.`,
  );
});

async function unreachable(): Promise<{ readonly unit: UnitDouble; readonly port: number }> {
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const address = closed.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  await new Promise((resolve) => closed.close(resolve));
  return { unit: await play(new URL(`http://user:secret@127.0.0.1:${port}`)), port };
}
