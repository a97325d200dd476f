/** Frames that no client of graphql-transport-ws sends: too large, too many, in pieces, of the wrong kind, at the wrong time. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const MIB = 1024 * 1024;
const UPGRADE =
  'GET /graphql HTTP/1.1\r\nHost: siege\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: c2llZ2VzaWVnZXNpZWdlcw==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n';

type Attack = (ground: Ground, socket: WebSocket) => void;

/** After connection_init. */
const ADMITTED: Readonly<Record<string, Attack>> = {
  garbage: (_, socket) => send(socket, randomBytes(2_000).toString('latin1')),
  binary: (_, socket) => socket.send(randomBytes(MIB)),
  'too large': (_, socket) => send(socket, JSON.stringify({ id: 'x'.repeat(3 * MIB), type: 'subscribe' })),
  'a large id': (ground, socket) => subscribe(ground, socket, 'i'.repeat(MIB)),
  'the same id': (ground, socket) => times(20, () => subscribe(ground, socket, 'same')),
  'many operations': (ground, socket) => times(300, (at) => subscribe(ground, socket, `m${at}`)),
  'subscribe and complete': (ground, socket) =>
    times(500, (at) => {
      subscribe(ground, socket, `c${at}`);
      send(socket, JSON.stringify({ id: `c${at}`, type: 'complete' }));
    }),
  'ids of the prototype': (ground, socket) =>
    ['__proto__', 'constructor', 'toString', ''].forEach((id) => subscribe(ground, socket, id)),
  'pings with payloads': (_, socket) =>
    times(200, () => send(socket, JSON.stringify({ type: 'ping', payload: { a: 'p'.repeat(50_000) } }))),
  'protocol pings': (_, socket) => times(5_000, () => socket.ping('x'.repeat(125))),
  pieces: (_, socket) =>
    times(5_000, (at) => socket.send('[', { fin: at === 4_999, binary: false }, () => undefined)),
  'pieces without an end': (_, socket) =>
    times(30, () => socket.send('x'.repeat(100_000), { fin: false, binary: false }, () => undefined)),
  'deep JSON': (_, socket) => send(socket, '['.repeat(500_000)),
  'deep variables': (_, socket) =>
    send(
      socket,
      `{"id":"1","type":"subscribe","payload":{"query":"{__typename}","variables":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}}`,
    ),
  'init again': (_, socket) => send(socket, '{"type":"connection_init"}'),
  'a half-open end': (_, socket) => socket.pause(),
};
/** Before it, or without it. */
const UNKNOWN: Readonly<Record<string, Attack>> = {
  'pings before init': (_, socket) =>
    times(2_000, () => send(socket, JSON.stringify({ type: 'ping', payload: { a: 'p'.repeat(5_000) } }))),
  'subscribe before init': (ground, socket) => subscribe(ground, socket, 'early'),
  'init with a large payload': (_, socket) =>
    send(socket, JSON.stringify({ type: 'connection_init', payload: { authorization: 'x'.repeat(MIB) } })),
  'init with a wrong payload': (_, socket) => send(socket, '{"type":"connection_init","payload":[null]}'),
  'no init': () => undefined,
};
/** Bytes after the upgrade that are no frames. */
const BYTES: Readonly<Record<string, () => Buffer>> = {
  'an unmasked frame': () => Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
  'a length of 2^63': () =>
    Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  'reserved bits': () => Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
  'a fragmented ping': () => Buffer.from([0x09, 0x80, 0, 0, 0, 0]),
  'an odd close': () => Buffer.from([0x88, 0x81, 0, 0, 0, 0, 1]),
  'half a frame': () => Buffer.from([0x81, 0xfe, 0xff]),
  noise: () => randomBytes(4_096),
};

export const frames: Kind = {
  name: 'frames',
  attacks: 'frames that are garbage, huge, early, too many, in pieces or half sent',
  atOnce: 6,
  few: 40,
  action(dice: Dice, ground: Ground): Action {
    const stage = dice.pick(['admitted', 'admitted', 'unknown', 'bytes'] as const);
    const [table, name] = stageOf(stage, dice);
    const bearer = dice.pick([ground.readToken, ground.key]);
    return {
      told: `${stage}: ${name}`,
      async run() {
        if (stage === 'bytes') {
          const socket = ground.client.connection();
          socket.write(UPGRADE);
          socket.write(BYTES[name]?.() ?? '');
          return;
        }
        const socket = await ground.client.socket(bearer, stage === 'admitted');
        if (socket !== undefined) table[name]?.(ground, socket);
      },
    };
  },
};

function stageOf(
  stage: 'admitted' | 'unknown' | 'bytes',
  dice: Dice,
): readonly [Readonly<Record<string, Attack>>, string] {
  if (stage === 'bytes') return [{}, dice.pick(Object.keys(BYTES))];
  const table = stage === 'admitted' ? ADMITTED : UNKNOWN;
  return [table, dice.pick(Object.keys(table))];
}

function subscribe(ground: Ground, socket: WebSocket, id: string): void {
  const query = `subscription { sessionEvents(sessionId: "${ground.longLog}") { ... on EventBatch { cursor events { seq } } } }`;
  send(socket, JSON.stringify({ id, type: 'subscribe', payload: { query } }));
}

function send(socket: WebSocket, text: string): void {
  socket.send(text, () => undefined); // it may have been closed for what came before
}

function times(count: number, work: (at: number) => void): void {
  for (let at = 0; at < count; at += 1) work(at);
}
