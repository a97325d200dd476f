/**
 * A proxy before a MongoDB server, that does to its connections what networks do: cuts them, refuses new ones, stalls without a
 * word, and loses single requests or their answers. It reads the length and the command of each request, nothing else.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { eventually } from './eventually.ts';

const HOST = '127.0.0.1';
const HEADER_BYTES = 16;
const OP_MSG = 2_013;
/** Header, flags, kind of the section, length of the document, type of its first element. */
const NAME_AT = HEADER_BYTES + 4 + 1 + 4 + 1;

/** `request` is cut before the server gets it, `answer` when the server has answered: the command was done, and nobody hears of it. */
export type Fate = 'pass' | 'lose request' | 'lose answer';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #target: { readonly host: string; readonly port: number };
  readonly #pairs = new Set<Pair>();
  #isRefusing = false;
  #isStalled = false;
  #fateOf: (command: string) => Fate = () => 'pass';
  /** Requests and answers that were lost, by their fate. */
  readonly lost = { 'lose request': 0, 'lose answer': 0 };

  static async open(uri: string): Promise<TcpProxy> {
    const { hostname, port } = new URL(uri);
    const proxy = new TcpProxy({ host: hostname, port: Number(port) });
    proxy.#server.listen(0, HOST);
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
    this.#server = createServer((client) => this.#join(client));
  }

  /** The URI with this proxy in place of its one host. The driver must not learn of the server's own address. */
  through(uri: string): string {
    const url = new URL(uri);
    const { port } = this.#server.address() as AddressInfo; // as: it listens on TCP
    url.host = `${HOST}:${port}`;
    url.searchParams.delete('replicaSet');
    url.searchParams.set('directConnection', 'true');
    return url.href;
  }

  /** Closes all connections; new ones are welcome. */
  cut(): void {
    for (const pair of this.#pairs) this.#end(pair);
  }

  /** Closes all connections and each new one, until `accept`. */
  refuse(): void {
    this.#isRefusing = true;
    this.cut();
  }

  accept(): void {
    this.#isRefusing = false;
  }

  /** Lets nothing through any more, in either direction, and closes nothing; new connections are accepted and get no answer. */
  stall(): void {
    this.#isStalled = true;
    for (const { client, server } of this.#pairs) [client, server].forEach((socket) => socket.pause());
  }

  /** What waited goes on its way: late, but unharmed. */
  flow(): void {
    this.#isStalled = false;
    for (const { client, server } of this.#pairs) [client, server].forEach((socket) => socket.resume());
  }

  /** Asked for every command, in the order in which they come; a lost one takes its connection with it. */
  decide(fateOf: (command: string) => Fate): void {
    this.#fateOf = fateOf;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await eventually('the proxy is closed', () => !this.#server.listening);
  }

  #join(client: Socket): void {
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const server = connect(this.#target);
    const pair = { client, server };
    this.#pairs.add(pair);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => this.#end(pair));
      if (this.#isStalled) socket.pause();
    }
    this.#relay(pair);
  }

  #relay(pair: Pair): void {
    const { client, server } = pair;
    /** Once a request's answer is to be lost, the first that comes is it: a connection carries one command at a time. */
    let isDoomed = false;
    const doom = (fate: Exclude<Fate, 'pass'>): void => {
      this.lost[fate] += 1;
      this.#end(pair);
    };
    const requests = messages((message) => {
      if (client.destroyed) return;
      const command = commandOf(message);
      const fate = command === undefined ? 'pass' : this.#fateOf(command);
      if (fate === 'lose request') return doom(fate);
      isDoomed ||= fate === 'lose answer';
      server.write(message);
    });
    client.on('data', requests);
    server.on('data', (data) => {
      if (isDoomed) doom('lose answer');
      else client.write(data);
    });
  }

  #end(pair: Pair): void {
    this.#pairs.delete(pair);
    pair.client.destroy();
    pair.server.destroy();
  }
}

/** Calls back for each whole message. */
function messages(took: (message: Buffer) => void): (data: Buffer) => void {
  let waiting = Buffer.alloc(0);
  return (data) => {
    waiting = Buffer.concat([waiting, data]);
    while (waiting.length >= HEADER_BYTES && waiting.length >= waiting.readInt32LE(0)) {
      const message = waiting.subarray(0, waiting.readInt32LE(0));
      waiting = waiting.subarray(message.length);
      took(message);
    }
  };
}

/** Undefined for what is no command: an acknowledgement of the driver, a question of long ago. */
function commandOf(message: Buffer): string | undefined {
  if (message.readInt32LE(12) !== OP_MSG) return undefined;
  return message.toString('latin1', NAME_AT, message.indexOf(0, NAME_AT));
}
