/** GraphiQL: made once for all who look, compressed, told apart by a tag; and what a browser is told with every answer. */
import { connect } from 'node:net';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { GraphiqlConsole } from '../../src/api/graphql/console.ts';
import type { ConsolePage } from '../../src/api/graphql/console-page.ts';
import { Door } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { systemScheduler } from '../../src/kernel/scheduler.ts';
import { TimeSlices } from '../../src/kernel/time-slices.ts';

/** Kernels hold some megabytes for a connection; what we hold for all of them together is one page. */
const MIB = 1024 * 1024;
const READERS = 60;
const READERS_BYTES_MAX = 64 * 1024 * 1024;

let door: Door;
beforeAll(async () => {
  door = await Door.open({ origins: ['https://app.example', 'https://two.example'] });
});
afterAll(() => door.close());

interface Got {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** As it comes over the wire: fetch would take off the coding. */
function get(headers: Record<string, string>, path = '/graphql', method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asking = request(new URL(path, door.url), { method, headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('end', () =>
        resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks) }),
      );
    });
    asking.on('error', reject);
    asking.end();
  });
}

function slices(): TimeSlices {
  return new TimeSlices({ scheduler: systemScheduler, monotonicNow: () => performance.now() });
}

describe('GraphiQL', () => {
  it('is sent as small as the browser takes it, and says what it depends on', async () => {
    const accept = 'text/html,*/*;q=0.8';
    const codings = ['gzip, deflate, br, zstd', 'gzip', 'br;q=0, *', 'identity', 'br;q=0'];
    const got = await Promise.all(codings.map((coding) => get({ accept, 'accept-encoding': coding })));
    const [br, gzip, star, identity, none] = got.map(({ headers }) => headers['content-encoding']);

    expect([br, gzip, star, identity, none]).toEqual(['br', 'gzip', 'gzip', undefined, undefined]);
    const pages = [
      brotliDecompressSync(got[0]?.body ?? ''),
      gunzipSync(got[1]?.body ?? ''),
      got[3]?.body ?? Buffer.of(),
    ];
    expect(new Set(pages.map((page) => createHash('sha256').update(page).digest('hex'))).size).toBe(1);
    expect(String(pages[2]?.subarray(0, 40))).toContain('<!doctype html>');
    expect(got[0]?.body.length).toBeLessThan(2_500_000);
    expect(got[0]?.headers).toMatchObject({ vary: 'Accept, Accept-Encoding', 'cache-control': 'no-cache' });
  });

  it('is not sent again to who has it', async () => {
    const headers = { accept: 'text/html', 'accept-encoding': 'br' };
    const first = await get(headers);
    const etag = String(first.headers['etag']);
    const again = await Promise.all(
      [etag, `"other", W/${etag}`, '*', '"other"'].map((tag) => get({ ...headers, 'if-none-match': tag })),
    );

    expect(again.map(({ status }) => status)).toEqual([304, 304, 304, 200]);
    expect(again[0]?.body.length).toBe(0);
    expect(again[0]?.headers['etag']).toBe(etag);
    expect((await get({ ...headers, 'accept-encoding': 'gzip', 'if-none-match': etag })).status).toBe(200);
  });

  it('CONSOLE-1: is made once, however many ask meanwhile, and again after it could not be made', async () => {
    let made = 0;
    const page = Promise.withResolvers<ConsolePage>();
    const console = new GraphiqlConsole({ outgoing: { sharedIn: () => undefined }, slices: slices() }, () => {
      made += 1;
      return made === 1 ? Promise.reject(new Error('no memory')) : page.promise;
    });
    const body = new Uint8Array(Buffer.from('page'));
    const sent: Buffer[] = [];
    const res = {
      destroyed: false,
      writeHead: () => res,
      once: () => res,
      off: () => res,
      write(chunk: Buffer, taken: () => void) {
        sent.push(chunk);
        taken();
      },
      end: () => res,
    };
    // As much of a request and a response as it looks at.
    const ask = () => console.send({ headers: {} } as never, res as never);
    await expect(ask()).rejects.toThrow('no memory');
    const asking = [ask(), ask(), ask()];
    page.resolve({ bodies: { identity: body, gzip: body, br: body }, digest: 'd', scriptHash: 'h' });
    await Promise.all(asking);

    expect(made).toBe(2);
    expect(sent.length).toBe(3);
    for (const chunk of sent) expect(chunk.buffer).toBe(body.buffer); // the same memory
  });

  it('CONSOLE-1: is written slice by slice, each when the one before has been taken, until the reader has gone', async () => {
    const identity = new Uint8Array(3 * MIB);
    const page = { bodies: { identity, gzip: identity, br: identity }, digest: 'd', scriptHash: 'h' };
    const console = new GraphiqlConsole({ outgoing: { sharedIn: () => undefined }, slices: slices() }, () =>
      Promise.resolve(page),
    );
    const written: number[] = [];
    let takes = (): void => undefined;
    let closes = (): void => undefined;
    const res = {
      destroyed: false,
      writeHead: () => res,
      once: (_event: string, closed: () => void) => {
        closes = closed;
      },
      off: () => res,
      write(chunk: Buffer, taken: () => void) {
        written.push(chunk.length);
        takes = taken;
      },
      end: () => res,
    };
    const sent = console.send({ headers: {} } as never, res as never); // as much of them as it looks at
    await eventually('the first slice', () => written.length === 1);
    takes();
    await eventually('the second', () => written.length === 2);
    res.destroyed = true;
    closes();
    await sent;

    expect(written.length).toBe(2);
    expect(Math.max(...written)).toBeLessThanOrEqual(MIB / 4);
  });

  it('CONSOLE-1: costs the server one page when nobody reads it', async () => {
    await get({ accept: 'text/html' });
    const before = process.memoryUsage().rss;
    const sockets = Array.from({ length: READERS }, () => {
      const socket = connect(door.port, '127.0.0.1');
      socket.write(
        'GET /graphql HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nAccept-Encoding: identity\r\n\r\n',
      );
      return socket;
    });
    await Promise.all(
      sockets.map((socket) => new Promise<void>((resolve) => socket.once('readable', () => resolve()))),
    );
    const held = process.memoryUsage().rss - before;
    for (const socket of sockets) socket.destroy();

    expect(held).toBeLessThan(READERS_BYTES_MAX); // made for each of them it was 540 MB
  });

  it('CONSOLE-2: lets its own script run, and says so by its hash', async () => {
    const { headers, body } = await get({ accept: 'text/html', 'accept-encoding': 'identity' });
    const page = body.toString();
    const script = page.slice(page.indexOf('<script>') + '<script>'.length, page.lastIndexOf('</script>'));
    const policy = String(headers['content-security-policy']);

    expect(policy).toContain(`script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-eval|script-src[^;]*unsafe-inline|https?:|\*/);
  });
});

describe('HEADER-1: every answer', () => {
  const SAFE = {
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
  };
  it.each([
    ['the hint', '/', {}, 'GET', 200],
    ['health', '/healthz', {}, 'GET', 200],
    ['readiness', '/readyz', {}, 'GET', 200],
    ['what is not there', '/nothing', {}, 'GET', 404],
    ['a host that is none', '/', { host: '[::' }, 'GET', 400],
    ['no key', '/graphql', {}, 'POST', 401],
    ['a preflight', '/graphql', { origin: 'https://app.example' }, 'OPTIONS', 204],
    ['the console', '/graphql', { accept: 'text/html' }, 'GET', 200],
  ])('%s', async (_what, path, headers, method, status) => {
    const got = await get(headers, path, method);

    expect(got.status).toBe(status);
    expect(got.headers).toMatchObject(SAFE);
  });

  it('a refused upgrade', async () => {
    const refused = await new Promise<Got['headers']>((resolve) => {
      new WebSocket(door.socketUrl, 'graphql-transport-ws', { origin: 'https://evil.example' })
        .on('unexpected-response', (_req, res) => resolve(res.headers))
        .on('error', () => undefined);
    });

    expect(refused).toMatchObject(SAFE);
  });

  it.each([
    ['no HTTP', 'HELLO\r\n\r\n', 400],
    ['headers without end', `GET / HTTP/1.1\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 431],
    [
      'an upgrade that is none of WebSocket',
      'GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      400,
    ],
    [
      'an upgrade elsewhere',
      'GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      404,
    ],
  ])('%s', async (_what, sent, status) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(door.port, '127.0.0.1', () => socket.write(sent));
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });

    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    for (const header of ['nosniff', 'no-referrer', "frame-ancestors 'none'"])
      expect(answer).toContain(header);
  });
});

describe('CORS', () => {
  const preflight = (origin: string) =>
    get(
      { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      '/graphql',
      'OPTIONS',
    );

  it('names an origin that is on the list, and says that answers differ', async () => {
    const { headers } = await preflight('https://two.example');

    expect(headers).toMatchObject({
      'access-control-allow-origin': 'https://two.example',
      'access-control-allow-headers': 'authorization',
      vary: expect.stringContaining('Origin'),
    });
    expect(headers['access-control-allow-credentials']).not.toBe('true');
  });

  it.each(['https://evil.example', 'http://two.example', 'https://two.example:8443', 'null'])(
    'tells %s nothing',
    async (origin) => {
      const answers = [await preflight(origin), await get({ origin }, '/graphql', 'POST')];

      for (const { headers } of answers) {
        expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
        expect(headers['vary']).toContain('Origin');
      }
    },
  );
});
