/** Requests without a key, beside those with one that nobody knows: all but the sentence is the same. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';

let door: Door;
let listed: Door;
beforeAll(async () => {
  door = await Door.open();
  listed = await Door.open({ origins: ['https://app.example', 'https://other.example'] });
});
afterAll(async () => {
  await door.close();
  await listed.close();
});

async function shown(url: string, headers: Record<string, string>): Promise<unknown> {
  const init = { method: 'POST', body: '{"query":"{ __typename }"}' };
  const response = await fetch(url, { ...init, headers: { 'content-type': 'application/json', ...headers } });
  const said = Object.fromEntries(response.headers);
  const transport = ['date', 'connection', 'keep-alive', 'content-length', 'transfer-encoding'];
  for (const name of transport) delete said[name];
  const { errors }: Answer = await response.json();
  return { status: response.status, said, code: errors[0].extensions.code };
}

describe('a request without a key', () => {
  it.each([{}, { origin: 'https://app.example' }, { origin: 'https://evil.example' }])(
    'is answered like one with an unknown key: %o (proves KEYLESS-1)',
    async (headers: Record<string, string>) => {
      for (const { url } of [door, listed]) {
        const unknown = await shown(url, { ...headers, authorization: 'Bearer no-such-key-0123456789' });

        expect(await shown(url, headers)).toEqual(unknown);
        expect(unknown).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
      }
    },
  );

  it('is answered though its body never comes', async () => {
    const client = connect(door.port, '127.0.0.1');
    client.write('POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n');
    const [head] = await once(client, 'data');
    client.destroy();

    expect(String(head)).toMatch(/^HTTP\/1\.1 401 /);
  });

  const EXPECTING =
    'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n';

  it('is not asked for its body, and its connection ends', async () => {
    const client = connect(door.port, '127.0.0.1');
    let text = '';
    client.on('data', (data) => (text += String(data)));
    client.write(`${EXPECTING}Content-Length: 2000000\r\n\r\n`);
    await once(client, 'close');

    expect(text).toMatch(/^HTTP\/1\.1 401 [^]*connection: close/i);
  });

  it('as one with a key is', async () => {
    const client = connect(door.port, '127.0.0.1');
    const body = '{"query":"{ __typename }"}';
    const length = Buffer.byteLength(body);
    client.write(`${EXPECTING}Authorization: Bearer ${ROOT_KEY}\r\nContent-Length: ${length}\r\n\r\n`);
    const [asked] = await once(client, 'data');
    client.write(body);
    const [answer] = await once(client, 'data');
    client.destroy();

    expect(String(asked)).toMatch(/^HTTP\/1\.1 100 Continue/);
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 [^]*"__typename":"Query"/);
  });
});
