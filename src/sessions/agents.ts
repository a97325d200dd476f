/** Agents of one organisation: define one, change it (a new prompt, model or setting makes a revision), find it by id or name. */
import { answeredWith, remembered } from '../kernel/answered-requests.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type AgentId, type CredentialId, isId, keyedId, newId, type Organisation } from '../kernel/id.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import type { Sealed } from '../kernel/sealed.ts';
import type { Credential } from '../secrets/credential-store.ts';
import { type Credentials, parseModelKey } from '../secrets/credentials.ts';
import type { Agent, AgentRevision } from './agent.ts';
import {
  type AgentChange,
  changeHashes,
  checkKeyOrCredential,
  creationHashes,
  type Definition,
  isDefinedAs,
  type NewAgent,
  parseDefinition,
  type RequestHashes,
} from './agent-request.ts';
import type { AgentStore } from './agent-store.ts';
import { changed } from './agent-change.ts';
import { checkSchemas, parseTools, type ToolSchemas } from './agent-tool.ts';
import { AgentGone, AgentNameTaken, AgentNotFound } from './faults.ts';
import { parseModel } from './model-name.ts';

/** Two writers who keep colliding on one agent are told to try again, rather than wait for ever. */
const UPDATE_ATTEMPTS_MAX = 5;

export class Agents {
  readonly #store: AgentStore;
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #organisation: Organisation;
  readonly #schemas: ToolSchemas | undefined;

  /** `credentials`: of the same organisation. */
  constructor(ports: {
    agents: AgentStore;
    credentials: Credentials;
    clock: Clock;
    organisation: Organisation;
    toolSchemas?: ToolSchemas | undefined;
  }) {
    this.#store = ports.agents;
    this.#credentials = ports.credentials;
    this.#clock = ports.clock;
    this.#organisation = ports.organisation;
    this.#schemas = ports.toolSchemas;
  }

