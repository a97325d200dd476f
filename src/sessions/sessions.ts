/**
 * The use cases of sessions: start, send, cancel, archive, and what a brain and a supervisor may write. Each is one
 * atomic append whose events sessions/lifecycle.ts decides; nobody is called, everyone reads the log.
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type CredentialId, derivedId, newId, type SessionId, type TurnId, turnIdOf } from '../kernel/id.ts';
import { JSON_DEPTH_MAX, MESSAGE_BYTES_MAX, METADATA_BYTES_MAX } from '../kernel/limit.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import { wellFormedJson } from '../kernel/well-formed.ts';
import type { MessageMode } from '../journal/event-catalog.ts';
import type { Actor, BodyOf } from '../journal/event.ts';
import { isJson } from '../journal/codec.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Appended } from '../journal/journal.ts';
import type { Credentials } from '../secrets/credentials.ts';
import type { Provider } from '../secrets/provider-table.ts';
import type { Agent } from './agent.ts';
import { type Agents, parseLimits } from './agents.ts';
import { NoCredential, TurnNotFound } from './faults.ts';
import { type Command, decide } from './lifecycle.ts';
import { parseModel } from './model-name.ts';
import type { Limits, Session, SessionOrigin, Turn } from './session.ts';
import type {
  SessionEntry,
  SessionFilter,
  SessionJournal,
  SessionPage,
  SessionStore,
} from './session-store.ts';
import type { UnitCommand } from './unit-wire.ts';

export interface StartSession {
  /** Id or name. */
  readonly agent: string;
  readonly input: string;
  /** Another model of the same provider than the agent's. */
  readonly model?: string | undefined;
  /** Each overrides the agent's. */
  readonly limits?: Limits | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** One session per key: the same request again answers the same session. */
  readonly key?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly actor: Actor;
}

export interface Started extends SessionEntry {
  readonly turnId: TurnId;
  readonly replayed: boolean;
}

export interface SendMessage {
  readonly sessionId: SessionId;
  readonly text: string;
  /** Default: steer. */
  readonly mode?: MessageMode | undefined;
  readonly raw?: unknown;
  readonly actor: Actor;
  readonly idempotencyKey?: string | undefined;
}

export interface Sent extends SessionEntry {
  readonly seq: number;
  /** The turn that the message belongs to. */
  readonly turnId: TurnId;
  readonly replayed: boolean;
}

export interface SessionPorts {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly agents: Agents;
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Default: the system's. */
  readonly chance?: Chance | undefined;
  /** The providers for which the server holds a key of its own (ANTHROPIC_API_KEY …), for sessions without a credential. */
  readonly serverKeys: ReadonlySet<Provider>;
}

export class Sessions {
  readonly #ports: SessionPorts;

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** Throws InvalidInput, AgentNotFound, NoCredential, IdempotencyConflict. */
  async start(request: StartSession): Promise<Started> {
    const { sessions, agents, clock, chance } = this.#ports;
    const text = parseText('input', request.input, MESSAGE_BYTES_MAX);
    const key = parseKey('key', request.key);
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    const metadata = parseMetadata(request.metadata);
    const agent = await agents.find(request.agent);
    const model = request.model ?? agent.revision.model;
    const credentialId = await this.#credentialFor(agent, model);
    const origin: SessionOrigin = {
      id: idempotencyKey === undefined ? newId('session', chance) : derivedId('session', idempotencyKey),
      createdAt: clock.now(),
      agentId: agent.id,
      agentRevision: agent.revision.number,
      model,
      credentialId,
      limits: { ...agent.limits, ...parseLimits(request.limits) },
      metadata,
      key,
      requestHash: hashOf(request, agent),
    };
    const command: Command = { kind: 'send', text, mode: 'steer', actor: request.actor };
    const entry = await sessions.create(origin, (session) => decide(session, command));
    if (!entry.created && entry.session.requestHash !== origin.requestHash) {
      throw new IdempotencyConflict(key ?? idempotencyKey ?? origin.id);
    }
    const turnId = turnIdOf(entry.session.id, 1);
    return { session: entry.session, head: entry.head, turnId, replayed: !entry.created };
  }

