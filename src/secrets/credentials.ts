/**
 * Credentials: model keys brought by the user. The record says which key it is; the key itself is sealed in the
 * secret store and is opened only by the model gateway, at the moment of a call.
 */
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type CredentialId, derivedId, newId } from '../kernel/id.ts';
import { NAME_CHARS_MAX } from '../kernel/limit.ts';
import { parseText } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import { Sealed } from '../kernel/sealed.ts';
import { type Credential, type CredentialStore, PROVIDERS, type Provider } from './credential-store.ts';
import { CredentialNotFound } from './faults.ts';
import type { SecretStore } from './secret-store.ts';

const KEY_BYTES_MAX = 1_024;

export interface NewCredential {
  readonly provider: string;
  readonly key: Sealed;
  readonly name?: string | undefined;
  /** The first credential of a provider is its default whatever this says. */
  readonly isDefault?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface CredentialChange {
  readonly key?: Sealed | undefined;
  readonly name?: string | undefined;
  readonly isDefault?: boolean | undefined;
}

export class Credentials {
  readonly #store: CredentialStore;
  readonly #secrets: SecretStore;
  readonly #clock: Clock;

  constructor(ports: { credentials: CredentialStore; secrets: SecretStore; clock: Clock }) {
    this.#store = ports.credentials;
    this.#secrets = ports.secrets;
    this.#clock = ports.clock;
  }

  /** Throws InvalidInput, IdempotencyConflict. The key is durable before the record is. */
  async create(request: NewCredential): Promise<{ credential: Credential; replayed: boolean }> {
    const provider = parseProvider(request.provider);
    const key = parseModelKey(request.key);
    const name = request.name === undefined ? undefined : parseText('name', request.name, NAME_CHARS_MAX);
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    const id = idempotencyKey === undefined ? newId('credential') : derivedId('credential', idempotencyKey);
    const hash = requestHash([provider, key, name, request.isDefault]);
    const now = this.#clock.now();
    const known = await this.#store.get(id);
    if (known === undefined) await this.#secrets.put(id, new Sealed(key));
    const isDefault = request.isDefault === true || (await this.#store.defaultOf(provider)) === undefined;
    const { created, credential } = await this.#store.create({
      id,
      provider,
      name,
      last4: key.slice(-4),
      isDefault,
      createdAt: now,
      rotatedAt: now,
      requestHash: hash,
    });
    if (!created && credential.requestHash !== hash) throw new IdempotencyConflict(idempotencyKey ?? id);
    return { credential, replayed: !created };
  }

  /** A new key value reaches running sessions at their next model call. Throws CredentialNotFound, InvalidInput. */
  async update(id: CredentialId, change: CredentialChange): Promise<Credential> {
    const credential = await this.get(id);
    const key = change.key === undefined ? undefined : parseModelKey(change.key);
    const name = change.name === undefined ? credential.name : parseText('name', change.name, NAME_CHARS_MAX);
    if (change.isDefault === false && credential.isDefault) {
      throw new InvalidInput('isDefault', 'make another credential the default instead.');
    }
    if (key !== undefined) await this.#secrets.put(id, new Sealed(key));
    const changed: Credential = {
      ...credential,
      name,
      isDefault: credential.isDefault || change.isDefault === true,
      ...(key === undefined ? {} : { last4: key.slice(-4), rotatedAt: this.#clock.now() }),
    };
    if (!(await this.#store.update(changed))) throw new CredentialNotFound(id);
    return changed;
  }

  /** The record goes first: a key without a record is of no use to anyone. Throws CredentialNotFound. */
  async delete(id: CredentialId): Promise<void> {
    if (!(await this.#store.delete(id))) throw new CredentialNotFound(id);
    await this.#secrets.delete(id);
  }

  async get(id: CredentialId): Promise<Credential> {
    const credential = await this.#store.get(id);
    if (credential === undefined) throw new CredentialNotFound(id);
    return credential;
  }

  defaultOf(provider: Provider): Promise<Credential | undefined> {
    return this.#store.defaultOf(provider);
  }

  list(page: Parameters<CredentialStore['list']>[0]): Promise<readonly Credential[]> {
    return this.#store.list(page);
  }

  /** The key itself: for the model gateway only. Undefined when the credential was deleted. */
  open(id: CredentialId): Promise<Sealed | undefined> {
    return this.#secrets.get(id);
  }
}

export function parseProvider(text: string): Provider {
  const provider = PROVIDERS.find((candidate) => candidate === text);
  if (provider === undefined) throw new InvalidInput('provider', `expected one of ${PROVIDERS.join(', ')}.`);
  return provider;
}

function parseModelKey(sealed: Sealed): string {
  const key = sealed.open().trim();
  if (!/^[\x21-\x7e]{8,}$/.test(key) || key.length > KEY_BYTES_MAX) {
    throw new InvalidInput(
      'key',
      `expected a model key: 8 to ${KEY_BYTES_MAX} printable characters without spaces.`,
    );
  }
  return key;
}
