/** Requests without a key, beside those with one that nobody knows: all but the sentence is the same. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, Door } from '../support/door.ts';

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
});