  /**
   * Answers the agent that the same idempotency key made, or else the one of this name if it is as defined here (`replayed`).
   * Throws InvalidInput, AgentNameTaken, IdempotencyConflict, CredentialNotFound.
   */
  async create(request: NewAgent): Promise<{ agent: Agent; replayed: boolean }> {
    const { key, credentialId } = request;
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    const hashes = creationHashes(request, await this.#fingerprintOf(key));
    const asked = { key: idempotencyKey, hashes };
    const before = await this.#createdBefore(request, asked);
    if (before !== undefined) return { agent: before, replayed: true }; // REPLAY-1
    const definition = parseDefinition(request);
    const { name, runtime, limits, prompt, model, settings, tools, toolRules } = definition;
    await checkSchemas(this.#schemas, tools);
    const [hash] = hashes;
    const named = await this.#store.byName(this.#organisation.id, name);
    if (named !== undefined) return this.#asDefined(request, { definition, asked }, named.id);

    if (credentialId !== undefined) await this.#credentials.get(credentialId);
    const own = key === undefined ? undefined : await this.#ownKey(definition, key, { hash, idempotencyKey });
    const id =
      idempotencyKey === undefined ? newId('agent') : keyedId('agent', this.#organisation, idempotencyKey);
    const now = this.#clock.now();
    const { created, agent } = await this.#store.create({
      id,
      organisationId: this.#organisation.id,
      name,
      runtime,
      revision: { agentId: id, number: 1, prompt, model, settings, tools, toolRules, createdAt: now },
      credentialId: own?.credential.id ?? credentialId,
      limits,
      createdAt: now,
      updatedAt: now,
      requestHash: hash,
    });
    if (created) return { agent, replayed: false };
    if (own?.replayed === false && own.credential.id !== agent.credentialId)
      await this.#forget(own.credential);
    const meanwhile = await this.#createdBefore(request, asked);
    if (meanwhile !== undefined) return { agent: meanwhile, replayed: true };
    return this.#asDefined(request, { definition, asked }, agent.id);
  }

  /**
   * `replayed` when nothing differs, or when it was done before with the same idempotency key; a given key counts as new otherwise. Running
   * sessions keep their revision. Throws AgentNotFound, AgentGone, InvalidInput, CredentialNotFound, IdempotencyConflict.
   */
  async update(id: AgentId, change: AgentChange): Promise<{ agent: Agent; replayed: boolean }> {
    const { key, credentialId } = change;
    const idempotencyKey = parseKey('idempotencyKey', change.idempotencyKey);
    const hashes = changeHashes(change, await this.#fingerprintOf(key));
    const asked = { key: idempotencyKey, hashes };
    const agent = await this.get(id);
    if (wasAnswered(agent, asked)) return { agent, replayed: true }; // REPLAY-1
    refuseDeleted(agent);
    checkKeyOrCredential(change);
    await checkSchemas(this.#schemas, parseTools(change.tools));
    if (key !== undefined) return this.#updateWithKey(agent, change, key, asked);
    if (credentialId !== undefined && credentialId !== null) await this.#credentials.get(credentialId);
    return this.#swap(id, change, credentialId, asked);
  }

  /** Also one that was deleted. */
  async get(id: AgentId): Promise<Agent> {
    const agent = await this.#store.get(this.#organisation.id, id);
    if (agent === undefined) throw new AgentNotFound();
    return agent;
  }

  /** Whether a caller who says this, an id or a name, may have meant that agent: another one may have the name of one that was deleted. */
  async isCalled(id: AgentId, idOrName: string): Promise<boolean> {
    if (isId('agent', idOrName)) return idOrName === id;
    const named = await this.#store.byName(this.#organisation.id, idOrName);
    if (named === undefined || named.id === id) return true; // nobody else has it: what else was asked for tells
    return (await this.#store.get(this.#organisation.id, id))?.name === idOrName;
  }

  /** By id or by name, to use it. Throws AgentNotFound, AgentGone. */
  async find(idOrName: string): Promise<Agent> {
    const agent = isId('agent', idOrName)
      ? await this.#store.get(this.#organisation.id, idOrName)
      : await this.#store.byName(this.#organisation.id, idOrName);
    if (agent === undefined) throw new AgentNotFound();
    refuseDeleted(agent);
    return agent;
  }

  list(page: Parameters<AgentStore['list']>[1]): Promise<readonly Agent[]> {
    return this.#store.list(this.#organisation.id, page);
  }

  async revision(id: AgentId, number: number): Promise<AgentRevision> {
    const revision = await this.#store.revision(this.#organisation.id, id, number);
    if (revision === undefined) throw new AgentNotFound();
    return revision;
  }

  async #fingerprintOf(key: Sealed | undefined): Promise<string | undefined> {
    return key === undefined ? undefined : this.#credentials.fingerprintOf(key.open());
  }

  /** The agent that was made or found with this idempotency key. Throws IdempotencyConflict. */
  async #createdBefore({ name }: NewAgent, asked: Asked): Promise<Agent | undefined> {
    if (asked.key === undefined) return undefined;
    const made = await this.#store.get(
      this.#organisation.id,
      keyedId('agent', this.#organisation, asked.key),
    );
    if (made !== undefined && !asked.hashes.includes(made.requestHash))
      throw new IdempotencyConflict(asked.key);
    if (made !== undefined) return made;
    const named = await this.#store.byName(this.#organisation.id, name);
    return named !== undefined && wasAnswered(named, asked) ? named : undefined;
  }

  /** The agent of this name, if it is what is defined here; the idempotency key is remembered there. Throws AgentNameTaken. */
  async #asDefined(
    request: NewAgent,
    { definition, asked }: { readonly definition: Definition; readonly asked: Asked },
    id: AgentId,
  ): Promise<{ agent: Agent; replayed: true }> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS_MAX; attempt += 1) {
      const agent = await this.get(id);
      if (agent.deletedAt !== undefined) throw contended(); // since it was found by its name
      const isSame = agent.name === definition.name && isDefinedAs(agent, definition);
      if (!isSame || !(await this.#usesAsked(agent, request))) throw new AgentNameTaken(agent.id);
      if (asked.key === undefined || wasAnswered(agent, asked)) return { agent, replayed: true };
      const after = withRequest(agent, asked);
      if (await this.#store.update(after, agent.updatedAt)) return { agent: after, replayed: true };
    }
    throw contended();
  }

  /** Whether its credential is the one that is asked for: this key, that credential, or none. */
  async #usesAsked({ credentialId }: Agent, { key, credentialId: wanted }: NewAgent): Promise<boolean> {
    if (key === undefined) return credentialId === wanted;
    return credentialId !== undefined && this.#credentials.holds(credentialId, key);
  }

  /** The credential of an agent that is about to be made: the same request again finds the same one. */
  async #ownKey(
    { name, model }: Definition,
    key: Sealed,
    asked: { readonly hash: string; readonly idempotencyKey: string | undefined },
  ): Promise<{ credential: Credential; replayed: boolean }> {
    const { provider } = parseModel(model);
    const wanted = { provider, key, name, agent: name };
    const keyName = `agent ${requestHash([name, asked.hash, asked.idempotencyKey])}`;
    const own = await this.#credentials.create({ ...wanted, idempotencyKey: keyName });
    // One that was left behind, and deleted since, is of no use to the agent.
    return (await this.#credentials.has(own.credential.id)) ? own : this.#credentials.create(wanted);
  }

  /** Only a credential that is this agent's alone is given another key; others may use any other. */
  async #updateWithKey(
    agent: Agent,
    change: AgentChange,
    key: Sealed,
    asked: Asked,
  ): Promise<{ agent: Agent; replayed: boolean }> {
    const { provider } = parseModel(change.model ?? agent.revision.model);
    parseModelKey(key);
    changed(agent, change, undefined, this.#clock.now()); // refuses what is wrong before anything is stored
    const own = await this.#ownCredential(agent);
    if (own?.provider === provider) {
      await this.#credentials.update(own.id, { key }); // before the request is remembered as done
      const swapped = await this.#swap(agent.id, change, own.id, asked);
      return { agent: swapped.agent, replayed: false };
    }
    const { name } = agent;
    const { credential } = await this.#credentials.create({ provider, key, name, agent: name });
    let swapped: { agent: Agent; replayed: boolean } | undefined;
    try {
      swapped = await this.#swap(agent.id, change, credential.id, asked);
      return swapped;
    } finally {
      if (swapped?.replayed !== false) await this.#forget(credential);
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
    asked: Asked,
  ): Promise<{ agent: Agent; replayed: boolean }> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS_MAX; attempt += 1) {
      const agent = await this.get(id);
      if (wasAnswered(agent, asked)) return { agent, replayed: true };
      refuseDeleted(agent);
      const after = changed(agent, change, credentialId, this.#clock.now());
      const isSame = after === agent;
      if (isSame && asked.key === undefined) return { agent, replayed: true };
      const stored = withRequest(after, asked);
      if (await this.#store.update(stored, agent.updatedAt)) return { agent: stored, replayed: isSame };
    }
    throw contended();
  }

  /** A credential that no agent has come to use. */
  async #forget({ id }: Credential): Promise<void> {
    if (await this.#credentials.has(id)) await this.#credentials.delete(id);
  }
}

/** An idempotency key, if there is one, and the hashes of what it came with. */
interface Asked {
  readonly key: string | undefined;
  readonly hashes: RequestHashes;
}

/** Throws IdempotencyConflict when the key came with another request. */
function wasAnswered(agent: Agent, { key, hashes }: Asked): boolean {
  const before = answeredWith(agent.requests, key);
  if (before !== undefined && !hashes.includes(before.hash)) throw new IdempotencyConflict(key ?? '');
  return before !== undefined;
}

/** Throws AgentGone. */
function refuseDeleted({ id, deletedAt }: Agent): void {
  if (deletedAt !== undefined) throw new AgentGone(id);
}

/** `updatedAt` is the version that update() compares, so it moves for this too: by as little as it can. */
function withRequest(agent: Agent, { key, hashes: [hash] }: Asked): Agent {
  if (key === undefined) return agent;
  return { ...agent, updatedAt: agent.updatedAt + 1, requests: remembered(agent.requests, key, hash) };
}

function contended(): InvalidInput {
  return new InvalidInput('agentId', 'this agent is being changed by someone else; try again.');
}
