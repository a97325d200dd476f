/**
 * The use cases of the sessions of one organisation, for the doors: start, send, cancel, archive, delete, look. Each change is one atomic append
 * whose events sessions/lifecycle.ts decides; nobody is called, everyone reads the log. What runs sessions has session-runs.ts.
 *
 * REPLAY-1 An idempotency key is looked for before anything that may have changed is looked at (agents, credentials, the
 *          session's status, models, limits): the same request with the same key is answered as it was the first time.
 * REPLAY-2 A cancel with a key is about the turn that it met. One that has nothing to do leaves its key in the log too.
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import {
  type CredentialId,
  keyedId,
  newId,
  type Organisation,
  type OrganisationId,
  type SessionId,
  type TurnId,
  turnIdOf,
} from '../kernel/id.ts';
import { MESSAGE_BYTES_MAX, QUEUE_POSITION_MAX } from '../kernel/limit.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import { Semaphore } from '../kernel/semaphore.ts';
import type { Actor } from '../journal/event.ts';
import type { Audits } from '../journal/journal.ts';
import { LogFull, SessionNotFound } from '../journal/faults.ts';
import type { Credentials } from '../secrets/credentials.ts';
import type { Provider } from '../secrets/provider-table.ts';
import type { Agent } from './agent.ts';
import type { Agents } from './agents.ts';
import { type Deleted, deleteSession } from './deletion.ts';
import type { DeletionStore } from './deletion-store.ts';
import { NoCredential, TurnNotFound } from './faults.ts';
import { type Command, decide, decideToTheEnd } from './lifecycle.ts';
import { type ChangeLimits, changeLimits, checkPriced } from './limit-change.ts';
import { parseLimits } from './limits.ts';
import { isSameMessage, parseMessage, type SendMessage } from './message-request.ts';
import { parseModel } from './model-name.ts';
import type { Session, SessionOrigin, Turn } from './session.ts';
import type {
  SessionEntry,
  SessionFilter,
  SessionJournal,
  SessionPage,
  SessionStore,
} from './session-store.ts';
import { isSameStart, parseMetadata, startHash, type StartSession } from './start-request.ts';
import { originTools } from './session-tools.ts';

export interface Started extends SessionEntry {
  readonly turnId: TurnId;
  readonly replayed: boolean;
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
  readonly deletions: DeletionStore;
  readonly organisation: Organisation;
  /** Of the same organisation, as the credentials. */
  readonly agents: Agents;
  readonly credentials: Credentials;
  readonly clock: Clock;
  /** Default: the system's. */
  readonly chance?: Chance | undefined;
  /** The providers for which the server holds a key of its own (ANTHROPIC_API_KEY …), for sessions without a credential. */
  readonly serverKeys: ReadonlySet<Provider>;
  /** Whether the price of a model is known now (limit-change.ts). */
  readonly isPriced?: ((model: string) => boolean) | undefined;
}

/** Starts of one organisation that are under way at once, the others in their order: a thousand at once are no queue before the store for others. */
const STARTS_AT_ONCE = 8;
/** A start that waits is not given up: the door bounds how many there are. */
const NEVER = new AbortController().signal;

export class Sessions {
  readonly #ports: SessionPorts;
  readonly #starts = new Semaphore(STARTS_AT_ONCE);

  constructor(ports: SessionPorts) {
    this.#ports = ports;
  }

  /** Throws InvalidInput, AgentNotFound, AgentGone, NoCredential, IdempotencyConflict, SessionGone (DELETE-1: started before, and deleted). */
  async start(request: StartSession): Promise<Started> {
    const release = await this.#starts.acquire(NEVER);
    try {
      return await this.#start(request);
    } finally {
      release?.();
    }
  }

