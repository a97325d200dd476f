/** Agents: define one, change it (a new prompt, model or setting makes a revision), find it by id or name. */
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type AgentId, type CredentialId, derivedId, isId, newId } from '../kernel/id.ts';
import { NAME_CHARS_MAX, PROMPT_BYTES_MAX, TURN_SECONDS_MAX } from '../kernel/limit.ts';
import { parseChoice, parseCount, parseName, parseText } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import type { Sealed } from '../kernel/sealed.ts';
import type { Credential } from '../secrets/credential-store.ts';
import { type Credentials, parseModelKey } from '../secrets/credentials.ts';
import { type Agent, type AgentRevision, RUNTIMES, type Runtime } from './agent.ts';
import type { AgentStore } from './agent-store.ts';
import { AgentNameTaken, AgentNotFound } from './faults.ts';
import { parseModel } from './model-name.ts';
import type { ModelSettings } from './model-plan.ts';
import { type GivenSettings, settingsAfter } from './model-settings.ts';
import type { Limits } from './session.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._-]*$/;
/** Two writers who keep colliding on one agent are told to try again, rather than wait for ever. */
const UPDATE_ATTEMPTS_MAX = 5;

export interface NewAgent {
  readonly name: string;
  readonly model: string;
  readonly prompt: string;
  readonly settings?: GivenSettings | undefined;
  readonly runtime?: string | undefined;
  readonly limits?: Limits | undefined;
  /** A model key inline: stored as a credential of its own, never the provider's default. Not together with `credentialId`. */
  readonly key?: Sealed | undefined;
  readonly credentialId?: CredentialId | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface AgentChange {
  readonly model?: string | undefined;
  readonly prompt?: string | undefined;
  readonly settings?: GivenSettings | undefined;
  readonly limits?: Limits | undefined;
  /** Replaces the key of the credential that was made for this agent alone, or makes one. */
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
    const name = parseName('name', request.name, NAME_CHARS_MAX);
    if (!NAME.test(name)) throw new InvalidInput('name', 'expected letters, digits, spaces and . _ -');
    const runtime = parseRuntime(request.runtime);
    const prompt = parseText('prompt', request.prompt, PROMPT_BYTES_MAX);
    const { provider } = parseModel(request.model);
    const settings = someOf(settingsAfter({}, request.settings ?? {}, request.model));
    const limits = parseLimits(request.limits);
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    if (request.key !== undefined && request.credentialId !== undefined) {
      throw new InvalidInput('key', 'give either key or credentialId, not both.');
    }
    const { key, credentialId } = request;
    const asked = [name, runtime, request.prompt, request.model, limits, key?.open(), credentialId];
    const hash = requestHash(settings === undefined ? asked : [...asked, settings]); // agents of before there were settings have this one
    const known = await this.#store.byName(name);
    if (known !== undefined) return replay(known, hash);

    if (credentialId !== undefined) await this.#credentials.get(credentialId);
    const keyName = `agent ${requestHash([name, hash, idempotencyKey])}`; // the same request again finds the same credential
    const own =
      key === undefined
        ? undefined
        : await this.#credentials.create({ provider, key, name, agent: name, idempotencyKey: keyName });
    const id = idempotencyKey === undefined ? newId('agent') : derivedId('agent', idempotencyKey);
    const now = this.#clock.now();
    const { created, agent } = await this.#store.create({
      id,
      name,
      runtime,
      revision: { agentId: id, number: 1, prompt, model: request.model, settings, createdAt: now },
      credentialId: own?.credential.id ?? credentialId,
      limits,
      createdAt: now,
      updatedAt: now,
      requestHash: hash,
    });
    if (created) return { agent, replayed: false };
    if (own?.replayed === false && own.credential.id !== agent.credentialId)
      await this.#forget(own.credential);
    if (agent.name !== name) throw new IdempotencyConflict(idempotencyKey ?? name);
    return replay(agent, hash);
  }

  /**
   * `replayed` when nothing differs; a given key always counts as new. Running sessions keep their revision. Throws
   * AgentNotFound, InvalidInput, CredentialNotFound.
   */
  async update(id: AgentId, change: AgentChange): Promise<{ agent: Agent; replayed: boolean }> {
    const { key, credentialId } = change;
    if (key !== undefined && credentialId !== undefined) {
      throw new InvalidInput('key', 'give either key or credentialId, not both.');
    }
    if (key !== undefined) return this.#updateWithKey(await this.get(id), change, key);
    if (credentialId !== undefined && credentialId !== null) await this.#credentials.get(credentialId);
    return this.#swap(id, change, credentialId);
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

  /** Only a credential that is this agent's alone is given another key; others may use any other. */
  async #updateWithKey(
    agent: Agent,
    change: AgentChange,
    key: Sealed,
  ): Promise<{ agent: Agent; replayed: false }> {
    const { provider } = parseModel(change.model ?? agent.revision.model);
    parseModelKey(key);
    changed(agent, change, undefined, this.#clock.now()); // refuses what is wrong before anything is stored
    const own = await this.#ownCredential(agent);
    if (own?.provider === provider) {
      const swapped = await this.#swap(agent.id, change, own.id);
      await this.#credentials.update(own.id, { key });
      return { agent: swapped.agent, replayed: false };
    }
    const { name } = agent;
    const { credential } = await this.#credentials.create({ provider, key, name, agent: name });
    try {
      const swapped = await this.#swap(agent.id, change, credential.id);
      return { agent: swapped.agent, replayed: false };
    } catch (error) {
      await this.#forget(credential);
      throw error;
    }
  }

  /** The credential that was made from this agent's inline key, if that is what it uses. */
  async #ownCredential({ name, credentialId }: Agent): Promise<Credential | undefined> {
    if (credentialId === undefined || !(await this.#credentials.has(credentialId))) return undefined;
    const credential = await this.#credentials.get(credentialId);
    return credential.agent === name && !credential.isDefault ? credential : undefined; // others use a default
  }

  /** Writes the change on the agent as it is, again when somebody else was quicker. `credentialId`: null for none, undefined for the same. */
  async #swap(
    id: AgentId,
    change: AgentChange,
    credentialId: CredentialId | null | undefined,
  ): Promise<{ agent: Agent; replayed: boolean }> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS_MAX; attempt += 1) {
      const agent = await this.get(id);
      const after = changed(agent, change, credentialId, this.#clock.now());
      if (after === agent) return { agent, replayed: true };
      if (await this.#store.update(after, agent.updatedAt)) return { agent: after, replayed: false };
    }
    throw new InvalidInput('agentId', 'this agent is being changed by someone else; try again.');
  }

  /** A credential that no agent has come to use. */
  async #forget({ id }: Credential): Promise<void> {
    if (await this.#credentials.has(id)) await this.#credentials.delete(id);
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
  return text === undefined ? 'claude' : parseChoice('runtime', text, RUNTIMES);
}

/** Nothing set is no settings: a revision is then as it was before there were any. */
function someOf(settings: ModelSettings): ModelSettings | undefined {
  return Object.keys(settings).length === 0 ? undefined : settings;
}

function replay(agent: Agent, hash: string): { agent: Agent; replayed: boolean } {
  if (agent.requestHash !== hash) throw new AgentNameTaken(agent.name, agent.id);
  return { agent, replayed: true };
}

/** The same object when nothing differs. Throws InvalidInput. */
function changed(
  agent: Agent,
  change: AgentChange,
  credentialId: CredentialId | null | undefined,
  now: number,
): Agent {
  const { revision } = agent;
  const prompt =
    change.prompt === undefined ? revision.prompt : parseText('prompt', change.prompt, PROMPT_BYTES_MAX);
  const model = change.model ?? revision.model;
  parseModel(model);
  const limits = change.limits === undefined ? agent.limits : parseLimits(change.limits);
  const credential = credentialId === undefined ? agent.credentialId : (credentialId ?? undefined);
  const settings = someOf(settingsAfter(revision.settings ?? {}, change.settings ?? {}, model));
  const sameSettings = requestHash(settings ?? {}) === requestHash(revision.settings ?? {});
  const sameRevision = prompt === revision.prompt && model === revision.model && sameSettings;
  const sameRest = credential === agent.credentialId && requestHash(limits) === requestHash(agent.limits);
  if (sameRevision && sameRest) return agent;
  const at = Math.max(now, agent.updatedAt + 1); // updatedAt is the version that update() compares
  return {
    ...agent,
    limits,
    credentialId: credential,
    updatedAt: at,
    revision: sameRevision
      ? revision
      : { agentId: agent.id, number: revision.number + 1, prompt, model, settings, createdAt: at },
  };
}
