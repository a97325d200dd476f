/**
 * The HTTP server with its GraphQL door in this process, over SQLite in memory: what a client of the API sees, without units.
 * `close()` fails when a socket or a reader of a log was left behind.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RawData } from 'ws';
import { Access } from '../../src/access/access.ts';
import type { KeyHolder } from '../../src/access/api-keys.ts';
import { Organisations } from '../../src/access/organisations.ts';
import type { KeyScope } from '../../src/access/principal.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { AuditExport } from '../../src/api/audit-export.ts';
import { createGraphqlDoor, type GraphqlDoor } from '../../src/api/graphql/graphql-door.ts';
import type { GraphqlOptions } from '../../src/api/graphql/options.ts';
import { type HttpServer, listen } from '../../src/api/http-server.ts';
import type { NewEvent } from '../../src/journal/event.ts';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { Live } from '../../src/journal/live.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId, type OrganisationId, type SessionId } from '../../src/kernel/id.ts';
import { type Logger, jsonLogger } from '../../src/kernel/logger.ts';
import { Prices } from '../../src/models/prices.ts';
import { openSecretFiles } from '../../src/platform/local/secret-store.ts';
import { openSqlite, type SqliteOptions, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { AjvToolSchemas } from '../../src/platform/ajv/tool-schemas.ts';
import { type UseCases, type UseCasesOf, useCasesOver } from '../../src/sessions/use-cases.ts';
import { eventually } from './eventually.ts';

export const ROOT_KEY = 'root-key-of-the-door-tests-0123';

// oxlint-disable-next-line typescript/no-explicit-any -- tests read what they asked for
export type Answer = any;

export interface DoorOptions extends GraphqlOptions {
  /** Whether the server has a model key of its own. Default: true. */
  readonly serverKey?: boolean | undefined;
  /** Connections at once, and how long one may say nothing. */
  readonly connectionsMax?: number | undefined;
  readonly greetingMs?: number | undefined;
  /** Bytes of bodies at once. */
  readonly incomingBytesMax?: number | undefined;
}

export class Door {
  readonly #options: DoorOptions;
  readonly #started = new Set<SessionId>();
  readonly #folder: string;
  readonly #logLines: string[] = [];
  readonly store: SqliteStore;
  /** Of its tokens. */
  readonly signingKey = randomBytes(32);
  readonly live: Live;
  readonly access: Access;
  readonly audit: AuditLog;
  readonly runs: SessionRuns;
  readonly useCasesOf: UseCasesOf;
  /** The first one: whose the root key is. */
  readonly organisationId: OrganisationId;
  readonly sessions: UseCases['sessions'];
  readonly agents: UseCases['agents'];
  readonly credentials: UseCases['credentials'];
  graphql!: GraphqlDoor; // set by open()
  #server!: HttpServer; // set by open()

  static async open(options: DoorOptions = {}, caps?: SqliteOptions['caps']): Promise<Door> {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-door-'));
    const secrets = await openSecretFiles(join(folder, 'secrets'), join(folder, 'key'));
    const door = new Door(
      folder,
      options,
      openSqlite({ path: ':memory:', clock: systemClock, caps }),
      secrets,
    );
    await door.access.ensureKey(ROOT_KEY);
    await door.listen(0);
    return door;
  }

  private constructor(
    folder: string,
    options: DoorOptions,
    store: SqliteStore,
    secrets: Awaited<ReturnType<typeof openSecretFiles>>,
  ) {
    const { journal } = store;
    const { first: firstOrganisation } = store.organisations;
    this.#folder = folder;
    this.#options = options;
    this.store = store;
    this.live = new Live({ journal });
    this.access = new Access({
      ...store,
      clock: systemClock,
      signingKey: this.signingKey,
      firstOrganisation,
    });
    this.audit = new AuditLog({ audit: store.audit, clock: systemClock });
    const serverKeys = new Set(options.serverKey === false ? [] : (['anthropic'] as const));
    const isPriced = (model: string): boolean => new Prices().find([model], systemClock.now()) !== undefined;
    const toolSchemas = new AjvToolSchemas();
    const ports = {
      ...store,
      secrets,
      clock: systemClock,
      serverKeys,
      firstOrganisation,
      isPriced,
      toolSchemas,
    };
    this.useCasesOf = useCasesOver(ports);
    this.runs = new SessionRuns(store);
    this.organisationId = firstOrganisation;
    const { agents, credentials, sessions } = this.useCasesOf(firstOrganisation);
    this.agents = agents;
    this.credentials = credentials;
    this.sessions = sessions;
  }

  /** A further API key, which may do just that. */
  async grantKey(scopes: readonly KeyScope[], organisationId = this.organisationId): Promise<string> {
    const id = newId('apiKey');
    const key = `hf_${randomBytes(24).toString('base64url')}`;
    const hash = createHash('sha256').update(key).digest('hex');
    await this.store.keys.add({ id, organisationId, name: `key ${id}`, scopes, hash, createdAt: Date.now() });
    return key;
  }

  get port(): number {
    return this.#server.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/graphql`;
  }

  get socketUrl(): string {
    return `ws://127.0.0.1:${this.port}/graphql`;
  }

  get logs(): string {
    return this.#logLines.join('');
  }

