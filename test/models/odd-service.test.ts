/** The gateway before services that answer otherwise than the documentation says, byte by byte. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf } from '../../src/brain/unix-http.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { GATEWAY_REFUSAL, REFUSAL_HEADER } from '../../src/sessions/unit-wire.ts';
import type { Metered } from '../../src/models/usage-reader.ts';
import { eventually } from '../support/eventually.ts';
import { CANARY, type ModelStage, openStage } from './model-stage.ts';

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

let stage: ModelStage;
let service: Server;
let answer: Answer;
let requests = 0;
let metered: Metered[] = [];
let key = CANARY;
let meter: ((metered: Metered) => Promise<void>) | undefined;
beforeEach(async () => {
  requests = 0;
  key = CANARY;
  meter = undefined;
  metered = [];
  service = createServer((request, response) => {
    requests += 1;
    request.resume();
    answer(response, request);
  });
  service.listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo; // it listens on a port
  stage = await openStage({
    upstream: new URL(`http://127.0.0.1:${port}`),
    ports: {
      keyFor: () => Promise.resolve(new Sealed(key)),
      async meter(one) {
        metered.push(one);
        await meter?.(one);
      },
    },
  });
});
afterEach(async () => {
  await stage.close();
  service.close();
  service.closeAllConnections();
});

function ask(signal = new AbortController().signal) {
  return stage.http({
    method: 'POST',
    path: '/v1/messages',
    headers: { 'x-holdfast-call': 't3m2' },
    body: JSON.stringify({ model: 'meta/llama-3', max_tokens: 100, stream: true, messages: [] }),
    signal,
  });
}
/** Sends this, in chunks of this many bytes. */
const sends =
  (
    body: string,
    headers: Record<string, string> = { 'content-type': 'text/event-stream' },
    bytes = Infinity,
  ): Answer =>
  (response) => {
    response.writeHead(200, headers);
    const whole = Buffer.from(body);
    const write = (at: number): void => {
      if (at >= whole.length) return void response.end();
      const end = Math.min(whole.length, at + bytes);
      response.write(whole.subarray(at, end), () => setImmediate(() => write(end)));
    };
    write(0);
  };
const frame = (type: string, data: object = {}) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
const said = (text: string) =>
  frame('content_block_delta', { index: 0, delta: { type: 'text_delta', text } });
