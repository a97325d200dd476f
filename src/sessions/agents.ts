/** Agents: define one, change it (a new prompt or model makes a revision), find it by id or name. */
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type AgentId, type CredentialId, derivedId, isId, newId } from '../kernel/id.ts';
import { NAME_CHARS_MAX, PROMPT_BYTES_MAX, TURN_SECONDS_MAX } from '../kernel/limit.ts';
import { parseCount, parseText } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import type { Sealed } from '../kernel/sealed.ts';
import type { Credentials } from '../secrets/credentials.ts';
import { type Agent, type AgentRevision, RUNTIMES, type Runtime } from './agent.ts';
import type { AgentStore } from './agent-store.ts';
import { AgentNameTaken, AgentNotFound } from './faults.ts';
import { parseModel } from './model-name.ts';
import type { Limits } from './session.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;
/** Two writers who keep colliding on one agent are told to try again, rather than wait for ever. */
const UPDATE_ATTEMPTS_MAX = 5;

export interface NewAgent {
  readonly name: string;
  readonly model: string;
  readonly prompt: string;
  readonly runtime?: string | undefined;
  readonly limits?: Limits | undefined;
  /** A model key inline: stored as a credential of its own. Not together with `credentialId`. */
  readonly key?: Sealed | undefined;
  readonly credentialId?: CredentialId | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface AgentChange {
  readonly model?: string | undefined;
  readonly prompt?: string | undefined;
  readonly limits?: Limits | undefined;
  /** Replaces the value of the agent's own credential, or makes one. */
  readonly key?: Sealed | undefined;
  /** null: the provider's default again. */
  readonly credentialId?: CredentialId | null | undefined;
}

export class Agents {
  readonly #store: AgentStore;
  readonly #credentials: Credentials;
  readonly #clock: Clock;

  constructor(ports: { agents: AgentStore; credentials: Credentials; clock: Clock }) {
    this.#store = ports.agents;
    this.#credentials = ports.credentials;
    this.#clock = ports.clock;
  }