  async #start(request: StartSession): Promise<Started> {
    const { sessions, agents, clock, chance, organisation } = this.#ports;
    const key = parseKey('key', request.key);
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    const before = await this.#startedBefore(key, idempotencyKey);
    if (before !== undefined) return this.#startedAgain(before, request); // REPLAY-1
    const text = parseText('input', request.input, MESSAGE_BYTES_MAX);
    const metadata = parseMetadata(request.metadata);
    const agent = await agents.find(request.agent);
    const model = request.model ?? agent.revision.model;
    const limits = { ...agent.limits, ...parseLimits(request.limits) };
    checkPriced(model, limits, this.#ports);
    const credentialId = await this.#credentialFor(agent, model);
    const origin: SessionOrigin = {
      id:
        idempotencyKey === undefined
          ? newId('session', chance)
          : keyedId('session', organisation, idempotencyKey),
      organisationId: organisation.id,
      createdAt: clock.now(),
      agentId: agent.id,
      agentRevision: agent.revision.number,
      model,
      credentialId,
      limits,
      ...originTools(agent.revision, request.toolRules),
      metadata,
      key,
      requestHash: startHash(request, agent.id),
    };
    const command: Command = { kind: 'send', text, mode: 'steer', actor: request.actor };
    const { created, session, head } = await sessions.create(
      origin,
      (fresh) => decide(fresh, command),
      request.audit,
    );
    if (!created) return this.#startedAgain({ session, head }, request);
    return { session, head, turnId: turnIdOf(session.id, 1), replayed: false };
  }