const STREAM =
  frame('message_start', { message: { model: 'm', usage: { input_tokens: 5, output_tokens: 1 } } }) +
  said('Grüße 🚀') +
  frame('content_block_stop', { index: 0 }) +
  frame('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } }) +
  frame('message_stop');
const MESSAGE = JSON.stringify({
  type: 'message',
  model: 'm',
  content: [],
  usage: { input_tokens: 5, output_tokens: 7 },
});
const USED: Partial<Metered> = { callId: 't3m2', model: 'm' };

describe('a stream', () => {
  it.each([
    ['LF', STREAM],
    ['CR LF', STREAM.replaceAll('\n', '\r\n')],
    ['CR', STREAM.replaceAll('\n', '\r')],
    ['a BOM', `\ufeff${STREAM}`],
    ['data alone', STREAM.replaceAll(/^event: .*\n/gm, '')],
    ['no last blank line', STREAM.trimEnd()],
  ])('with %s passes as it came and is metered once, in any chunks', async (_, body) => {
    for (const bytes of [1, 7, Infinity]) {
      answer = sends(body, undefined, bytes);
      expect(await textOf(await ask(), 100_000)).toBe(body);
    }

    expect(metered).toHaveLength(3);
    for (const one of metered)
      expect(one).toMatchObject({ ...USED, usage: { inputTokens: 5, outputTokens: 7, complete: true } });
  });

  it.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['deflate', deflateSync],
  ])(
    'that is compressed with %s, though nobody asked for it, passes in plain',
    async (encoding, compress) => {
      answer = (response, { headers }) => {
        expect(headers['accept-encoding']).toBe('identity');
        response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': encoding });
        response.end(compress(STREAM));
      };

      const response = await ask();

      expect(await textOf(response, 100_000)).toBe(STREAM);
      expect(response.headers['content-encoding']).toBeUndefined();
      expect(metered).toMatchObject([{ ...USED, usage: { outputTokens: 7, complete: true } }]);
    },
  );

  it.each([
    ['application/json', STREAM],
    ['TEXT/EVENT-STREAM; charset=utf-8', STREAM],
    ['', `\n\n: hello\n\n${STREAM}`],
  ])('is known by what it is, whatever its content-type says: %s', async (type, body) => {
    answer = sends(body, type === '' ? {} : { 'content-type': type }, 3);

    const response = await ask();

    expect(response.headers['content-type']).toBe('text/event-stream');
    expect(await textOf(response, 100_000)).toBe(body);
    expect(metered).toMatchObject([{ ...USED, usage: { outputTokens: 7, complete: true } }]);
  });

  it('gives out all that was said before its end while the usage is being written down (GATEWAY-2)', async () => {
    const asked = Promise.withResolvers<void>();
    const durable = Promise.withResolvers<void>();
    meter = () => {
      asked.resolve();
      return durable.promise;
    };
    const body = STREAM.replace(frame('content_block_stop', { index: 0 }), said('It is'));
    answer = sends(body);

    let seen = '';
    const reading = (async () => {
      for await (const chunk of (await ask()).body) seen += Buffer.from(chunk).toString();
    })();
    await asked.promise;
    await eventually('the rest is there', () => seen === body.replace(frame('message_stop'), ''));
    durable.resolve();
    await reading;

    expect(seen).toBe(body);
  });

  it('that names no model is metered under the name that was asked for', async () => {
    answer = sends(STREAM.replace('"model":"m",', ''));

    await textOf(await ask(), 100_000);

    expect(metered).toMatchObject([{ model: 'meta/llama-3', usage: { outputTokens: 7 } }]);
  });

  it('that never says message_stop is metered once, as incomplete', async () => {
    const body = STREAM.replace(frame('message_stop'), '');
    answer = sends(body);

    expect(await textOf(await ask(), 100_000)).toBe(body);
    expect(metered).toMatchObject([{ ...USED, usage: { outputTokens: 7, complete: false } }]);
  });

  it('that is cut where the key may begin loses nothing of what was said', async () => {
    const body = STREAM.slice(0, STREAM.indexOf(said('Grüße 🚀'))) + said('It is');
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(body, () => setImmediate(() => response.destroy()));
    };

    const response = await ask();
    let seen = '';
    const reading = (async () => {
      for await (const chunk of response.body) seen += Buffer.from(chunk).toString();
    })();

    await expect(reading).rejects.toThrow('aborted');
    expect(seen).toBe(body);
  });

  it('that is cut before it says what it used is said to be unmetered (proves GATEWAY-8)', async () => {
    const unmetered = { callId: 't3m2', model: 'meta/llama-3', unmetered: true, usage: { complete: false } };
    const cuts: readonly Answer[] = [
      (response) => response.destroy(), // before its head
      ...['text/event-stream', 'application/json'].map(
        (type): Answer =>
          (response) => {
            response.writeHead(200, { 'content-type': type }).flushHeaders(); // before its first byte
            response.socket?.end();
          },
      ),
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('\n', () => setImmediate(() => response.destroy())); // before what it is can be seen
      },
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(frame('ping'), () => setImmediate(() => response.destroy()));
      },
      (response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
        response.write('{"type":', () => setImmediate(() => response.destroy()));
      },
    ];
    for (const [index, cut] of cuts.entries()) {
      answer = cut;
      await ask()
        .then((response) => textOf(response, 1_000))
        .catch(() => undefined);
      await eventually('it is told', () => metered.length === index + 1);
      expect(metered[index]).toMatchObject(unmetered);
    }
  });

  it('whose caller leaves before its head or its first byte is said to be unmetered, and an error is not (proves GATEWAY-8)', async () => {
    const head: Answer = (response) => response.writeHead(200).flushHeaders();
    for (const [index, begin] of [() => undefined, head].entries()) {
      const asked = Promise.withResolvers<void>();
      answer = (...both) => asked.resolve(begin(...both));
      const leave = new AbortController();
      const response = ask(leave.signal);
      await asked.promise;
      leave.abort();
      await response.catch(() => undefined);
      await eventually('it is told', () => metered.length === index + 1);
      expect(metered[index]).toMatchObject({ unmetered: true, usage: { outputTokens: 0, complete: false } });
    }

    answer = (refusing) => refusing.writeHead(529).end('{}');
    await ask();
    expect(metered).toHaveLength(2);
  });
});

