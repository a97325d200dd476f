/** How much the gateway takes of a service that does not end (proves GATEWAY-9): bytes, as they come and unpacked, and the loop's time. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createGzip, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { LoopShare } from '../../src/models/loop-share.ts';
import { textOf } from '../../src/brain/unix-http.ts';
import {
  ANSWER_ERROR_BYTES_MAX,
  ANSWER_LINE_BYTES_MAX,
  ANSWER_STREAM_BYTES_MAX,
  ANSWER_WHOLE_BYTES_MAX,
} from '../../src/models/answer-limit.ts';
import { eventually } from '../support/eventually.ts';
import { type ModelStage, openStage } from './model-stage.ts';

const MIB = 1024 * 1024;
const CHUNK = Buffer.alloc(64 * 1024, 0x78);
/** What is on its way between the two sides of a connection. */
const ON_THE_WAY = 8 * MIB;

let stage: ModelStage;
let service: Server;
let answer: (response: ServerResponse) => void;
/** Of the answer, as the connection took them. */
let sent = 0;
beforeEach(async () => {
  sent = 0;
  service = createServer((request, response) => {
    request.resume();
    response.on('error', () => undefined);
    answer(response);
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo; // it listens on a port
  const clock = { ...systemClock, sleep: () => Promise.resolve() }; // what a share of the time is, loop-share.test.ts knows
  const loop = new LoopShare({ clock, scheduler: systemScheduler });
  stage = await openStage({ upstream: new URL(`http://127.0.0.1:${port}`), loop });
});
afterEach(async () => {
  await stage.close();
  service.close();
  service.closeAllConnections();
});

const ask = () =>
  stage.http({
    method: 'POST',
    path: '/v1/messages',
    headers: { 'x-holdfast-call': 't3m2' },
    body: JSON.stringify({ model: 'meta/llama-3', max_tokens: 100, stream: true, messages: [] }),
    signal: new AbortController().signal,
  });

const endless =
  (head: readonly [status: number, type: string], first: string, again: Buffer) =>
  (response: ServerResponse): void => {
    response.writeHead(head[0], { 'content-type': head[1] });
    response.write(first);
    const more = (): void => {
      if (response.destroyed) return;
      sent += again.length;
      response.write(again, () => more());
    };
    more();
  };

const STREAM: readonly [number, string] = [200, 'text/event-stream'];
const START =
  'event: message_start\ndata: {"type":"message_start","message":{"usage":{"input_tokens":5}}}\n\n';

/** The last event of a stream, its length, and the length of what was before. */
async function lastOf(
  response: Awaited<ReturnType<typeof ask>>,
): Promise<{ readonly last: string; readonly bytes: number }> {
  let last = '';
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    last = (last + Buffer.from(chunk).toString('latin1')).slice(-1_000);
  }
  return { last: last.slice(last.lastIndexOf('event: ')), bytes };
}

describe('a stream without an end', () => {
  it.each([
    ['comments', ANSWER_STREAM_BYTES_MAX, '', Buffer.concat([Buffer.from(': '), CHUNK, Buffer.from('\n\n')])],
    ['one line', ANSWER_LINE_BYTES_MAX, 'data: ', CHUNK],
    [
      'one event of many lines',
      ANSWER_LINE_BYTES_MAX,
      '',
      Buffer.concat([Buffer.from('data: '), CHUNK, Buffer.from('\n')]),
    ],
  ])(
    'of %s ends at its bytes, says so and is metered as cut',
    async (_, bytesMax, first, again) => {
      answer = endless(STREAM, START + first, again);

      const { last, bytes } = await lastOf(await ask());

      expect(JSON.parse(last.slice(last.indexOf('{')))).toMatchObject({
        type: 'error',
        error: { type: 'answer_too_large', message: expect.stringContaining(' bytes') },
      });
      expect(bytes).toBeLessThan(bytesMax + ON_THE_WAY);
      expect(sent).toBeLessThan(bytesMax + ON_THE_WAY);
      await eventually('the usage is written down', () => stage.metered.length === 1);
      expect(stage.metered).toMatchObject([{ usage: { inputTokens: 5, complete: false } }]);
    },
    120_000,
  );

  it('that says nothing of its usage is unmetered', async () => {
    answer = endless(STREAM, 'data: ', CHUNK);

    expect((await lastOf(await ask())).last).toContain('answer_too_large');
    expect(stage.metered).toMatchObject([{ unmetered: true, usage: { complete: false } }]);
  });

  it('is bounded as it comes where it is nothing when it is unpacked', async () => {
    const nothing = gzipSync(''); // members may follow each other (RFC 1952, 2.2), and be empty
    const packed = Buffer.concat(Array.from({ length: 50_000 }, () => nothing));
    answer = (response) => {
      response.setHeader('content-encoding', 'gzip');
      endless(STREAM, '', packed)(response);
    };

    const response = await ask();

    expect(response.status).toBe(502);
    expect(await textOf(response, MIB)).toContain('answer_too_large');
    expect(sent).toBeLessThan(ANSWER_STREAM_BYTES_MAX + ON_THE_WAY);
    expect(stage.metered).toMatchObject([{ unmetered: true }]);
  }, 120_000);
});

describe('an answer that is larger than its bound', () => {
  it('is refused for good, whole or packed, and metered as cut', async () => {
    const json: readonly [number, string] = [200, 'application/json'];
    answer = endless(json, '{"type":"message","content":"', CHUNK);
    const whole = await ask();

    expect(whole.status).toBe(502);
    expect(JSON.parse(await textOf(whole, MIB)).error).toMatchObject({ type: 'answer_too_large' });
    expect(sent).toBeLessThan(ANSWER_WHOLE_BYTES_MAX + ON_THE_WAY);

    answer = (response) => bomb(response, json);
    const packed = await ask();
    expect(packed.status).toBe(502);
    expect(JSON.parse(await textOf(packed, MIB)).error).toMatchObject({ type: 'answer_too_large' });
    expect(stage.metered).toMatchObject([{ unmetered: true }, { unmetered: true }]);
  });

  it('is one in its values as well, and a message of many blocks is not', async () => {
    const send = (body: string) => (response: ServerResponse) =>
      void response.writeHead(200, { 'content-type': 'application/json' }).end(body);
    const blocks = Array.from({ length: 60_000 }, () => ({ type: 'text', text: 'a', more: {} }));
    answer = send(JSON.stringify({ type: 'message', content: blocks, usage: { output_tokens: 7 } }));
    const message = await ask();
    expect(JSON.parse(await textOf(message, 8 * MIB)).content).toHaveLength(60_000);
    expect(stage.metered).toMatchObject([{ usage: { outputTokens: 7, complete: true } }]);

    answer = send(`{"type":"message","content":[{"type":"text","text":[${'{},'.repeat(250_000)}0]}]}`);
    expect((await ask()).status).toBe(502);
  });

  it('keeps its status where it is an error, and nothing else', async () => {
    for (const [status, send] of [
      [400, endless([400, 'application/json'], '{"error":{"message":"', CHUNK)],
      [429, (response: ServerResponse) => bomb(response, [429, 'application/json'])],
      [529, endless([529, 'text/html'], '<html>', CHUNK)],
    ] as const) {
      sent = 0;
      answer = send;
      const response = await ask();

      expect(response.status).toBe(status);
      expect(JSON.parse(await textOf(response, 1_000))).toEqual({
        type: 'error',
        error: { message: `The model service refused with status ${status} and more words than are read.` },
      });
      expect(sent).toBeLessThan(ANSWER_ERROR_BYTES_MAX + ON_THE_WAY);
    }
    expect(stage.metered).toEqual([]);
  });
});

/** Some kilobytes that are a hundred megabytes. */
function bomb(response: ServerResponse, [status, type]: readonly [number, string]): void {
  response.writeHead(status, { 'content-type': type, 'content-encoding': 'gzip' });
  const packed = createGzip();
  packed.on('error', () => undefined);
  packed.pipe(response);
  packed.write('{"error":{"message":"');
  for (let chunk = 0; chunk < 1_600; chunk += 1) packed.write(CHUNK);
  packed.end();
}