  /**
   * The name doubles as idempotency key: the same definition again is a replay, another one is AgentNameTaken.
   * Throws InvalidInput, AgentNameTaken, IdempotencyConflict, CredentialNotFound.
   */
  async create(request: NewAgent): Promise<{ agent: Agent; replayed: boolean }> {
    const name = parseText('name', request.name, NAME_CHARS_MAX);
    if (!NAME.test(name)) throw new InvalidInput('name', 'expected letters, digits, spaces and . _ -');
    const runtime = parseRuntime(request.runtime);
    const prompt = parseText('prompt', request.prompt, PROMPT_BYTES_MAX);
    const { provider } = parseModel(request.model);
    const limits = parseLimits(request.limits);
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    if (request.key !== undefined && request.credentialId !== undefined) {
      throw new InvalidInput('key', 'give either key or credentialId, not both.');
    }
    const { key, credentialId } = request;
    const hash = requestHash([name, runtime, prompt, request.model, limits, key?.open(), credentialId]);
    const known = await this.#store.byName(name);
    if (known !== undefined) return replay(known, hash);

    if (credentialId !== undefined) await this.#credentials.get(credentialId);
    const own =
      key === undefined
        ? undefined
        : await this.#credentials.create({ provider, key, name, idempotencyKey: `agent ${name} ${hash}` });
    const id = idempotencyKey === undefined ? newId('agent') : derivedId('agent', idempotencyKey);
    const now = this.#clock.now();
    const { created, agent } = await this.#store.create({
      id,
      name,
      runtime,
      revision: { agentId: id, number: 1, prompt, model: request.model, createdAt: now },
      credentialId: own?.credential.id ?? credentialId,
      limits,
      createdAt: now,
      updatedAt: now,
      requestHash: hash,
    });
    if (!created && agent.name !== name) throw new IdempotencyConflict(idempotencyKey ?? name);
    return created ? { agent, replayed: false } : replay(agent, hash);
  }

  /** `replayed` when nothing differs. Running sessions keep their revision. Throws AgentNotFound, InvalidInput, CredentialNotFound. */
  async update(id: AgentId, change: AgentChange): Promise<{ agent: Agent; replayed: boolean }> {
    if (change.key !== undefined && change.credentialId !== undefined) {
      throw new InvalidInput('key', 'give either key or credentialId, not both.');
    }
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS_MAX; attempt += 1) {
      const agent = await this.get(id);
      const changed = await this.#changed(agent, change);
      if (changed === agent) return { agent, replayed: true };
      if (await this.#store.update(changed, agent.updatedAt)) return { agent: changed, replayed: false };
    }
    throw new InvalidInput('agentId', 'this agent is being changed by someone else; try again.');
  }

  async get(id: AgentId): Promise<Agent> {
    const agent = await this.#store.get(id);
    if (agent === undefined) throw new AgentNotFound(id);
    return agent;
  }

  /** By id or by name. */
  async find(idOrName: string): Promise<Agent> {
    const agent = isId('agent', idOrName)
      ? await this.#store.get(idOrName)
      : await this.#store.byName(idOrName);
    if (agent === undefined) throw new AgentNotFound(`"${idOrName.slice(0, NAME_CHARS_MAX)}"`);
    return agent;
  }

  list(page: Parameters<AgentStore['list']>[0]): Promise<readonly Agent[]> {
    return this.#store.list(page);
  }

  async revision(id: AgentId, number: number): Promise<AgentRevision> {
    const revision = await this.#store.revision(id, number);
    if (revision === undefined) throw new AgentNotFound(`${id} revision ${number}`);
    return revision;
  }

  /** The same object when nothing differs. */
  async #changed(agent: Agent, change: AgentChange): Promise<Agent> {
    const { revision } = agent;
    const prompt =
      change.prompt === undefined ? revision.prompt : parseText('prompt', change.prompt, PROMPT_BYTES_MAX);
    const model = change.model ?? revision.model;
    const { provider } = parseModel(model);
    const limits = change.limits === undefined ? agent.limits : parseLimits(change.limits);
    const credentialId = await this.#credentialAfter(agent, change, provider);
    const sameRevision = prompt === revision.prompt && model === revision.model;
    const sameRest = credentialId === agent.credentialId && requestHash(limits) === requestHash(agent.limits);
    if (sameRevision && sameRest) return agent;
    const now = Math.max(this.#clock.now(), agent.updatedAt + 1); // updatedAt is the version that update() compares
    return {
      ...agent,
      limits,
      credentialId,
      updatedAt: now,
      revision: sameRevision
        ? revision
        : { agentId: agent.id, number: revision.number + 1, prompt, model, createdAt: now },
    };
  }

  async #credentialAfter(
    agent: Agent,
    change: AgentChange,
    provider: string,
  ): Promise<CredentialId | undefined> {
    if (change.key !== undefined) {
      if (agent.credentialId !== undefined) {
        await this.#credentials.update(agent.credentialId, { key: change.key });
        return agent.credentialId;
      }
      const { credential } = await this.#credentials.create({ provider, key: change.key, name: agent.name });
      return credential.id;
    }
    if (change.credentialId === undefined) return agent.credentialId;
    if (change.credentialId === null) return undefined;
    return (await this.#credentials.get(change.credentialId)).id;
  }
}

/** Throws InvalidInput; answers only the limits that are set. */
export function parseLimits(limits: Limits | undefined): Limits {
  const tokens = parseCount('limits.tokens', limits?.tokens, 1, Number.MAX_SAFE_INTEGER);
  const turnSeconds = parseCount('limits.turnSeconds', limits?.turnSeconds, 1, TURN_SECONDS_MAX);
  const turns = parseCount('limits.turns', limits?.turns, 1, Number.MAX_SAFE_INTEGER);
  return {
    ...(tokens === undefined ? {} : { tokens }),
    ...(turnSeconds === undefined ? {} : { turnSeconds }),
    ...(turns === undefined ? {} : { turns }),
  };
}

function parseRuntime(text: string | undefined): Runtime {
  if (text === undefined) return 'claude';
  const runtime = RUNTIMES.find((candidate) => candidate === text);
  if (runtime === undefined) throw new InvalidInput('runtime', `expected one of ${RUNTIMES.join(', ')}.`);
  return runtime;
}

function replay(agent: Agent, hash: string): { agent: Agent; replayed: boolean } {
  if (agent.requestHash !== hash) throw new AgentNameTaken(agent.name, agent.id);
  return { agent, replayed: true };
}
