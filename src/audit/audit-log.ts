/**
 * The audit log of the control plane: every change by a mutation or by the server itself has an entry, of its organisation and of no other.
 * Why it is written the way it is: docs/adr/0028-audit.md.
 *
 * AUDIT-1 Before anything of a change is done its entry is durable, as begun; what came of it is added before the change is answered. After
 *    a crash in between the entry says `begun`: whether it was done, the thing itself tells. No change is without an entry.
 * AUDIT-2 A command of a session (start, send, cancel, archive, change of limits) has one entry for what it appended, and none where it
 *    appended nothing. In SQLite both are in one commit; on MongoDB the entry is durable before the command is answered, and one that
 *    a crash kept back is written when the command is answered again.
 * AUDIT-3 An entry has no secret, and no text of a prompt or a message; what it shows is bounded in bytes.
 * AUDIT-4 Entries are only ever added: nothing changes or deletes one.
 * AUDIT-5 Whoever may not ask for a change leaves at most REFUSALS_KEPT_MAX entries a minute for an organisation, so that nobody fills its
 *    log without the right to change it.
 */
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import { type AuditEntryId, newId, type OrganisationId } from '../kernel/id.ts';
import type { AuditPlace, AuditStore } from './audit-store.ts';
import {
  type AskedChange,
  type AuditEntry,
  boundedOrigin,
  boundedSettlement,
  type Settlement,
} from './entry.ts';

/** Refusals that are written down, a minute and organisation: enough to see that somebody tries, and who. */
const REFUSALS_KEPT_MAX = 60;
/** For so long they are counted together. */
const MINUTE_MS = 60_000;
/** Organisations whose refusals are counted: some bytes each. */
const COUNTED_MAX = 1_000;
/** Entries that one list looks through for what passes its filter: some ten milliseconds, in parts. */
const AUDIT_SCAN_ENTRIES_MAX = 2_000;
/** Of those, read at a time: the event loop goes round in between. */
export const AUDIT_READ_ENTRIES_MAX = 100;

export interface AuditFilter {
  readonly action?: string | undefined;
  readonly actorId?: string | undefined;
  readonly targetId?: string | undefined;
  /** Milliseconds since the epoch, that moment included. */
  readonly since?: number | undefined;
  /** That moment not included. */
  readonly until?: number | undefined;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** Where the look through the log ended before it was over: go on there. */
  readonly lookedTo?: AuditPlace | undefined;
}

export class AuditLog {
  readonly #store: AuditStore;
  readonly #clock: Clock;
  readonly #chance: Chance;
  readonly #refusals = new Map<OrganisationId, { readonly since: number; count: number }>();

  constructor(ports: { audit: AuditStore; clock: Clock; chance?: Chance | undefined }) {
    this.#store = ports.audit;
    this.#clock = ports.clock;
    this.#chance = ports.chance ?? systemChance;
  }

  /** For the `at` of what is asked now. */
  now(): number {
    return this.#clock.now();
  }

  /** AUDIT-1. Before anything is done; answers the entry's id. */
  async begin(asked: AskedChange): Promise<AuditEntryId> {
    const entry = this.entry(asked, { outcome: 'begun' });
    await this.#store.add(entry);
    return entry.id;
  }

  /** AUDIT-1. Before it is answered. */
  settle(id: AuditEntryId, settlement: Settlement): Promise<void> {
    return this.#store.settle(id, boundedSettlement(settlement));
  }

  /** For what changes nothing else, or is over already; an id that is there is not added again. */
  async add(asked: AskedChange, settlement: Settlement, id?: AuditEntryId): Promise<void> {
    await this.#store.add(this.entry(asked, settlement, id));
  }

  /** What the server does by itself, for example when things are old enough to go. */
  system(
    change: Omit<AskedChange, 'at' | 'actor' | 'requestId' | 'from'> & Pick<Settlement, 'before' | 'after'>,
  ): Promise<void> {
    const { before, after, ...asked } = change;
    return this.add(
      { ...asked, at: this.#clock.now(), actor: { kind: 'system' } },
      { outcome: 'done', before, after },
    );
  }

  /** AUDIT-2. An entry that a crash may have kept back. */
  repair(entry: AuditEntry): Promise<void> {
    return this.#store.repair(entry);
  }

  /** AUDIT-5. Somebody who may not asked for it. */
  async refused(asked: AskedChange, settlement: Settlement): Promise<void> {
    if (this.#keepsRefusal(asked.organisationId)) await this.add(asked, settlement);
  }

  /** An entry within its bounds, for who writes it together with something else. */
  entry(asked: AskedChange, settlement: Settlement, id?: AuditEntryId): AuditEntry {
    const { from } = asked;
    return {
      ...asked,
      id: id ?? newId('auditEntry', this.#chance),
      from: from === undefined ? undefined : boundedOrigin(from),
      ...boundedSettlement({ ...settlement, target: settlement.target ?? asked.target }),
    };
  }

  /** Newest first. `turn` is waited for before each part that is read. */
  async list(
    organisationId: OrganisationId,
    filter: AuditFilter,
    page: { readonly limit: number; readonly before?: AuditPlace | undefined },
    turn: () => Promise<void>,
  ): Promise<AuditPage> {
    const entries: AuditEntry[] = [];
    let before = earlier(page.before, filter.until);
    for (let looked = 0; looked < AUDIT_SCAN_ENTRIES_MAX; looked += AUDIT_READ_ENTRIES_MAX) {
      await turn();
      const read = await this.#store.list(organisationId, { limit: AUDIT_READ_ENTRIES_MAX, before });
      for (const entry of read) {
        if (entry.at < (filter.since ?? 0)) return { entries };
        if (passes(entry, filter)) entries.push(entry);
        if (entries.length === page.limit) return { entries };
        before = entry;
      }
      if (read.length < AUDIT_READ_ENTRIES_MAX) return { entries };
    }
    return { entries, lookedTo: before };
  }

  #keepsRefusal(organisationId: OrganisationId): boolean {
    const now = this.#clock.now();
    const known = this.#refusals.get(organisationId);
    if (known === undefined || now - known.since >= MINUTE_MS) {
      if (this.#refusals.size >= COUNTED_MAX) this.#refusals.clear();
      this.#refusals.set(organisationId, { since: now, count: 1 });
      return true;
    }
    known.count += 1;
    return known.count <= REFUSALS_KEPT_MAX;
  }
}

function passes(
  { action, actor, target }: AuditEntry,
  { action: asked, actorId, targetId }: AuditFilter,
): boolean {
  if (asked !== undefined && action !== asked) return false;
  if (actorId !== undefined && actor.id !== actorId) return false;
  return targetId === undefined || target?.id === targetId;
}

/** The earlier one of a place and the first place at a moment. */
function earlier(place: AuditPlace | undefined, until: number | undefined): AuditPlace | undefined {
  if (until === undefined || (place !== undefined && place.at < until)) return place;
  return { at: until, id: '' as AuditEntryId }; // as: less than every id, for comparing only
}
