/**
 * Another tenant, an organisation of its own, who does nothing wrong: with a client token of a session that nobody else knows he says something, follows the answer over a subscription, reads its session. How long a message
 * takes until its turn is over, and how long a read takes, is what a siege must not double.
 */
import { HttpConnection, post } from '../bench/http-connection.ts';
import { ReadingSocket } from '../bench/reading-socket.ts';
import { POLITE_MS_MAX, POLITE_PAUSE_MS, POLITE_TURNS_MAX } from './limit.ts';
import { pause } from './probe.ts';

const START = `mutation { startSession(input: { agent: "polite", input: "Hello." }) {
  ... on StartSessionPayload { session { id } turnId } ... on Fault { code message } } }`;
const TOKEN = `mutation ($id: ID!) { createClientToken(sessionId: $id, scopes: [READ, STEER], messagesPerMinute: 6000) {
  ... on CreateClientTokenPayload { clientToken { token } } ... on Fault { code message } } }`;
const SEND = `mutation ($id: ID!) { sendMessage(input: { sessionId: $id, text: "And now?" }) {
  ... on SendMessagePayload { turnId } ... on Fault { code message } } }`;
const READ = `query ($id: ID!) { session(id: $id) { ... on Session { id status events(first: 20) { nodes { id seq type body } } } } }`;
const ARCHIVE = `mutation ($id: ID!) { archiveSession(sessionId: $id) { __typename } }`;
const FOLLOW = `subscription ($id: ID!) { sessionEvents(sessionId: $id, filter: { types: ["turn.completed"] }) {
  ... on EventBatch { events { turnId } } } }`;

export interface PoliteWaits {
  /** Of turns that are over, each with its session warm. */
  readonly turns: number[];
  readonly reads: number[];
  failed: number;
  reconnects: number;
}

export class PoliteTenant {
  readonly #port: number;
  readonly #key: string;
  readonly #starvedMs: (wait: { from: number; to: number }) => number;
  waits: PoliteWaits = { turns: [], reads: [], failed: 0, reconnects: 0 };
  #since: number | undefined;

  /** `starvedMs`: how long of a wait this process could not look (own-lag.ts). */
  constructor(port: number, key: string, starvedMs: (wait: { from: number; to: number }) => number) {
    this.#port = port;
    this.#key = key;
    this.#starvedMs = starvedMs;
  }

  /** How long the turn that is not over yet has taken so far. */
  get openMs(): number {
    return this.#since === undefined ? 0 : performance.now() - this.#since;
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#session(signal);
      } catch {
        if (signal.aborted) return;
        this.waits.reconnects += 1;
        this.#since = undefined;
        await pause(POLITE_PAUSE_MS);
      }
    }
  }

  /** One session, until it is long or something breaks. */
  async #session(signal: AbortSignal): Promise<void> {
    const connection = await HttpConnection.open(this.#port);
    let socket: ReadingSocket | undefined;
    const close = (): void => connection.close();
    signal.addEventListener('abort', close, { once: true });
    try {
      const { session, turnId } = (await this.#ask(connection, START)).startSession;
      const variables = { id: session.id };
      const { clientToken } = (await this.#ask(connection, TOKEN, variables)).createClientToken;
      socket = await ReadingSocket.openGraphql(this.#port, clientToken.token);
      const first = socket.message((text) => text.includes(turnId));
      socket.send(JSON.stringify({ id: 'follow', type: 'subscribe', payload: { query: FOLLOW, variables } }));
      // Its brain starts: not measured.
      if (await isLaterThan(first, POLITE_MS_MAX)) this.waits.failed += 1;
      for (let turn = 0; turn < POLITE_TURNS_MAX && !signal.aborted; turn += 1) {
        await this.#turn(connection, socket, variables, clientToken.token);
        await pause(POLITE_PAUSE_MS);
      }
      if (!signal.aborted) await this.#ask(connection, ARCHIVE, variables);
    } finally {
      signal.removeEventListener('abort', close);
      connection.close();
      await socket?.close().catch(() => undefined);
    }
  }

  async #turn(
    connection: HttpConnection,
    socket: ReadingSocket,
    variables: { id: string },
    token: string,
  ): Promise<void> {
    const from = performance.now();
    this.#since = from;
    const over = new Set<string>();
    const turn: { id?: string } = {};
    const told = socket.message((text) => {
      for (const [, turnId = ''] of text.matchAll(/"turnId":"([^"]+)"/g)) over.add(turnId);
      return turn.id !== undefined && over.has(turn.id);
    });
    told.catch(() => undefined); // awaited below, or not needed any more
    turn.id = String((await this.#ask(connection, SEND, variables, token)).sendMessage.turnId);
    const isLate = !over.has(turn.id) && (await isLaterThan(told, POLITE_MS_MAX));
    this.waits.turns.push(this.#waitedSince(from));
    this.#since = undefined;
    if (isLate) this.waits.failed += 1;
    const read = performance.now();
    await this.#ask(connection, READ, variables, token);
    this.waits.reads.push(this.#waitedSince(read));
  }

  /** For the server: a client on a machine of its own would not have been starved beside it. */
  #waitedSince(from: number): number {
    const to = performance.now();
    return to - from - this.#starvedMs({ from, to });
  }

  async #ask(
    connection: HttpConnection,
    query: string,
    variables: object = {},
    bearer = this.#key,
    // oxlint-disable-next-line typescript/no-explicit-any -- it reads what it asked for
  ): Promise<any> {
    const body = await connection.send(post('/graphql', bearer, JSON.stringify({ query, variables })));
    const { data } = JSON.parse(body) as { data?: unknown };
    if (data === undefined || data === null || body.includes('"code"')) throw new Error(body.slice(0, 300));
    return data;
  }
}

/** Rejects when the subscription has ended. */
async function isLaterThan(told: Promise<unknown>, ms: number): Promise<boolean> {
  return Promise.race([told.then(() => false), pause(ms).then(() => true)]);
}
