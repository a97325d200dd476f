/**
 * Credentials of one organisation: model keys brought by the user. The record says which key it is; the key itself is sealed in the
 * secret store and is opened only by the model gateway, at the moment of a call.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { answeredWith, remembered } from '../kernel/answered-requests.ts';
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict, InvalidInput } from '../kernel/fault.ts';
import { type CredentialId, keyedId, newId, type Organisation, type OrganisationId } from '../kernel/id.ts';
import { NAME_CHARS_MAX } from '../kernel/limit.ts';
import { parseName } from '../kernel/parse.ts';
import { parseKey, requestHash } from '../kernel/request-hash.ts';
import { Sealed } from '../kernel/sealed.ts';
import type { Credential, CredentialStore } from './credential-store.ts';
import { CredentialNotFound } from './faults.ts';
import { KeyFingerprints } from './key-fingerprint.ts';
import { isProvider, type Provider, providers } from './provider-table.ts';
import type { SecretStore } from './secret-store.ts';

const KEY_BYTES_MAX = 1_024;
/** Added to the credential's id, so that each key of a credential has a name of its own. */
const SECRET_NAME_BYTES = 8;

export interface NewCredential {
  readonly provider: string;
  readonly key: Sealed;
  readonly name?: string | undefined;
  /** The first credential of a provider is its default whatever this says, unless it is an agent's inline key. */
  readonly isDefault?: boolean | undefined;
  /** The name of the agent whose inline key it is. */
  readonly agent?: string | undefined;
  readonly idempotencyKey?: string | undefined;
}

export interface CredentialChange {
  readonly key?: Sealed | undefined;
  readonly name?: string | undefined;
  readonly isDefault?: boolean | undefined;
  readonly idempotencyKey?: string | undefined;
}

export class Credentials {
  readonly #store: CredentialStore;
  readonly #secrets: SecretStore;
  readonly #clock: Clock;
  readonly #fingerprints: KeyFingerprints;
  readonly #organisation: Organisation;

  constructor(ports: {
    credentials: CredentialStore;
    secrets: SecretStore;
    clock: Clock;
    organisation: Organisation;
  }) {
    this.#store = ports.credentials;
    this.#secrets = ports.secrets;
    this.#fingerprints = new KeyFingerprints(ports.secrets);
    this.#clock = ports.clock;
    this.#organisation = ports.organisation;
  }

