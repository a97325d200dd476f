/**
 * Organisations: who has agents, sessions, credentials and keys. One is there from the first start on; whoever needs no other never
 * meets it.
 *
 * ORGANISATION-1 What belongs to another organisation is not there: looked up, listed, changed, followed or used, by its id, its name or a
 *    key, it is answered as what there never was, by the same work. Principals say for which organisation they ask, and use cases
 *    are made for one (sessions/use-cases.ts), so no door can leave it out.
 * ORGANISATION-2 Names, keys of sessions and idempotency keys are an organisation's own: two may use the same ones.
 * ORGANISATION-3 The first one has what was stored before there were any, in every store.
 */
import type { Clock } from '../kernel/clock.ts';
import { IdempotencyConflict } from '../kernel/fault.ts';
import { derivedId, newId, type OrganisationId } from '../kernel/id.ts';
import { NAME_CHARS_MAX } from '../kernel/limit.ts';
import { parseName } from '../kernel/parse.ts';
import { parseKey } from '../kernel/request-hash.ts';
import { OrganisationNameTaken, OrganisationNotFound } from './faults.ts';
import type { OrganisationRecord, OrganisationStore } from './organisation-store.ts';

export interface NewOrganisation {
  readonly name: string;
  readonly idempotencyKey?: string | undefined;
}

export class Organisations {
  readonly #store: OrganisationStore;
  readonly #clock: Clock;

  constructor(ports: { organisations: OrganisationStore; clock: Clock }) {
    this.#store = ports.organisations;
    this.#clock = ports.clock;
  }

  /** `replayed` when the same idempotency key made it. Throws InvalidInput, OrganisationNameTaken, IdempotencyConflict, OlderServerRuns. */
  async create(request: NewOrganisation): Promise<{ organisation: OrganisationRecord; replayed: boolean }> {
    const key = parseKey('idempotencyKey', request.idempotencyKey);
    const name = parseName('name', request.name, NAME_CHARS_MAX);
    const id = key === undefined ? newId('organisation') : derivedId('organisation', key);
    const wanted = { id, name, createdAt: this.#clock.now() };
    const { created, organisation } = await this.#store.create(wanted);
    if (created) return { organisation, replayed: false };
    if (organisation.id !== id) throw new OrganisationNameTaken(organisation.id);
    if (organisation.name !== name) throw new IdempotencyConflict(key ?? id);
    return { organisation, replayed: true };
  }

  /** Throws OrganisationNotFound. */
  async get(id: OrganisationId): Promise<OrganisationRecord> {
    const organisation = await this.#store.get(id);
    if (organisation === undefined) throw new OrganisationNotFound();
    return organisation;
  }

  list(page: Parameters<OrganisationStore['list']>[0]): Promise<readonly OrganisationRecord[]> {
    return this.#store.list(page);
  }
}
