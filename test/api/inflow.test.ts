/** What a socket may send before a message of it is complete, as bytes of frames: no client library sends such. */
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import {
  CONTROL_BYTES_PER_SECOND_MAX,
  type Crowd,
  FRAGMENTS_MAX,
  Inflow,
  UNFINISHED_BYTES_MAX,
  UNKNOWN_BYTES_MAX,
  UNKNOWN_CROWDED_BYTES_MAX,
  UNKNOWN_TOTAL_BYTES_MAX,
} from '../../src/api/graphql/inflow.ts';
import { REQUEST_BYTES_MAX } from '../../src/kernel/limit.ts';
import { Door, ROOT_KEY } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';

const OPCODE = { fragment: 0x00, text: 0x81, textBegins: 0x01, ping: 0x89, pong: 0x8a } as const;

/** A masked frame (of the mask 0) that says to have `length` bytes. */
function frame(opcode: number, payload: Buffer | string, length = Buffer.byteLength(payload)): Buffer {
  const head = Buffer.alloc(length < 126 ? 2 : 10);
  head[0] = opcode;
  head[1] = 0x80 | (length < 126 ? length : 127);
  if (length >= 126) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.alloc(4), Buffer.from(payload)]);
}

const PONG = frame(OPCODE.pong, Buffer.alloc(125));
/** A fragment of one byte, and the rest of its read. */
const PINNING = Buffer.concat([frame(OPCODE.fragment, ' '), ...Array.from({ length: 499 }, () => PONG)]);