describe('an answer that is no stream', () => {
  it.each(['application/json', 'text/event-stream', 'text/plain'])(
    'passes whole and is metered once: %s',
    async (type) => {
      answer = sends(MESSAGE, { 'content-type': type, 'request-id': 'req_1' }, 5);

      const response = await ask();

      expect(await textOf(response, 100_000)).toBe(MESSAGE);
      expect(response.headers['content-length']).toBe(String(MESSAGE.length));
      expect(metered).toMatchObject([
        { ...USED, requestId: 'req_1', usage: { inputTokens: 5, outputTokens: 7, complete: true } },
      ]);
      expect(requests).toBe(1);
    },
  );

  it('is held back until its usage is written down (GATEWAY-2)', async () => {
    const asked = Promise.withResolvers<void>();
    const durable = Promise.withResolvers<void>();
    meter = () => {
      asked.resolve();
      return durable.promise;
    };
    answer = sends(MESSAGE, { 'content-type': 'application/json' });

    const response = ask();
    await asked.promise;
    const before = stage.seen();
    durable.resolve();

    expect(await textOf(await response, 100_000)).toBe(MESSAGE);
    expect(before).toBe('');
  });

  it('passes with the listed headers and no other (GATEWAY-4)', async () => {
    const listed = { 'content-type': 'application/json', 'retry-after': '2', 'x-should-retry': 'false' };
    answer = sends(MESSAGE, { ...listed, 'set-cookie': 'session=1', server: 'odd', 'x-internal': 'yes' });

    const { headers } = await ask();

    expect(headers).toMatchObject(listed);
    for (const name of ['set-cookie', 'server', 'x-internal']) expect(headers).not.toHaveProperty(name);
  });

  it('and no message either passes whole and is not metered', async () => {
    answer = sends('<html>Log in first.</html>', { 'content-type': 'text/html' });

    const response = await ask();

    expect(response.headers['content-type']).toBe('text/html');
    expect(await textOf(response, 100_000)).toBe('<html>Log in first.</html>');
    expect(metered).toEqual([]);
  });

  it.each([204, 200])('and empty passes as such: %i', async (status) => {
    answer = (response) => response.writeHead(status).end();

    const response = await ask();

    expect(response.status).toBe(status);
    expect(await textOf(response, 100)).toBe('');
    expect(metered).toEqual([]);
  });

  it('but sends elsewhere passes with its status, and nobody goes there', async () => {
    answer = (response) => response.writeHead(307, { location: '/leak' }).end('moved');

    const response = await ask();

    expect([response.status, response.headers['location'], requests]).toEqual([307, undefined, 1]);
  });

  it('WIRE-1: and that speaks as the door and the gateway do is told apart from them', async () => {
    const error = { code: 'EPOCH_STALE', type: 'budget_exceeded', message: 'Stop.' };
    for (const whose of ['door', 'gateway']) {
      answer = (response) =>
        response.writeHead(409, { [REFUSAL_HEADER]: whose }).end(JSON.stringify({ error }));

      const response = await ask();

      expect([response.status, response.headers[REFUSAL_HEADER]]).toEqual([409, undefined]);
    }
  });

  it('and is cut is an error that may pass, before anything of it was sent', async () => {
    answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"type":', () => setImmediate(() => response.destroy()));
    };

    const response = await ask();

    expect(response.status).toBe(502);
    expect(response.headers).toMatchObject({ 'x-should-retry': 'true', [REFUSAL_HEADER]: GATEWAY_REFUSAL });
    expect(await textOf(response, 1_000)).toContain('cut its answer');
  });
});

describe('the id of a request', () => {
  it.each(['request-id', 'x-request-id', 'x-amzn-requestid'])(
    'is passed on and metered from %s',
    async (name) => {
      answer = sends(STREAM, { 'content-type': 'text/event-stream', [name]: 'req_7' });

      const response = await ask();
      await textOf(response, 100_000);

      expect(response.headers['request-id']).toBe('req_7');
      expect(metered).toMatchObject([{ requestId: 'req_7' }]);
    },
  );
});

describe('a caller that is gone', () => {
  it('ends the request to the service at once, before the head of its answer and after', async () => {
    let closed = 0;
    for (const head of [false, true]) {
      const asked = Promise.withResolvers<void>();
      answer = (response) => {
        response.once('close', () => (closed += 1));
        if (head) response.write(STREAM.slice(0, 200));
        asked.resolve();
      };
      const leave = new AbortController();

      const response = ask(leave.signal);
      await asked.promise;
      if (head) await response;
      leave.abort();
      await response.catch(() => undefined);

      await eventually('the service is let go', () => closed === (head ? 2 : 1));
    }
  });
});

