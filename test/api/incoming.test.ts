/** Bodies of many requests at once. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Door, ROOT_KEY } from '../support/door.ts';

const KIB = 1024;
const BYTES_MAX = 256 * KIB;
/** Three of them leave more room than one has taken, so that a larger one is the largest when the room ends. */
const SMALL_BYTES = 40 * KIB;
const LARGE_BYTES = 2 * BYTES_MAX;
/** A whole one fits. */
const FITS_BYTES = 160 * KIB;

let door: Door;
let clients: Socket[];
beforeEach(async () => {
  clients = [];
  door = await Door.open({ incomingBytesMax: BYTES_MAX });
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await door.close();
});

/** Sends the head of a request and `bytes` of a body that is longer. Answers all that comes back, until the connection ends. */
function half(
  bytes: number,
  bearer = ROOT_KEY,
): { readonly answer: Promise<string>; readonly client: Socket } {
  const client = connect(door.port, '127.0.0.1');
  clients.push(client);
  let answer = '';
  client.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  client.on('error', () => undefined); // it is ended with bytes of ours unread
  const head = [
    'POST /graphql HTTP/1.1',
    'host: x',
    'content-type: application/json',
    `authorization: Bearer ${bearer}`,
  ];
  client.write(`${head.join('\r\n')}\r\ncontent-length: ${bytes + 1}\r\n\r\n${' '.repeat(bytes)}`);
  return { client, answer: once(client, 'close').then(() => answer) };
}

describe('bodies that come slowly', () => {
  it('the largest are refused when all together are too much, and others are not (proves INCOMING-1)', async () => {
    const small = await door.post('{ __typename }');
    const slow = [0, 1, 2].map(() => half(SMALL_BYTES));
    const large = half(LARGE_BYTES);
    const refused = await large.answer;
    const after = await door.post('{ __typename }');

    expect(refused).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused).toMatch(/\r\nretry-after: 1\r\n/);
    expect(refused).toContain('"code":"UNAVAILABLE"');
    expect(refused).toContain('x-content-type-options: nosniff');
    expect([small.status, after.status]).toEqual([200, 200]);
    expect(door.logs).toContain('requests were ended');
    expect(slow.map(({ client }) => client.closed)).toEqual([false, false, false]);
  });

  it('what has ended does not count any more', async () => {
    const query = `{ __typename } # ${'x'.repeat(FITS_BYTES)}`;
    for (let round = 0; round < 6; round += 1) expect((await door.post(query)).status).toBe(200);

    expect(door.logs).not.toContain('requests were ended');
  });

  it('a body without a valid key is refused before it has come, and does not count', async () => {
    const refused = Array.from({ length: 8 }, () => half(SMALL_BYTES, 'no-such-key-0123456789'));
    const heads = await Promise.all(
      refused.map(async ({ client }) => String((await once(client, 'data'))[0])),
    );
    const large = await door.post(`{ __typename } # ${'x'.repeat(FITS_BYTES)}`);

    expect(heads.map((head) => head.slice(0, 12))).toEqual(refused.map(() => 'HTTP/1.1 401'));
    expect(large.status).toBe(200);
  });
});
