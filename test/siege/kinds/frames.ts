/** Frames that no client of graphql-transport-ws sends: too large, too many, in pieces, of the wrong kind, at the wrong time. */
import { randomBytes } from 'node:crypto';
import type { WebSocket } from 'ws';
import {
  CONTROL_BYTES_PER_SECOND_MAX,
  FRAGMENTS_MAX,
  UNKNOWN_BYTES_MAX,
} from '../../../src/api/graphql/inflow.ts';
import { WAITING_MAX } from '../../../src/api/graphql/mailbox.ts';
import type { Dice } from '../../simulate/dice.ts';
import type { Ground } from '../ground.ts';
import type { Action, Kind } from '../kind.ts';

const MIB = 1024 * 1024;
/** A masked frame of a client, without its payload; and the longest payload of a control frame (RFC 6455 5.2, 5.5). */
const [HEAD_BYTES, CONTROL_BYTES] = [6, 125];
/** Just as many as a socket may send in a second: what costs most of what is allowed. */
const EMPTY_CONTROLS = Math.floor((CONTROL_BYTES_PER_SECOND_MAX * 0.95) / HEAD_BYTES);
const FULL_CONTROLS = Math.floor((CONTROL_BYTES_PER_SECOND_MAX * 0.95) / (HEAD_BYTES + CONTROL_BYTES));
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
  'pings with payloads': (_, socket) => times(200, () => send(socket, pingOf(50_000))),
  'as many pings as it may send': (_, socket) =>
    times(FULL_CONTROLS, () => socket.ping('x'.repeat(CONTROL_BYTES))),
  'as many empty pings': (_, socket) => times(EMPTY_CONTROLS, () => socket.ping('')),
  'more pings than it may send': (_, socket) =>
    times(2 * FULL_CONTROLS, () => socket.ping('x'.repeat(CONTROL_BYTES))),
  'pongs that nobody asked for': (_, socket) => times(EMPTY_CONTROLS, () => socket.pong('')),
  'as many messages as may wait': (_, socket) => times(WAITING_MAX, () => send(socket, '{"type":"ping"}')),
  'more messages than may wait': (_, socket) =>
    times(10 * WAITING_MAX, () => send(socket, '{"type":"pong"}')),
  'as many pieces as there may be': (_, socket) => pieces(socket, FRAGMENTS_MAX - 1, 2_000),
  'empty pieces': (_, socket) => pieces(socket, FRAGMENTS_MAX - 1, 0),
  'pieces with pings in between': (_, socket) =>
    times(FRAGMENTS_MAX - 1, (at) => {
      socket.send(' ', { fin: at === FRAGMENTS_MAX - 2, binary: false }, () => undefined);
      socket.ping('');
    }),
  'too many pieces': (_, socket) => pieces(socket, 5_000, 1),
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
  'pings before init': (_, socket) => times(8, () => send(socket, pingOf(UNKNOWN_BYTES_MAX / 9))),
  'more pings before init': (_, socket) => times(100, () => send(socket, pingOf(5_000))),
  'protocol pings before init': (_, socket) =>
    times(UNKNOWN_BYTES_MAX / (2 * HEAD_BYTES), () => socket.ping('')),
  'subscribe before init': (ground, socket) => subscribe(ground, socket, 'early'),
  'init with as large a payload as it may send': (_, socket) =>
    send(socket, initOf(UNKNOWN_BYTES_MAX - 1_000)),
  'init with a larger one': (_, socket) => send(socket, initOf(MIB)),
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
  'half a mask': () => Buffer.from([0x81, 0x85, 1, 2]),
  'a frame of nothing, many times': () =>
    Buffer.concat(Array.from({ length: 5_000 }, () => Buffer.from([0x01, 0x80, 0, 0, 0, 0]))),
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

function pieces(socket: WebSocket, count: number, chars: number): void {
  const text = ' '.repeat(chars);
  times(count, (at) => socket.send(text, { fin: at === count - 1, binary: false }, () => undefined));
}

function pingOf(chars: number): string {
  return JSON.stringify({ type: 'ping', payload: { a: 'p'.repeat(chars) } });
}

function initOf(chars: number): string {
  return JSON.stringify({ type: 'connection_init', payload: { authorization: 'x'.repeat(chars) } });
}

function send(socket: WebSocket, text: string): void {
  socket.send(text, () => undefined); // it may have been closed for what came before
}

function times(count: number, work: (at: number) => void): void {
  for (let at = 0; at < count; at += 1) work(at);
}
