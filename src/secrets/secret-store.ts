/** The port for values that must not be readable where they rest. Contract: test/contracts/secret-store.ts. */
import type { Sealed } from '../kernel/sealed.ts';

export interface SecretStore {
  /** Names are 1-128 of [A-Za-z0-9_-]; putting a name again replaces its value, durably before it answers. */
  put(name: string, value: Sealed): Promise<void>;
  /** Puts it, unless the name is taken: then false, with nothing written. */
  create(name: string, value: Sealed): Promise<boolean>;
  get(name: string): Promise<Sealed | undefined>;
  delete(name: string): Promise<void>;
}
