/**
 * A server that speaks just enough of the MongoDB wire protocol to be what no test machine has at hand: standalone, of an old
 * version, without a primary, without room on its disk. It answers what `answer` says, and keeps the names of the commands.
 */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { BSON, type Document } from 'mongodb';
import { must } from '../../src/kernel/assert.ts';

/** What a command is answered with; undefined: as a healthy server of this kind would. */
export type Answer = (command: string, document: Document) => Document | undefined;

export interface MongoDouble {
  readonly host: string;
  /** What was asked of it, in order, without what drivers ask by themselves. */
  readonly commands: readonly string[];
  /** That are open now. */
  connections(): number;
  close(): Promise<void>;
}

const HEADER_BYTES = 16;
const OP_REPLY = 1;
const OP_QUERY = 2_004;
const OP_MSG = 2_013;
/** To know the server, to log in and to part. */
const OF_DRIVERS = /^(hello|ismaster|ping|sasl\w+|endSessions)$/i;

export async function mongoDouble(hello: Document, answer: Answer = () => undefined): Promise<MongoDouble> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let waiting = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      waiting = Buffer.concat([waiting, data]);
      while (waiting.length >= HEADER_BYTES && waiting.length >= waiting.readInt32LE(0)) {
        const message = waiting.subarray(0, waiting.readInt32LE(0));
        waiting = waiting.subarray(message.length);
        const reply = replyTo(message, (command, document) => {
          if (!OF_DRIVERS.test(command)) commands.push(command);
          return answer(command, document) ?? healthy(command, { ...hello, host });
        });
        if (reply === undefined) socket.destroy();
        else socket.write(reply);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = must(server.address(), 'it listens');
  const host = typeof place === 'string' ? place : `127.0.0.1:${place.port}`;
  return {
    host,
    commands,
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function healthy(command: string, { host, ...hello }: Document): Document {
  switch (command.toLowerCase()) {
    case 'hello':
    case 'ismaster': {
      const members = hello['setName'] === undefined ? {} : { hosts: [host], me: host };
      const sizes = {
        maxBsonObjectSize: 16_777_216,
        maxMessageSizeBytes: 48_000_000,
        maxWriteBatchSize: 100_000,
      };
      const wire = { minWireVersion: 0, maxWireVersion: 21, helloOk: true };
      return { ...wire, ...sizes, ...members, ...hello, ok: 1 };
    }
    case 'buildinfo':
      return { version: '8.0.4', ok: 1 };
    case 'find':
    case 'listcollections':
      return { cursor: { id: BSON.Long.ZERO, ns: 'holdfast.x', firstBatch: [] }, ok: 1 };
    default:
      return { n: 1, ok: 1 };
  }
}

function replyTo(
  message: Buffer,
  answer: (command: string, document: Document) => Document,
): Buffer | undefined {
  const code = message.readInt32LE(12);
  if (code !== OP_QUERY && code !== OP_MSG) return undefined; // a TLS greeting, for example
  // OP_QUERY: flags, name, skip, return; OP_MSG: flags, the kind of the section.
  const at = code === OP_MSG ? HEADER_BYTES + 5 : message.indexOf(0, HEADER_BYTES + 4) + 9;
  const asked = BSON.deserialize(message.subarray(at, at + message.readInt32LE(at)));
  const body = BSON.serialize(answer(Object.keys(asked)[0] ?? '', asked));
  const before = code === OP_MSG ? Buffer.alloc(5) : Buffer.alloc(20);
  if (code === OP_QUERY) before.writeInt32LE(1, 16); // one document
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeInt32LE(HEADER_BYTES + before.length + body.length, 0);
  header.writeInt32LE(message.readInt32LE(4), 8);
  header.writeInt32LE(code === OP_MSG ? OP_MSG : OP_REPLY, 12);
  return Buffer.concat([header, before, body]);
}