describe('at the door', () => {
  let door: Door;
  const open: Socket[] = [];
  beforeEach(async () => {
    door = await Door.open();
  });
  afterEach(async () => {
    for (const socket of open.splice(0)) socket.destroy();
    await door.close();
  });

  interface Raw {
    readonly socket: Socket;
    readonly seen: { bytes: Buffer; closed: boolean };
    /** Writes until all is out, or the socket has ended; answers how many bytes were sent. */
    flood(part: Buffer, times: number): Promise<number>;
    /** The code that the server closed it with. */
    code(): number | undefined;
  }

  async function upgraded(): Promise<Raw> {
    const socket = connect(door.port, '127.0.0.1');
    open.push(socket);
    const seen = { bytes: Buffer.alloc(0), closed: false };
    socket.on('error', () => (seen.closed = true));
    socket.on('close', () => (seen.closed = true));
    socket.on('data', (data: Buffer) => (seen.bytes = Buffer.concat([seen.bytes, data])));
    const key = randomBytes(16).toString('base64');
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n`,
    );
    await eventually('it is upgraded', () => seen.bytes.includes('\r\n\r\n'));
    seen.bytes = Buffer.alloc(0);
    return {
      socket,
      seen,
      async flood(part, times) {
        let sent = 0;
        for (let at = 0; at < times && !seen.closed; at += 1) {
          sent += part.length;
          if (socket.write(part)) continue;
          await eventually('there is room, or it is ended', () => seen.closed || !socket.writableNeedDrain);
        }
        return sent;
      },
      code() {
        const at = seen.bytes.indexOf(0x88);
        return at < 0 ? undefined : seen.bytes.readUInt16BE(at + 2);
      },
    };
  }

  async function known(): Promise<Raw> {
    const raw = await upgraded();
    const init = { type: 'connection_init', payload: { authorization: `Bearer ${ROOT_KEY}` } };
    raw.socket.write(frame(OPCODE.text, JSON.stringify(init)));
    await eventually('the acknowledgement', () => raw.seen.bytes.includes('connection_ack'));
    raw.seen.bytes = Buffer.alloc(0);
    return raw;
  }

  it('fragments of one byte with pongs between them end a socket that has not said who it is (proves INFLOW-1)', async () => {
    const before = process.memoryUsage().arrayBuffers;
    const raw = await upgraded();
    raw.socket.write(frame(OPCODE.textBegins, ' '));
    const sending = raw.flood(PINNING, 2_000); // 130 MB, each read of which was kept
    await eventually('it is ended', () => raw.seen.closed);
    await sending;

    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    expect(door.graphql.held.sockets).toBe(0);
  });

  it('unfinished frames of 2 MiB end their sockets, which are told why (proves INFLOW-1)', async () => {
    const begun = frame(OPCODE.text, Buffer.alloc(UNKNOWN_BYTES_MAX), REQUEST_BYTES_MAX);
    const raws = await Promise.all(Array.from({ length: 20 }, upgraded));
    for (const { socket } of raws) socket.write(begun);
    await eventually('all are ended', () => raws.every(({ seen }) => seen.closed));

    expect(raws.map((raw) => raw.code())).toEqual(raws.map(() => 4401));
  });

  it('a message that ends never, however many pongs are in it, ends a socket that is known (proves INFLOW-1)', async () => {
    const raw = await known();
    raw.socket.write(frame(OPCODE.textBegins, ' '));
    const sending = raw.flood(PINNING, 200);
    await eventually('it is ended', () => raw.seen.closed);

    expect(raw.code()).toBe(1009);
    await sending;
  });

  it('a message of more fragments than any library makes ends its socket', async () => {
    const raw = await known();
    raw.socket.write(frame(OPCODE.textBegins, ' '));
    for (let at = 0; at < FRAGMENTS_MAX; at += 1) raw.socket.write(frame(OPCODE.fragment, ' '));
    await eventually('it is ended', () => raw.seen.closed);

    expect(raw.code()).toBe(1008);
  });

  it('a message at its limit in pieces of 8 KiB, with pings in between, is taken', async () => {
    const raw = await known();
    const bytes = Buffer.from(`${'{"type":"ping"'.padEnd(REQUEST_BYTES_MAX - 1)}}`);
    const piece = 8 * 1024;
    for (let from = 0; from < bytes.length; from += piece) {
      const isLast = from + piece >= bytes.length;
      const opcode = from === 0 ? OPCODE.textBegins : isLast ? 0x80 : OPCODE.fragment;
      raw.socket.write(frame(opcode, bytes.subarray(from, from + piece)));
      if (from % (64 * 1024) === 0) raw.socket.write(frame(OPCODE.ping, 'x'));
    }
    await eventually('its answer', () => raw.seen.bytes.includes('{"type":"pong"}'));

    expect(raw.seen.closed).toBe(false);
  });
});

describe('as it is counted', () => {
  class Counted {
    readonly socket = new EventEmitter();
    readonly ws = Object.assign(new EventEmitter(), { isPaused: false });
    readonly codes: number[] = [];
    readonly inflow: Inflow;
    now = 0;

    constructor(crowd: Crowd = { bytes: 0 }) {
      const socket = Object.assign(this.socket, { resume: () => undefined });
      this.inflow = new Inflow({
        // as: what an Inflow looks at of them
        ws: this.ws as unknown as WebSocket,
        socket: socket as unknown as Socket,
        crowd,
        close: (code) => void this.codes.push(code),
        now: () => this.now,
      });
    }

    read(bytes: number, { controls = 0, completes = false } = {}): void {
      for (let at = 0; at < controls; at += 1) this.ws.emit('pong', Buffer.alloc(125));
      if (completes) this.ws.emit('message', Buffer.alloc(0));
      this.socket.emit('data', Buffer.alloc(bytes));
    }
  }

  it('pongs of a year that belong to no message add up to nothing', () => {
    const counted = new Counted();
    counted.inflow.known();
    for (counted.now = 0; counted.now < 30_000_000; counted.now += 1_000) {
      counted.read(131, { controls: 1 });
    }
    expect(counted.codes).toEqual([]);
  });

  it('pongs of a year between the fragments of one message do add up', () => {
    const counted = new Counted();
    counted.inflow.known();
    counted.read(7);
    const most = UNFINISHED_BYTES_MAX / 131;
    for (let at = 0; at < most; at += 1) {
      counted.now += 1_000;
      counted.read(131, { controls: 1 });
    }
    expect(counted.codes).toEqual([1009]);
  });

  it('more control frames in a second than anybody needs end it', () => {
    const counted = new Counted();
    counted.inflow.known();
    const most = Math.floor(CONTROL_BYTES_PER_SECOND_MAX / 131);
    counted.read(131 * most, { controls: most });
    counted.now = 1_000;
    counted.read(131 * most, { controls: most });
    expect(counted.codes).toEqual([]);
    counted.read(131, { controls: 1 });
    expect(counted.codes).toEqual([1009]);
  });

  it('while many unknown ones hold much, each has room for a token only, until others have gone', () => {
    const crowd = { bytes: 0 };
    const many = Array.from(
      { length: UNKNOWN_TOTAL_BYTES_MAX / UNKNOWN_BYTES_MAX },
      () => new Counted(crowd),
    );
    for (const counted of many) counted.read(UNKNOWN_BYTES_MAX);
    const modest = new Counted(crowd);
    modest.read(UNKNOWN_CROWDED_BYTES_MAX);
    const last = new Counted(crowd);
    last.read(UNKNOWN_BYTES_MAX);

    expect(many.flatMap(({ codes }) => codes)).toEqual([]);
    expect([modest.codes, last.codes]).toEqual([[], [4401]]);
    for (const { socket } of [...many, modest, last]) socket.emit('close');
    expect(crowd.bytes).toBe(0);
  });

  it('a message that has not ended two looks later is stuck, unless it is we who do not read', () => {
    const counted = new Counted();
    counted.inflow.known();
    counted.read(100);
    expect([counted.inflow.isStuck(), counted.inflow.isStuck()]).toEqual([false, true]);
    counted.read(100, { completes: true });
    expect([counted.inflow.isStuck(), counted.inflow.isStuck()]).toEqual([false, false]);
    counted.read(100);
    counted.ws.isPaused = true;
    expect([counted.inflow.isStuck(), counted.inflow.isStuck()]).toEqual([false, false]);
  });
});
