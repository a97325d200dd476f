/**
 * Which documents of sessions wait for a supervisor or a brain. While they are few, one look finds them all; else it goes by the index that
 * begins with the organisation (migrations.ts), so that what one organisation has there hides nobody.
 */
import type { Collection, Db, Filter } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { OrganisationId, SessionId } from '../../../kernel/id.ts';
import {
  type SupervisorWish,
  type Wanted,
  WANTED_ORGANISATIONS_MAX,
  wantedOfEach,
} from '../../../sessions/session-store.ts';
import type { Owned, Ownership } from '../ownership.ts';
import { withRetries } from '../retry-budget.ts';

interface Waiting extends Owned {
  readonly _id: SessionId;
  readonly wantedSince?: number | undefined;
}

const IS_WANTED = { wantedSince: { $gt: 0 } } as const;

export class SessionQueue {
  readonly #documents: Collection<Waiting>;
  readonly #clock: Clock;
  readonly #ownership: Ownership;

  constructor(db: Db, clock: Clock, ownership: Ownership) {
    this.#documents = db.collection<Waiting>('session');
    this.#clock = clock;
    this.#ownership = ownership;
  }

  async wanted({ limit, heldByNoneOf = [], except = [], after }: SupervisorWish): Promise<Wanted> {
    const free: Filter<Waiting> = {
      ...IS_WANTED,
      'state.lease.owner': { $nin: [...heldByNoneOf] },
      ...(except.length === 0 ? {} : { _id: { $nin: [...except] } }),
    };
    if (after === undefined) {
      const few = await this.#oldest(free, limit + 1);
      if (few.length <= limit) return { sessionIds: few, after: undefined };
    }
    const organisations = await this.#organisationsAfter(after);
    const some = organisations.slice(0, WANTED_ORGANISATIONS_MAX);
    const each = wantedOfEach(limit, some.length);
    const found = await Promise.all(
      some.map((id) => this.#oldest({ ...this.#ownership.by(id), ...free }, each)),
    );
    return { sessionIds: found.flat(), after: organisations.length > some.length ? some.at(-1) : undefined };
  }

  waiting(organisationId: OrganisationId, limit: number): Promise<readonly SessionId[]> {
    const filter = {
      ...this.#ownership.by(organisationId),
      ...IS_WANTED,
      'state.lease': { $exists: false },
    };
    return this.#oldest(filter, limit);
  }

  async #oldest(filter: Filter<Waiting>, limit: number): Promise<readonly SessionId[]> {
    const found = await withRetries(this.#clock, () =>
      this.#documents
        .find(filter, { projection: { _id: 1 } })
        .sort({ wantedSince: 1 })
        .limit(limit)
        .toArray(),
    );
    return found.map(({ _id }) => _id);
  }

  /**
   * `distinct` steps over the index from one to the next, since the field is what the index begins with (DOCS-4824 of MongoDB). The first one
   * names itself nowhere (ownership.ts).
   */
  async #organisationsAfter(after: OrganisationId | undefined): Promise<readonly OrganisationId[]> {
    const first = this.#ownership.read({});
    const [named, ofFirst] = await Promise.all([
      withRetries(this.#clock, () => this.#documents.distinct('organisationId', IS_WANTED)),
      this.#oldest({ ...this.#ownership.by(first), ...IS_WANTED }, 1),
    ]);
    const all = new Set([...(ofFirst.length > 0 ? [first] : []), ...named.flatMap((id) => id ?? [])]);
    return [...all].filter((id) => after === undefined || id > after).toSorted();
  }
}
