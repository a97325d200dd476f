/**
 * A whole Holdfast as a user has it: the real all-in-one process on a data folder of its own, spoken to over GraphQL.
 * `world.close()` ends the processes that it started and removes the folder; `world.crash()` is SIGKILL. Its store is SQLite in
 * that folder, or a fresh database of the run's MongoDB server, as HOLDFAST_TEST_STORE says or the test itself (stores.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { HEAP_FLAGS } from '../../src/processes/heap.ts';
import { eventually } from './eventually.ts';
import { type MongoServer, mongoServer } from './mongo.ts';
import { Launched } from './processes.ts';
import { type Store, storesOfRun } from './stores.ts';

export const ROOT_KEY = 'root-key-of-the-tests-0123456789';
const ENTRY = join(import.meta.dirname, '../../src/processes/all-in-one.ts');

export interface LogEvent {
  readonly id: string;
  readonly seq: number;
  readonly type: string;
  readonly turnId: string | null;
  // Tests look into bodies of many types; each asserts what it reads.
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  readonly body: any;
}

export class World {
  readonly folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #server: ChildProcess | undefined;
  #url = '';
  #logs = '';
  #output = '';
  readonly #mongo: MongoServer | undefined;

  private constructor(folder: string, env: Readonly<Record<string, string>>, mongo: MongoServer | undefined) {
    this.folder = folder;
    this.#env = mongo === undefined ? env : { DATABASE_URL: mongo.uri(), ...env };
    this.#mongo = mongo;
  }

  static async open(
    env: Readonly<Record<string, string>> = {},
    store: Store = storesOfRun(process.env).default,
  ): Promise<World> {
    const mongo = store === 'mongo' ? await mongoServer() : undefined;
    const world = new World(await mkdtemp(join(tmpdir(), 'holdfast-world-')), env, mongo);
    try {
      await world.start();
    } catch (error) {
      await world.close();
      throw error;
    }
    return world;
  }

  get url(): string {
    return this.#url;
  }

  /** Everything the server has written to standard error, JSON lines, over all its starts. */
  get logs(): string {
    return this.#logs;
  }

  /** The environment that opens the same store in another server; nothing for SQLite, which is in the data folder. */
  get store(): Readonly<Record<string, string>> {
    const { DATABASE_URL: url } = this.#env;
    return url === undefined ? {} : { DATABASE_URL: url };
  }

  get output(): string {
    return this.#output;
  }

  get serverPid(): number {
    return this.#server?.pid ?? 0;
  }

  async start(): Promise<void> {
    const server = spawn(process.execPath, [...HEAP_FLAGS, ENTRY], {
      env: {
        PATH: process.env.PATH ?? '',
        HOLDFAST_DATA: join(this.folder, 'data'),
        HOLDFAST_ROOT_KEY: ROOT_KEY,
        HOLDFAST_LOG: 'debug',
        PORT: '0',
        ...this.#env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#server = server;
    let said = '';
    server.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      this.#output += chunk.toString();
    });
    server.stderr.on('data', (chunk: Buffer) => {
      this.#logs += chunk.toString();
    });
    this.#url = await eventually('the server says where it is', () => {
      if (server.exitCode !== null) throw new Error(`the server ended: ${this.#logs.slice(-2_000)}`);
      return /(http:\/\/\S+)\/graphql/.exec(said)?.[1];
    });
  }

  /** SIGKILL, as a power cut would end it. */
  async crash(): Promise<void> {
    await end(this.#server, 'SIGKILL');
  }

  async stop(): Promise<void> {
    await end(this.#server, 'SIGTERM');
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#mongo?.close();
    await rm(this.folder, { recursive: true, force: true });
  }

  async graphql(
    query: string,
    variables: Record<string, unknown> = {},
    bearer: string = ROOT_KEY,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests read what they asked for
  ): Promise<any> {
    const response = await fetch(`${this.#url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: unknown; errors?: unknown };
    if (errors !== undefined) throw new Error(JSON.stringify(errors));
    return data;
  }

  /** Answers the agent's id. */
  async createAgent(
    input: { name: string; model: string } & Record<string, unknown>,
    bearer?: string,
  ): Promise<string> {
    const query = `mutation ($input: CreateAgentInput!) { createAgent(input: $input) {
      __typename ... on CreateAgentPayload { agent { id } } ... on Fault { code message } } }`;
    const { createAgent } = await this.graphql(
      query,
      { input: { prompt: 'You are a test.', ...input } },
      bearer,
    );
    if (createAgent.agent === undefined) throw new Error(JSON.stringify(createAgent));
    return createAgent.agent.id;
  }

  /** Starts a session; answers its id. */
  async startSession(
    input: { agent: string; input: string } & Record<string, unknown>,
    bearer?: string,
  ): Promise<string> {
    const query = `mutation ($input: StartSessionInput!) { startSession(input: $input) {
      __typename ... on StartSessionPayload { session { id } } ... on Fault { code message } } }`;
    const { startSession } = await this.graphql(query, { input }, bearer);
    if (startSession.session === undefined) throw new Error(JSON.stringify(startSession));
    return startSession.session.id;
  }

  async send(sessionId: string, text: string, mode = 'STEER'): Promise<void> {
    const query = `mutation ($input: SendMessageInput!) { sendMessage(input: $input) {
      __typename ... on Fault { code message } } }`;
    const { sendMessage } = await this.graphql(query, { input: { sessionId, text, mode } });
    if (sendMessage.code !== undefined) throw new Error(JSON.stringify(sendMessage));
  }

  async session(
    sessionId: string,
    fields = 'id status why hibernated turnCount',
    bearer?: string,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests read what they asked for
  ): Promise<any> {
    const { session } = await this.graphql(
      `query ($id: ID!) { session(id: $id) { __typename ... on Session { ${fields} } ... on Fault { code } } }`,
      { id: sessionId },
      bearer,
    );
    return session;
  }

  async events(sessionId: string): Promise<readonly LogEvent[]> {
    const all: LogEvent[] = [];
    for (let after: string | null = null; ; ) {
      const { events } = await this.session(
        sessionId,
        `events(first: 100${after === null ? '' : `, after: "${after}"`}) {
          nodes { id seq type turnId body } pageInfo { hasNextPage endCursor } }`,
      );
      all.push(...events.nodes);
      if (!events.pageInfo.hasNextPage) return all;
      after = events.pageInfo.endCursor;
    }
  }

  /** Waits until the log has `count` events of this type; answers the whole log. */
  async sees(sessionId: string, type: string, count = 1): Promise<readonly LogEvent[]> {
    return eventually(`${count} x ${type} in the log`, async () => {
      const events = await this.events(sessionId);
      return events.filter((event) => event.type === type).length >= count && events;
    });
  }

  async status(sessionId: string, status: string, bearer?: string): Promise<void> {
    await eventually(`status ${status}`, async () => {
      const session = await this.session(sessionId, undefined, bearer);
      if (session.status !== status) throw new Error(JSON.stringify(session));
      return true;
    });
  }

  /** The process to SIGKILL for the session's brain at the newest epoch, from the server's own log. */
  brainPid(sessionId: string): number | undefined {
    return this.#logged('brain assigned', sessionId);
  }

  handsPid(sessionId: string): number | undefined {
    return this.#logged('hands started', sessionId);
  }

  #logged(message: string, sessionId: string): number | undefined {
    const lines = this.#logs
      .split('\n')
      .filter((line) => line.includes(`"${message}"`) && line.includes(sessionId));
    const last = lines.at(-1);
    return last === undefined ? undefined : (JSON.parse(last) as { pid: number }).pid;
  }

  /** Frames of the subscription as they come; `stop` closes the socket. */
  subscribe(
    sessionId: string,
    after: string | undefined,
    // oxlint-disable-next-line typescript/no-explicit-any -- tests read what they asked for
    onFrame: (frame: any) => void,
    fields = 'events { id seq type turnId body } cursor',
  ): { stop: () => Promise<void> } {
    const client = createClient({
      url: `${this.#url.replace('http', 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${ROOT_KEY}` },
      retryAttempts: 0,
    });
    client.subscribe(
      {
        query: `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after, deltas: true) {
          __typename ... on EventBatch { ${fields} } ... on CaughtUp { cursor } ... on MessageDelta { callId offset text }
          ... on SessionGone { message } ... on CursorRefused { reason } } }`,
        variables: { id: sessionId, after },
      },
      {
        next: ({ data }) => onFrame((data as { sessionEvents: unknown }).sessionEvents),
        error: () => undefined,
        complete: () => undefined,
      },
    );
    return { stop: async () => client.dispose() };
  }
}

/** However a server ends, what it has launched ends with it. */
async function end(server: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (server?.pid === undefined || server.exitCode !== null || server.signalCode !== null) return;
  const launched = new Launched(server.pid);
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill(signal);
  await ended;
  await launched.ends();
}
