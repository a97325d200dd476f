/**
 * Credentials as records (secrets/credential-store.ts); the keys themselves are in the secret store. No transaction: every
 * change takes effect with the write of one document.
 *
 * DEFAULT-1 Who becomes a provider's default takes a number, larger than all before, and writes it into its own document as its
 *    `claim`. The credential with the largest claim is the default: a new one ends the old one without touching it, and two
 *    processes cannot both have written the largest. A number taken by someone who then crashed is never seen.
 * DEFAULT-2 Giving the default up keeps the claim and marks it `waived`: otherwise the one before would be the default again.
 * DEFAULT-3 Before a credential with a claim is deleted, its provider's `floor` is raised to the claim: claims up to the floor do
 *    not count. After a crash between the two the credential is there and is not the default; deleting it again ends it.
 *    What is deleted stays as a record without a claim, which only create() and made() see: a replay finds itself there.
 * DEFAULT-4 The floor is read after the largest claim, so one who reads during a deletion does not see an older default rise.
 */
import type { Collection, Db } from 'mongodb';
import { assert } from '../../../kernel/assert.ts';
import type { CredentialId, OrganisationId } from '../../../kernel/id.ts';
import type { Credential, CredentialStore } from '../../../secrets/credential-store.ts';
import type { Provider } from '../../../secrets/provider-table.ts';
import type { MongoDatabase } from '../database.ts';
import { insertOnce } from '../insert-once.ts';
import { NEWEST_FIRST, olderThan } from '../newest-first.ts';
import { nextNumber } from '../numbering.ts';
import { type Owned, Ownership } from '../ownership.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';

type Page = Parameters<CredentialStore['list']>[1];

interface CredentialDocument extends Omit<Credential, 'id' | 'organisationId' | 'isDefault'>, Owned {
  readonly _id: CredentialId;
  /** Raised by every change: what compare-and-set compares. */
  readonly version: number;
  /** DEFAULT-1; absent: never was the default. */
  readonly claim?: number | undefined;
  /** DEFAULT-2. */
  readonly waived?: true | undefined;
  /** DEFAULT-3. */
  readonly deleted?: true | undefined;
}

/** DEFAULT-3. */
interface FloorDocument {
  /** The provider; `<organisation>/<provider>` of another organisation than the first. */
  readonly _id: string;
  readonly floor: number;
}

/** Others change the same credential at the same moment now and then, not this often. */
const ATTEMPTS_MAX = 100;
/** Of those that were not deleted. */
const THERE = { deleted: { $exists: false } } as const;

export class MongoCredentialStore implements CredentialStore {
  readonly #db: Db;
  readonly #credentials: Collection<CredentialDocument>;
  readonly #floors: Collection<FloorDocument>;
  readonly #ownership: Ownership;

  constructor({ db, firstOrganisation }: Pick<MongoDatabase, 'db' | 'firstOrganisation'>) {
    this.#db = db;
    this.#credentials = db.collection('credential');
    this.#floors = db.collection('credential_default');
    this.#ownership = new Ownership(firstOrganisation);
  }