  /** From now on the journal has no such session for those who follow it. */
  forget(sessionId: SessionId): void {
    const { journal } = this.store;
    const head = journal.head.bind(journal);
    journal.head = (asked) =>
      asked === sessionId ? Promise.reject(new SessionNotFound(asked)) : head(asked);
  }

  /** Opens the server, again after `stop`. */
  async listen(port: number): Promise<void> {
    const logger: Logger = jsonLogger('debug', (line) => this.#logLines.push(line));
    const { access, audit, useCasesOf, live, store } = this;
    const organisations = new Organisations({ organisations: store.organisations, clock: systemClock });
    const ports = { access, audit, organisations, useCasesOf, live, logger, journal: store.journal };
    this.graphql = createGraphqlDoor(ports, this.#options);
    this.#server = await listen(
      { graphql: this.graphql, auditExport: new AuditExport(ports), logger, ready: () => this.#ready() },
      {
        port,
        host: '127.0.0.1',
        connectionsMax: this.#options.connectionsMax,
        greetingMs: this.#options.greetingMs,
        incomingBytesMax: this.#options.incomingBytesMax,
      },
    );
  }

  /** What /readyz meets. */
  obstacle: Error | undefined;

  #ready(): Promise<void> {
    return this.obstacle === undefined ? Promise.resolve() : Promise.reject(this.obstacle);
  }

  async stop(): Promise<void> {
    await this.#server.close();
  }

  async close(): Promise<void> {
    try {
      await this.stop();
      const { sockets, groups } = this.graphql.held;
      if (sockets + groups > 0) throw new Error(`left behind: ${sockets} sockets, ${groups} groups`);
      await eventually('no reader of a log is left', () => this.readers() === 0);
    } finally {
      this.live.close();
      this.store.close();
      await rm(this.#folder, { recursive: true, force: true });
    }
  }

  /** Sessions whose live end is being read. */
  readers(sessionIds: readonly SessionId[] = [...this.#started]): number {
    return sessionIds.filter((id) => this.live.headOf(id) !== undefined).length;
  }

  /** A session with one message, and a turn that runs. */
  async session(input = 'hello'): Promise<SessionId> {
    const agent = await this.agents.create({
      name: 'door',
      model: 'anthropic/claude-sonnet-5',
      prompt: 'Be brief.',
    });
    const { session } = await this.sessions.start({ agent: agent.agent.id, input, actor: { kind: 'human' } });
    this.#started.add(session.id);
    return session.id;
  }

  /** As its brain: begins the turn. */
  async beginTurn(sessionId: SessionId): Promise<void> {
    await this.runs.supervise(sessionId, { kind: 'takeLease', owner: 'test' });
    const { session } = await this.runs.get(sessionId);
    await this.runs.write(sessionId, session.epoch, undefined, { kind: 'beginTurn' });
  }

  /** As its brain: writes events in the running turn. */
  async record(sessionId: SessionId, ...events: readonly NewEvent[]): Promise<void> {
    const { session } = await this.runs.get(sessionId);
    const turnId = session.turn?.id;
    const own = events.map((event): NewEvent => ({ ...event, turnId }));
    await this.runs.write(sessionId, session.epoch, undefined, { kind: 'record', events: own });
  }

  /** As its brain: calls a tool, and has nothing else to do. */
  async callTool(sessionId: SessionId, tool: string, callId = 't1m1.0'): Promise<void> {
    const call = { callId, modelCallId: 't1m1', toolUseId: callId, tool, input: { of: callId } };
    await this.record(sessionId, { type: 'tool.call', actor: { kind: 'agent' }, body: call });
  }

  /** As its brain: ends the turn with an answer, having seen all messages. */
  async complete(sessionId: SessionId, resultEventId?: string): Promise<void> {
    const { session } = await this.runs.get(sessionId);
    const body = { callId: 'call-2', inputToSeq: session.turn?.inputToSeq ?? 0 };
    await this.record(sessionId, { type: 'model.started', actor: { kind: 'agent' }, body });
    await this.runs.write(sessionId, session.epoch, undefined, {
      kind: 'completeTurn',
      outcome: 'completed',
      resultEventId,
    });
  }

  async post(
    query: string,
    variables: object = {},
    bearer: string | null = ROOT_KEY,
    headers: object = {},
  ): Promise<{ status: number; body: Answer }> {
    const response = await fetch(this.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
        ...headers,
      },
      body: JSON.stringify({ query, variables }),
    });
    return { status: response.status, body: await response.json() };
  }

  /** The data; throws what was refused. */
  async ask(query: string, variables: object = {}, bearer: string | null = ROOT_KEY): Promise<Answer> {
    const { body } = await this.post(query, variables, bearer);
    if (body.errors !== undefined) throw new Error(JSON.stringify(body.errors));
    return body.data;
  }
}

/** Who comes with the root key. */
export async function rootOf({ access }: Door): Promise<KeyHolder> {
  const principal = await access.authenticate(ROOT_KEY);
  if (principal.kind !== 'key') throw new Error('The root key is a key.');
  return principal;
}

/** An event as a brain writes it. */
export function said(text: string): NewEvent {
  return { type: 'agent.message', actor: { kind: 'agent' }, body: { callId: 'call-1', text } };
}

/** A message of a socket; ws gives it as a Buffer. */
export function textOf(data: RawData): string {
  return (data as Buffer).toString(); // as: ws's binaryType is nodebuffer unless it is told otherwise
}