describe('the key', () => {
  const cut = Math.floor(CANARY.length / 2);

  it.each([
    [
      'split over two deltas',
      frame('ping') + said(CANARY.slice(0, cut)) + frame('ping') + said(CANARY.slice(cut)),
    ],
    ['escaped', said('KEY').replace('KEY', CANARY.replace('s', '\\u0073'))],
    [
      'split over two blocks',
      said(CANARY.slice(0, cut)) +
        frame('content_block_stop', { index: 0 }) +
        frame('content_block_start', { index: 1, content_block: { type: 'text', text: '' } }) +
        said(CANARY.slice(cut)).replace('"index":0', '"index":1'),
    ],
    ['in an error in mid-stream', frame('error', { error: { message: `bad key ${CANARY}` } })],
    [
      'in a block that is whole',
      frame('content_block_start', { index: 0, content_block: { type: 'tool_use', input: { CANARY } } }),
    ],
  ])('is in no stream: %s', async (_, part) => {
    for (const bytes of [3, Infinity]) {
      answer = sends(STREAM.replace(frame('content_block_stop', { index: 0 }), part), undefined, bytes);
      const text = await textOf(await ask(), 100_000);

      const texts = [...text.matchAll(/"text":"([^"]*)"/g)].map(([, one]) => one).join('');
      expect(text).toContain('[sealed]');
      expect(text + texts).not.toContain(CANARY);
      expect(text + texts).not.toContain(CANARY.slice(cut));
      expect(text.endsWith(frame('message_stop'))).toBe(true);
    }
  });

  it('is in no header, error or page (GATEWAY-1)', async () => {
    for (const status of [200, 401, 500]) {
      answer = (response) =>
        response
          .writeHead(status, {
            'content-type': 'text/html',
            'request-id': `k-${CANARY}`,
            'retry-after': CANARY,
          })
          .end(`<html>key=${CANARY} "${CANARY.replace('-', '\\u002d')}"`);

      const response = await ask();

      expect(await textOf(response, 1_000)).toBe('<html>key=[sealed] "[sealed]"');
      expect(response.headers).toMatchObject({ 'request-id': 'k-[sealed]', 'retry-after': '[sealed]' });
    }
    expect(stage.seen()).not.toContain(CANARY);
  });

  it('is in no comment, id or name of an event, and not in the name of the model that is metered', async () => {
    const noise = `: ${CANARY}\n\nid: ${CANARY}\nevent: ${CANARY}\ndata: ${btoa(CANARY)}\n\n`;
    answer = sends(noise + STREAM.replace(/"model":"[^"]*"/, `"model":"m ${CANARY.toUpperCase()}"`));

    const text = await textOf(await ask(), 100_000);

    expect(text).toMatch(/^: \[sealed\]\n\nid: \[sealed\]\nevent: \[sealed\]\ndata: \[sealed\]/);
    expect(text).toContain('m [sealed]');
    expect(metered).toMatchObject([{ model: 'm [sealed]' }]);
  });

  it('is in no answer that comes whole, spread over its blocks and in other forms', async () => {
    const parts = [CANARY.slice(0, cut), CANARY.slice(cut), Buffer.from(CANARY).toString('hex')];
    const body = {
      ...JSON.parse(MESSAGE),
      model: CANARY,
      content: parts.map((text) => ({ type: 'text', text })),
    };
    answer = sends(JSON.stringify(body), { 'content-type': 'application/json' }, 7);

    const { content, model } = JSON.parse(await textOf(await ask(), 100_000));

    expect(content.map(({ text }: { text: string }) => text).join('|')).toMatch(
      new RegExp(`^${parts[0]}\\|[^|]{0,5}\\[sealed\\]\\|\\[sealed\\]$`),
    );
    expect([model, metered[0]?.model]).toEqual(['[sealed]', '[sealed]']);
  });

  it('is not spread over headers', async () => {
    answer = (response) =>
      response.writeHead(500, { 'retry-after': CANARY.slice(0, cut), 'request-id': CANARY.slice(cut) }).end();

    const { headers } = await ask();

    expect(headers['retry-after']).toBe(CANARY.slice(0, cut));
    expect(headers['request-id']).toMatch(/^.{0,5}\[sealed\]$/);
  });

  it.each(['test', 'ollama', 'e', '1', 'sk-none'])('changes nothing when it is a word: %s', async (word) => {
    key = word;
    const body = STREAM.replace('Grüße', `I test e1 with ollama and sk-none`);
    answer = sends(body, { 'content-type': 'text/event-stream', 'request-id': 'test-e1' });

    const response = await ask();

    expect(await textOf(response, 100_000)).toBe(body);
    expect(response.headers['request-id']).toBe('test-e1');
  });
});
