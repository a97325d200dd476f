/** Connections that ask for nothing, or never finish asking, up to the limit of open files; and a turn that needs files meanwhile. */
import type { Socket } from 'node:net';
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const HEAD = 'POST /graphql HTTP/1.1\r\nHost: siege\r\nContent-Type: application/json\r\n';

const BYTES: Readonly<Record<string, string>> = {
  idle: '',
  'half a request line': 'POST /gra',
  'half a head': HEAD,
  'a head in one long header': `${HEAD}x-a: ${'y'.repeat(100_000)}`,
  'many headers': `${HEAD}${Array.from({ length: 5_000 }, (_, at) => `h${at}: 1\r\n`).join('')}`,
  'half a body': `${HEAD}Content-Length: 1000000\r\n\r\n{"query":"`,
  'a body that never comes': `${HEAD}Content-Length: 2000000\r\nExpect: 100-continue\r\n\r\n`,
  'two lengths': `${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
  'chunks without an end': `${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`,
  'a chunk of 2^60': `${HEAD}Transfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\nx`,
  'a long chunk extension': `${HEAD}Transfer-Encoding: chunked\r\n\r\n1;${'e'.repeat(200_000)}`,
  'requests in a row, unread': 'GET /healthz HTTP/1.1\r\nHost: siege\r\n\r\n'.repeat(2_000),
  'half an upgrade': 'GET /graphql HTTP/1.1\r\nHost: siege\r\nUpgrade: websocket\r\n',
  'another method': 'PROPFIND /graphql HTTP/1.1\r\nHost: siege\r\nContent-Length: 0\r\n\r\n',
  'TLS to a plain port': '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
};
const UNREAD = new Set(['requests in a row, unread']);
const ASKS = 'GET /healthz HTTP/1.1\r\nHost: siege\r\n\r\n';
/** Some have no room, and hear nothing. */
const ANSWER_MS_MAX = 3_000;

export const connections: Kind = {
  name: 'connections',
  attacks: 'idle and half-sent requests up to the limit of open files, while sessions start',
  atOnce: 4,
  few: 12,
  action(dice: Dice, ground: Ground): Action {
    if (dice.hits(0.15)) return { told: 'a command, which needs files', run: () => command(ground) };
    const name = dice.pick(Object.keys(BYTES));
    const count = dice.pick([1, 100, 500, 1_500]);
    const isKnown = dice.hits(0.25) && !UNREAD.has(name);
    return {
      told: `${count} times ${name}${isKnown ? ', all answered before' : ''}`,
      async run() {
        if (isKnown) return afterAnswers(ground, count, BYTES[name] ?? '');
        for (let at = 0; at < count; at += 1) {
          const socket = UNREAD.has(name) ? ground.client.unread('') : ground.client.connection();
          if (BYTES[name] !== '') socket.write(BYTES[name] ?? '');
        }
        await new Promise((resolve) => setImmediate(resolve));
      },
    };
  },
};

/** Whoever was answered is known (SLICE-4), and then all send at once. */
async function afterAnswers(ground: Ground, count: number, bytes: string): Promise<void> {
  const sockets = Array.from({ length: count }, () => ground.client.connection());
  const late = AbortSignal.timeout(ANSWER_MS_MAX);
  await Promise.all(sockets.map((socket) => answered(socket, late)));
  for (const socket of sockets) if (bytes !== '' && socket.writable) socket.write(bytes);
  await new Promise((resolve) => setImmediate(resolve));
}

function answered(socket: Socket, late: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    for (const event of ['data', 'close']) socket.once(event, resolve);
    late.addEventListener('abort', resolve, { once: true });
    socket.write(ASKS);
  });
}

async function command(ground: Ground): Promise<void> {
  await ground.command('echo there', 5_000);
}