  /** Throws InvalidInput, SessionNotFound, SessionArchived, PendingFull, LogFull, IdempotencyConflict. */
  async send(message: SendMessage): Promise<Sent> {
    const { sessionId } = message;
    const idempotencyKey = parseKey('idempotencyKey', message.idempotencyKey);
    const key = idempotencyKey === undefined ? undefined : `message/${idempotencyKey}`;
    const command = parseMessage(message);
    if (command instanceof InvalidInput && key === undefined) throw command;
    const {
      firstSeq: seq,
      replayed,
      state,
    } = await this.#ports.journal.append(sessionId, {
      organisationId: this.#own,
      key, // REPLAY-1: looked for before anything is decided
      audit: message.audit,
      decide: (session, isFull) =>
        command instanceof InvalidInput
          ? { kind: 'refuse', fault: command }
          : decideToTheEnd(session, command, isFull),
    });
    if (replayed) return this.#replayed(message, seq);
    return { session: state, head: seq, seq, turnId: turnOfMessage(state, seq), replayed };
  }

  /**
   * Ends the running or waiting turn; when nothing runs, does nothing. The same key never cancels a later turn: REPLAY-2.
   * Throws SessionNotFound, InvalidInput.
   */
  cancel(
    sessionId: SessionId,
    actor: Actor,
    idempotencyKey?: string,
    audit?: Audits<Session>,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    const isKeyed = idempotencyKey !== undefined;
    return this.#once(sessionId, { kind: 'cancel', actor, isKeyed }, idempotencyKey, audit);
  }

  /** Cancels, then closes the session for good; again does nothing. Throws SessionNotFound, InvalidInput. */
  archive(
    sessionId: SessionId,
    actor: Actor,
    idempotencyKey?: string,
    audit?: Audits<Session>,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    return this.#once(sessionId, { kind: 'archive', actor }, idempotencyKey, audit);
  }

  /** deletion.ts */
  delete(sessionId: SessionId, actor: Actor, idempotencyKey?: string): Promise<Deleted> {
    return deleteSession(this.#ports, { sessionId, actor, idempotencyKey });
  }

  changeLimits(change: ChangeLimits): Promise<SessionEntry & { readonly replayed: boolean }> {
    return changeLimits(this.#ports, change);
  }

  async get(sessionId: SessionId): Promise<SessionEntry> {
    const entry = await this.#ports.sessions.get(sessionId, this.#own);
    if (entry === undefined) throw new SessionNotFound(sessionId);
    return entry;
  }

  list(filter: SessionFilter, page: SessionPage): Promise<readonly SessionEntry[]> {
    return this.#ports.sessions.list(this.#own, filter, page);
  }

  /** Those that wait for a free slot, who is next first: QUEUE_POSITION_MAX of them at most. */
  waiting(): Promise<readonly SessionId[]> {
    return this.#ports.sessions.waiting(this.#own, QUEUE_POSITION_MAX);
  }

  async turns(
    sessionId: SessionId,
    page: { limit: number; before?: number | undefined },
  ): Promise<readonly Turn[]> {
    return this.#ports.sessions.turns(sessionId, page, this.#own);
  }

  async turn(sessionId: SessionId, turnId: TurnId): Promise<Turn> {
    await this.get(sessionId);
    const turn = await this.#ports.sessions.turn(sessionId, turnId, this.#own);
    if (turn === undefined) throw new TurnNotFound(turnId);
    return turn;
  }

  /** Of the idempotency key, or else of the natural one, as create() looks for them. */
  async #startedBefore(
    key: string | undefined,
    idempotencyKey: string | undefined,
  ): Promise<SessionEntry | undefined> {
    const { sessions, organisation } = this.#ports;
    const own =
      idempotencyKey === undefined
        ? undefined
        : await sessions.get(keyedId('session', organisation, idempotencyKey), organisation.id);
    if (own !== undefined || key === undefined) return own;
    return (await sessions.list(organisation.id, { key }, { limit: 1 }))[0];
  }

  /** The session of the first time as it is now, if it was the same request. */
  async #startedAgain(entry: SessionEntry, request: StartSession): Promise<Started> {
    const { session, head } = entry;
    const { agent, key, idempotencyKey } = request;
    if (!(await this.#ports.agents.isCalled(session.agentId, agent)) || !isSameStart(session, request)) {
      throw new IdempotencyConflict(key ?? idempotencyKey ?? session.id);
    }
    return { session, head, turnId: turnIdOf(session.id, 1), replayed: true };
  }

  /** The first answer again, if it was the same message. */
  async #replayed(message: SendMessage, seq: number): Promise<Sent> {
    const { sessionId, idempotencyKey } = message;
    const [event] = await this.#ports.journal.read(sessionId, { after: seq - 1, limit: 1 });
    const body = await this.#ports.journal.readBody(sessionId, seq);
    const said: unknown = body === undefined ? null : JSON.parse(body);
    if (event?.turnId === undefined || !isSameMessage(said, message)) {
      throw new IdempotencyConflict(idempotencyKey ?? '');
    }
    const entry = await this.get(sessionId);
    return { ...entry, seq, turnId: event.turnId, replayed: true };
  }

  async #once(
    sessionId: SessionId,
    command: Extract<Command, { kind: 'cancel' | 'archive' }>,
    idempotencyKey: string | undefined,
    audit: Audits<Session> | undefined,
  ): Promise<SessionEntry & { readonly replayed: boolean }> {
    const given = parseKey('idempotencyKey', idempotencyKey);
    const key = given === undefined ? undefined : `${command.kind}/${given}`;
    try {
      const { replayed, state, lastSeq } = await this.#ports.journal.append(sessionId, {
        organisationId: this.#own,
        key,
        audit,
        decide: (session, isFull) => decideToTheEnd(session, command, isFull),
      });
      return replayed
        ? { ...(await this.get(sessionId)), replayed }
        : { session: state, head: lastSeq, replayed };
    } catch (error) {
      if (!(error instanceof LogFull)) throw error;
      // it closed the session, as was asked; an archive has a place behind that
      if (command.kind === 'archive') return this.#once(sessionId, command, idempotencyKey, audit);
      return { ...(await this.get(sessionId)), replayed: false };
    }
  }

  get #own(): OrganisationId {
    return this.#ports.organisation.id;
  }

  /**
   * Resolved once and pinned (v3 contract A.3): the agent's own, the provider's default, the server's own key. Should it be gone
   * later, models/account.ts says what takes its place.
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
