/**
 * A fingerprint of a model key, for the hashes by which a repeated request is known (kernel/request-hash.ts).
 *
 * FINGERPRINT-1 Nobody can try keys against it who has the database alone: it is keyed with a secret that lies with the sealed keys, the
 *    same for all servers that share them.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { Sealed } from '../kernel/sealed.ts';
import type { SecretStore } from './secret-store.ts';

/** No credential is called so (credentials.ts names their secrets by their ids). */
const SECRET_NAME = 'request-hash-key';
/** As long as the hash is: RFC 2104 has no use for more, and advises against less. */
const SECRET_BYTES = 32;

export class KeyFingerprints {
  readonly #secrets: Pick<SecretStore, 'create' | 'get'>;
  #secret: Sealed | undefined;

  constructor(secrets: Pick<SecretStore, 'create' | 'get'>) {
    this.#secrets = secrets;
  }

  async of(key: string): Promise<string> {
    this.#secret ??= await this.#opened();
    return createHmac('sha256', this.#secret.open()).update(key).digest('hex');
  }

  /** Made at the first use; another server may be first. */
  async #opened(): Promise<Sealed> {
    const known = await this.#secrets.get(SECRET_NAME);
    if (known !== undefined) return known;
    await this.#secrets.create(SECRET_NAME, new Sealed(randomBytes(SECRET_BYTES).toString('base64')));
    return this.#opened();
  }
}