  /** Throws InvalidInput, IdempotencyConflict, with nothing stored. The key is durable before the record is. */
  async create(request: NewCredential): Promise<{ credential: Credential; replayed: boolean }> {
    const idempotencyKey = parseKey('idempotencyKey', request.idempotencyKey);
    const id =
      idempotencyKey === undefined
        ? newId('credential')
        : keyedId('credential', this.#organisation, idempotencyKey);
    const before = idempotencyKey === undefined ? undefined : await this.#store.made(this.#own, id);
    if (before !== undefined) return this.#replay(before, request); // REPLAY-1, also of one that is gone
    const provider = parseProvider(request.provider);
    const key = parseModelKey(request.key);
    const name = request.name === undefined ? undefined : parseName('name', request.name, NAME_CHARS_MAX);
    const hash = creationHash(request, await this.fingerprintOf(key));
    const now = this.#clock.now();
    const { agent } = request;
    const isFirst = agent === undefined && (await this.#store.defaultOf(this.#own, provider)) === undefined;
    const isDefault = request.isDefault === true || isFirst;
    const made = {
      id,
      organisationId: this.#own,
      provider,
      name,
      last4: key.slice(-4),
      isDefault,
      agent,
      requestHash: hash,
    };
    const { created, credential } = await this.#sealed(id, key, (secret) =>
      this.#store.create({ ...made, secret, createdAt: now, rotatedAt: now }),
    );
    return created ? { credential, replayed: false } : this.#replay(credential, request);
  }

  /**
   * A new key value reaches running sessions at their next model call. `replayed` when nothing differs, or when it was done before
   * with the same idempotency key; a given key counts as new otherwise. Throws CredentialNotFound, InvalidInput, IdempotencyConflict.
   */
  async update(
    id: CredentialId,
    change: CredentialChange,
  ): Promise<{ credential: Credential; replayed: boolean }> {
    const idempotencyKey = parseKey('idempotencyKey', change.idempotencyKey);
    const hashes = await this.#changeHashes(change);
    const there = idempotencyKey === undefined ? undefined : await this.#store.made(this.#own, id);
    if (there !== undefined && wasAnswered(there, idempotencyKey, hashes))
      return { credential: there, replayed: true }; // REPLAY-1, also of one that is gone
    const key = change.key === undefined ? undefined : parseModelKey(change.key);
    const name = change.name === undefined ? undefined : parseName('name', change.name, NAME_CHARS_MAX);
    let isReplay = false;
    const apply = (rotated: Partial<Credential>) =>
      this.#store.update(this.#own, id, (credential) => {
        isReplay = wasAnswered(credential, idempotencyKey, hashes);
        if (isReplay) return credential;
        if (change.isDefault === false && credential.isDefault) {
          throw new InvalidInput('isDefault', 'make another credential the default instead.');
        }
        const isDefault = credential.isDefault || change.isDefault === true;
        const requests = remembered(credential.requests, idempotencyKey, hashes[0]);
        return { ...credential, name: name ?? credential.name, isDefault, ...rotated, requests };
      });
    const rotatedAt = this.#clock.now();
    const outcome =
      key === undefined
        ? await apply({})
        : await this.#sealed(id, key, (secret) => apply({ secret, last4: key.slice(-4), rotatedAt }));
    if (outcome === undefined) throw new CredentialNotFound(id);
    const { before, after } = outcome;
    if (before.secret !== after.secret) await this.#secrets.delete(before.secret);
    const isSame = before.name === after.name && before.isDefault === after.isDefault;
    return { credential: after, replayed: isReplay || (isSame && key === undefined) };
  }

  /** The record goes first: a key without a record is of no use to anyone. Throws CredentialNotFound. */
  async delete(id: CredentialId): Promise<void> {
    const deleted = await this.#store.delete(this.#own, id);
    if (deleted === undefined) throw new CredentialNotFound(id);
    await this.#secrets.delete(deleted.secret);
  }

  async has(id: CredentialId): Promise<boolean> {
    return (await this.#store.get(this.#own, id)) !== undefined;
  }

  async get(id: CredentialId): Promise<Credential> {
    const credential = await this.#store.get(this.#own, id);
    if (credential === undefined) throw new CredentialNotFound(id);
    return credential;
  }

  defaultOf(provider: Provider): Promise<Credential | undefined> {
    return this.#store.defaultOf(this.#own, provider);
  }

  list(page: Parameters<CredentialStore['list']>[1]): Promise<readonly Credential[]> {
    return this.#store.list(this.#own, page);
  }

  /** Whether that is its key. */
  async holds(id: CredentialId, key: Sealed): Promise<boolean> {
    const own = await this.open(id);
    return own !== undefined && isSameText(own.open(), key.open().trim());
  }

  /** The key itself: for the model gateway only. Undefined when the credential was deleted. */
  async open(id: CredentialId): Promise<Sealed | undefined> {
    let credential = await this.#store.get(this.#own, id);
    while (credential !== undefined) {
      const key = await this.#secrets.get(credential.secret);
      if (key !== undefined) return key;
      const now = await this.#store.get(this.#own, id);
      if (now?.secret === credential.secret) return undefined;
      credential = now; // it was rotated between record and key
    }
    return undefined;
  }

  get #own(): OrganisationId {
    return this.#organisation.id;
  }

  /** What stands for a key in the hash of a request (FINGERPRINT-1). */
  fingerprintOf(key: string): Promise<string> {
    return this.#fingerprints.of(key);
  }

  /** The credential that the same request made. Throws IdempotencyConflict when it was another request. */
  async #replay(credential: Credential, request: NewCredential) {
    const hash = creationHash(request, await this.fingerprintOf(request.key.open().trim()));
    if (hash !== credential.requestHash && !olderHashes(request).includes(credential.requestHash))
      throw new IdempotencyConflict(request.idempotencyKey ?? credential.id);
    return { credential, replayed: true };
  }

  /** The first is the one that is kept; the other is of versions that hashed the key itself. */
  async #changeHashes(change: CredentialChange): Promise<readonly [string, ...string[]]> {
    const key = change.key?.open().trim();
    if (key === undefined) return [changeHash(change, undefined)];
    return [changeHash(change, await this.fingerprintOf(key)), changeHash(change, key)];
  }

  /** Seals the key under a name of its own for what `record` writes, and forgets it when the record does not name it then. */
  async #sealed<T>(id: CredentialId, key: string, record: (secret: string) => Promise<T>): Promise<T> {
    const secret = `${id}_${randomBytes(SECRET_NAME_BYTES).toString('hex')}`;
    try {
      await this.#secrets.put(secret, new Sealed(key));
      return await record(secret);
    } finally {
      if ((await this.#store.get(this.#own, id))?.secret !== secret) await this.#secrets.delete(secret);
    }
  }
}

/** Takes as long whatever the texts are: their hashes are compared. */
function isSameText(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

export function parseProvider(text: string): Provider {
  if (!isProvider(text)) throw new InvalidInput('provider', `expected one of ${providers().join(', ')}.`);
  return text;
}

/** The key, or InvalidInput. */
export function parseModelKey(sealed: Sealed): string {
  const key = sealed.open().trim();
  if (!/^[\x21-\x7e]{8,}$/.test(key) || key.length > KEY_BYTES_MAX) {
    throw new InvalidInput(
      'key',
      `expected a model key: 8 to ${KEY_BYTES_MAX} printable characters without spaces.`,
    );
  }
  return key;
}

/** Throws IdempotencyConflict when the idempotency key came with another change. */
function wasAnswered(
  credential: Credential,
  idempotencyKey: string | undefined,
  hashes: readonly string[],
): boolean {
  const before = answeredWith(credential.requests, idempotencyKey);
  if (before !== undefined && !hashes.includes(before.hash))
    throw new IdempotencyConflict(idempotencyKey ?? '');
  return before !== undefined;
}

/** `key`: what stands for it. */
function creationHash({ provider, name, isDefault = false }: NewCredential, key: string): string {
  return requestHash({ provider, key, name, isDefault: isDefault ? isDefault : undefined });
}

/** Of versions that hashed the key itself, and before that the fields by their places. */
function olderHashes(request: NewCredential): readonly string[] {
  const { provider, name, isDefault } = request;
  const key = request.key.open().trim();
  return [creationHash(request, key), requestHash([provider, key, name, isDefault])];
}

function changeHash({ name, isDefault }: CredentialChange, key: string | undefined): string {
  return requestHash({ key, name, isDefault });
}