  /** Throws InvalidInput, SessionNotFound, SessionArchived, PendingFull, LogFull, IdempotencyConflict. */
  async send(message: SendMessage): Promise<Sent> {
    const { sessionId, mode = 'steer', raw, actor } = message;
    const text = parseText('text', message.text, MESSAGE_BYTES_MAX);
    const idempotencyKey = parseKey('idempotencyKey', message.idempotencyKey);
    const kept = raw === undefined ? {} : parseMetadata({ raw }, 'raw', MESSAGE_BYTES_MAX);
    const command: Command = { kind: 'send', text, mode, actor, ...kept };
    const key = idempotencyKey === undefined ? undefined : `message/${idempotencyKey}`;
    const appended = await this.#command(sessionId, command, { key });
    const { firstSeq: seq, replayed, state } = appended;
    if (replayed) return this.#replayed(message, seq);
    return { session: state, head: seq, seq, turnId: turnOfMessage(state, seq), replayed };
  }

  /**
   * Ends the running or waiting turn; when nothing runs, does nothing. The same key never cancels a later turn.
   * Throws SessionNotFound, InvalidInput.
   */
  cancel(
    sessionId: SessionId,
    actor: Actor,
    idempotencyKey?: string,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    return this.#once(sessionId, { kind: 'cancel', actor }, idempotencyKey);
  }

  /** Cancels, then closes the session for good; again does nothing. Throws SessionNotFound, InvalidInput. */
  archive(
    sessionId: SessionId,
    actor: Actor,
    idempotencyKey?: string,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    return this.#once(sessionId, { kind: 'archive', actor }, idempotencyKey);
  }

  /** What a brain writes, fenced by its epoch and keyed by its step. Throws EpochStale and the lifecycle's faults. */
  write(
    sessionId: SessionId,
    epoch: number,
    key: string | undefined,
    command: UnitCommand,
  ): Promise<Appended<Session>> {
    return this.#command(sessionId, command, { epoch, key });
  }

  /** What the gateway writes: what one request to a model service used. `requestKey` makes it once (JOURNAL-5). */
  async meter(sessionId: SessionId, requestKey: string, usage: BodyOf<'model.usage'>): Promise<void> {
    const told = { ...usage, model: usage.model.toWellFormed() }; // the model service's own word
    await this.#command(sessionId, { kind: 'meter', usage: told }, { key: `usage/${requestKey}` });
  }

  /** What a supervisor writes about the brain it keeps. `key` makes it once (JOURNAL-5). */
  supervise(
    sessionId: SessionId,
    command: Extract<
      Command,
      { kind: 'takeLease' | 'loseBrain' | 'releaseLease' | 'hibernate' | 'completeTurn' | 'record' }
    >,
    epoch?: number,
    key?: string,
  ): Promise<Appended<Session>> {
    return this.#command(sessionId, command, { epoch, key });
  }

  async get(sessionId: SessionId): Promise<SessionEntry> {
    const entry = await this.#ports.sessions.get(sessionId);
    if (entry === undefined) throw new SessionNotFound(sessionId);
    return entry;
  }

  list(filter: SessionFilter, page: SessionPage): Promise<readonly SessionEntry[]> {
    return this.#ports.sessions.list(filter, page);
  }

  async turns(
    sessionId: SessionId,
    page: { limit: number; before?: number | undefined },
  ): Promise<readonly Turn[]> {
    return this.#ports.sessions.turns(sessionId, page);
  }

  async turn(sessionId: SessionId, turnId: TurnId): Promise<Turn> {
    await this.get(sessionId);
    const turn = await this.#ports.sessions.turn(sessionId, turnId);
    if (turn === undefined) throw new TurnNotFound(turnId);
    return turn;
  }