  async create(
    credential: Credential,
  ): Promise<{ readonly created: boolean; readonly credential: Credential }> {
    return translated(async () => {
      const { id, organisationId } = credential;
      const find = () => this.#credentials.findOne({ _id: id, ...this.#ownership.by(organisationId) });
      const claim = credential.isDefault ? await this.#nextClaim() : undefined; // DEFAULT-1
      const made = await insertOnce(
        this.#credentials,
        this.#documentOf(credential, { version: 1, claim }),
        find,
      );
      if (made.inserted) return { created: true, credential };
      return { created: false, credential: await this.#told(made.there) };
    });
  }

  async update(
    organisationId: OrganisationId,
    id: CredentialId,
    change: (credential: Credential) => Credential,
  ): Promise<{ readonly before: Credential; readonly after: Credential } | undefined> {
    return translated(() =>
      this.#untilSwapped(async () => {
        const found = await this.#credentials.findOne({ _id: id, ...this.#there(organisationId) });
        if (found === null) return { done: undefined };
        const before = await this.#told(found);
        const after = change(before);
        assert(after.id === id && after.provider === before.provider, 'a credential stays with its provider');
        const standing = await this.#standing(found, before.isDefault, after.isDefault);
        const { _id, ...replacement } = this.#documentOf(after, { version: found.version + 1, ...standing });
        const swapped = await this.#credentials.replaceOne({ _id: id, version: found.version }, replacement);
        return swapped.matchedCount === 1 ? { done: { before, after } } : 'again';
      }),
    );
  }

  async get(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return translated(async () => {
      const found = await this.#credentials.findOne({ _id: id, ...this.#there(organisationId) });
      return found === null ? undefined : this.#told(found);
    });
  }

  async made(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return translated(async () => {
      const own = this.#ownership.by(organisationId);
      const found = await this.#credentials.findOne({ _id: id, ...own });
      return found === null ? undefined : this.#told(found);
    });
  }

  async defaultOf(organisationId: OrganisationId, provider: Provider): Promise<Credential | undefined> {
    return translated(async () => {
      const found = await this.#defaultOf(organisationId, provider);
      return found === undefined ? undefined : this.#credentialOf(found, true);
    });
  }

  async list(organisationId: OrganisationId, { limit, before }: Page): Promise<readonly Credential[]> {
    return translated(async () => {
      const found = await this.#credentials
        .find({ ...this.#there(organisationId), ...olderThan(before) })
        .sort(NEWEST_FIRST)
        .limit(limit)
        .toArray();
      const defaults = new Set<CredentialId>();
      for (const provider of new Set(found.map((one) => one.provider))) {
        const standing = await this.#defaultOf(organisationId, provider);
        if (standing !== undefined) defaults.add(standing._id);
      }
      return found.map((one) => this.#credentialOf(one, defaults.has(one._id)));
    });
  }

  async delete(organisationId: OrganisationId, id: CredentialId): Promise<Credential | undefined> {
    return translated(() =>
      this.#untilSwapped(async () => {
        const found = await this.#credentials.findOne({ _id: id, ...this.#there(organisationId) });
        if (found === null) return { done: undefined };
        const told = await this.#told(found);
        if (found.claim !== undefined) await this.#raiseFloor(found, found.claim); // DEFAULT-3
        const { _id, claim: _claim, waived: _waived, ...rest } = found;
        const deleted = { ...rest, version: found.version + 1, deleted: true } as const;
        const { matchedCount } = await this.#credentials.replaceOne({ _id, version: found.version }, deleted);
        return matchedCount === 1 ? { done: told } : 'again';
      }),
    );
  }

  /** Claim and waiver of the next version of `found`. */
  async #standing(
    { claim, waived }: CredentialDocument,
    isDefault: boolean,
    shallBe: boolean,
  ): Promise<Pick<CredentialDocument, 'claim' | 'waived'>> {
    if (shallBe && !isDefault) return { claim: await this.#nextClaim() }; // DEFAULT-1
    return isDefault && !shallBe ? { claim, waived: true } : { claim, waived }; // DEFAULT-2
  }

  async #told(found: CredentialDocument): Promise<Credential> {
    if (found.claim === undefined || found.waived === true) return this.#credentialOf(found, false);
    const standing = await this.#defaultOf(this.#ownership.read(found), found.provider);
    return this.#credentialOf(found, standing?._id === found._id && standing.claim === found.claim);
  }

  /** DEFAULT-1, DEFAULT-2, DEFAULT-4. */
  async #defaultOf(
    organisationId: OrganisationId,
    provider: Provider,
  ): Promise<CredentialDocument | undefined> {
    const [largest] = await this.#credentials
      .find({ ...this.#there(organisationId), provider, claim: { $gt: 0 } }) // a server of the version before may have given it to one that is deleted
      .sort({ claim: -1 })
      .limit(1)
      .toArray();
    if (largest?.claim === undefined || largest.waived === true) return undefined;
    const floor = await this.#floors.findOne({ _id: floorIdOf(largest) }); // DEFAULT-4
    return largest.claim > (floor?.floor ?? 0) ? largest : undefined;
  }

  #nextClaim(): Promise<number> {
    return nextNumber(this.#db, 'credential.claim');
  }

  async #raiseFloor(of: CredentialDocument, floor: number): Promise<void> {
    const raise = () => this.#floors.updateOne({ _id: floorIdOf(of) }, { $max: { floor } }, { upsert: true });
    await raise().catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error;
      return raise(); // two made the first one at once: it is there now
    });
  }

  async #untilSwapped<T>(attempt: () => Promise<{ readonly done: T } | 'again'>): Promise<T> {
    for (let count = 0; count < ATTEMPTS_MAX; count += 1) {
      const outcome = await attempt();
      if (outcome !== 'again') return outcome.done;
    }
    throw new Error(`A credential was changed by others ${ATTEMPTS_MAX} times while it was being changed.`);
  }

  #there(organisationId: OrganisationId) {
    return { ...this.#ownership.by(organisationId), ...THERE };
  }

  #documentOf(
    { id, organisationId, isDefault: _computed, ...rest }: Credential,
    standing: Pick<CredentialDocument, 'version' | 'claim' | 'waived'>,
  ): CredentialDocument {
    return { _id: id, organisationId: this.#ownership.stored(organisationId), ...rest, ...standing };
  }

  #credentialOf(found: CredentialDocument, isDefault: boolean): Credential {
    const { _id: id, version: _v, claim: _c, waived: _w, deleted: _d, ...rest } = found;
    return { ...rest, id, organisationId: this.#ownership.read(found), isDefault };
  }
}

/** As servers of the version before organisations name it, too: the first one's is the provider alone. */
function floorIdOf({ organisationId, provider }: CredentialDocument): string {
  return organisationId === undefined ? provider : `${organisationId}/${provider}`;
}