  /**
   * The credentials whose keys a session may use, in the order in which they are tried: its own, the one that its agent has
   * now, the provider's default. Any of them may have been deleted.
   */
  async credentialsOf(session: Session): Promise<readonly CredentialId[]> {
    const { provider } = parseModel(session.model);
    const { agents, credentials } = this.#ports;
    const { credentialId } = await agents.get(session.agentId);
    const standard = provider === 'rehearsal' ? undefined : await credentials.defaultOf(provider);
    return [session.credentialId, credentialId, standard?.id].filter((id) => id !== undefined);
  }

  /** The first answer again, if it was the same message. */
  async #replayed(message: SendMessage, seq: number): Promise<Sent> {
    const { sessionId, text, mode = 'steer', raw, idempotencyKey } = message;
    const [event] = await this.#ports.journal.read(sessionId, { after: seq - 1, limit: 1 });
    const body = await this.#ports.journal.readBody(sessionId, seq);
    const said: unknown = body === undefined ? null : JSON.parse(body);
    if (event?.turnId === undefined || !isSame(said, { text, mode, raw })) {
      throw new IdempotencyConflict(idempotencyKey ?? '');
    }
    const entry = await this.get(sessionId);
    return { ...entry, seq, turnId: event.turnId, replayed: true };
  }

  async #once(
    sessionId: SessionId,
    command: Extract<Command, { kind: 'cancel' | 'archive' }>,
    idempotencyKey: string | undefined,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    const given = parseKey('idempotencyKey', idempotencyKey);
    const key = given === undefined ? undefined : `${command.kind}/${given}`;
    const { replayed } = await this.#command(sessionId, command, { key });
    return { ...(await this.get(sessionId)), replayed };
  }

  #command(
    sessionId: SessionId,
    command: Command,
    guard: { epoch?: number | undefined; key?: string | undefined } = {},
  ): Promise<Appended<Session>> {
    return this.#ports.journal.append(sessionId, { ...guard, decide: (session) => decide(session, command) });
  }

  /**
   * Resolved once and pinned (v3 contract A.3): the agent's own, the provider's default, the server's own key. Should it be gone
   * later, credentialsOf says what takes its place.
   */
  async #credentialFor(agent: Agent, model: string): Promise<CredentialId | undefined> {
    const { provider } = parseModel(model);
    if (provider !== parseModel(agent.revision.model).provider) {
      throw new InvalidInput(
        'model',
        `this agent needs a model of ${parseModel(agent.revision.model).provider}.`,
      );
    }
    if (provider === 'rehearsal') return undefined;
    if (agent.credentialId !== undefined && (await this.#ports.credentials.has(agent.credentialId))) {
      return agent.credentialId;
    }
    const standard = await this.#ports.credentials.defaultOf(provider);
    if (standard === undefined && !this.#ports.serverKeys.has(provider)) throw new NoCredential(provider);
    return standard?.id;
  }
}

/** Right after the append: a message either joined the running turn or waits for the next. */
function turnOfMessage(session: Session, seq: number): TurnId {
  const { turn } = session;
  if (turn?.state === 'running' && turn.inputToSeq === seq) return turn.id;
  return turnIdOf(session.id, session.turnCount + 1);
}

/** As the request was given: texts are made well-formed, and the request is the same whether or not they were before. */
function hashOf({ input, model, limits, metadata, key }: StartSession, agent: Agent): string {
  return requestHash([agent.id, input, model, limits, metadata, key]);
}

function isSame(said: unknown, again: unknown): boolean {
  return requestHash(wellFormedJson(said)) === requestHash(wellFormedJson(again));
}

/** Answers it well-formed. */
function parseMetadata<T extends Readonly<Record<string, unknown>>>(
  value: T | undefined,
  field = 'metadata',
  bytesMax = METADATA_BYTES_MAX,
): T | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInput(field, 'expected a JSON object.');
  }
  if (!isJson(value)) throw new InvalidInput(field, `expected JSON of at most ${JSON_DEPTH_MAX} levels.`);
  const kept = wellFormedJson(value) as T; // JSON, checked above, of the same shape
  const bytes = Buffer.byteLength(JSON.stringify(kept));
  if (bytes > bytesMax)
    throw new InvalidInput(field, `expected at most ${bytesMax} bytes of JSON, got ${bytes}.`);
  return kept;
}
