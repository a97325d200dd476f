/**
 * Deletes what the rules of retention name (sessions/retention-rule.ts). Every server has one; on a shared database they may meet, and
 * whoever is second finds nothing to do.
 *
 * RETENTION-4 A session is deleted only if it stands as it was seen, which is looked at where it is deleted: one that got a message
 *    meanwhile stays.
 * RETENTION-5 It goes round the organisations, some sessions of each at a time, with pauses: nobody's many sessions keep another's waiting, or
 *    the sessions that run. A session that cannot be deleted stops nothing: it is met again in the next round.
 */
import type { AuditLog } from '../audit/audit-log.ts';
import { jittered } from '../kernel/backoff.ts';
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import type { Service } from '../kernel/service.ts';
import type { Actor } from '../journal/event.ts';
import type { DeletionStore } from '../sessions/deletion-store.ts';
import { RETENTION_AGENTS_MAX } from '../sessions/retention.ts';
import type { RetentionClock } from '../sessions/retention-clock.ts';
import {
  type Due,
  dueOf,
  latestDue,
  RESTING_STATUSES,
  type Resting,
  type RestingStatus,
  type RetentionRules,
} from '../sessions/retention-rule.ts';
import type { RestingPlace, RetentionStore } from '../sessions/retention-store.ts';

/** By whom, on the tombstones. */
const RETENTION: Actor = { kind: 'system', id: 'retention' };
/** Sessions of one organisation that are deleted at one look: with a pause behind each look, some eighty in a second. */
const DELETED_MAX = 20;
/** Sessions that one look passes over, of those that have rested for long and are kept by other rules: a millisecond of an embedded store. */
const LOOKED_MAX = 500;
/** After each look that found something to do: what runs has the store meanwhile. */
const PAUSE_MS = 250;
/** After one that found nothing: the event loop goes round, also with thousands of organisations. */
const NEXT_MS = 5;
/** Between rounds that left nothing to do. Rules count days. */
const ROUND_MS = 60_000;
/** Organisations in whose midst it may stand; of more, it begins anew with some. */
const PLACES_MAX = 10_000;

export interface RetentionSweepPorts {
  readonly retention: Pick<RetentionStore, 'rules' | 'next' | 'resting'>;
  readonly time: Pick<RetentionClock, 'now'>;
  readonly deletions: Pick<DeletionStore, 'begin'>;
  readonly audit: Pick<AuditLog, 'begin' | 'settle'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: the system's. */
  readonly chance?: Chance | undefined;
}

/** Where a walk through the sessions of an organisation has come to. */
interface Place {
  readonly status: RestingStatus;
  readonly after?: RestingPlace | undefined;
}

export class RetentionSweep implements Service {
  readonly name = 'retention';
  readonly #ports: RetentionSweepPorts;
  readonly #places = new Map<OrganisationId, Place>();

  constructor(ports: RetentionSweepPorts) {
    this.#ports = ports;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance = systemChance } = this.#ports;
    while (!signal.aborted) {
      const isDone = await this.round(signal);
      if (isDone) await clock.sleep(jittered(ROUND_MS, chance.random), signal); // servers that start together come apart
    }
  }

  /** Looks once at each organisation. Whether none of them has more to do. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { retention, time, clock } = this.#ports;
    let organisationId = await retention.next(undefined);
    if (organisationId === undefined) return true;
    const now = await time.now();
    let isDone = true;
    while (organisationId !== undefined && !signal.aborted) {
      const isThrough = await this.#look(organisationId, now, signal);
      isDone &&= isThrough;
      await clock.sleep(isThrough ? NEXT_MS : PAUSE_MS, signal);
      organisationId = await retention.next(organisationId);
    }
    return isDone;
  }

  /** Whether the walk through its sessions has come to its end; else there is more. */
  async #look(organisationId: OrganisationId, now: number, signal: AbortSignal): Promise<boolean> {
    const { retention } = this.#ports;
    const rules = await retention.rules(organisationId, RETENTION_AGENTS_MAX);
    const room = { deleted: DELETED_MAX, looked: LOOKED_MAX };
    const from = this.#places.get(organisationId);
    this.#places.delete(organisationId);
    const first = from === undefined ? 0 : RESTING_STATUSES.indexOf(from.status);
    for (const status of RESTING_STATUSES.slice(first)) {
      const until = latestDue(rules, status, now);
      if (until === undefined) continue;
      const after = status === from?.status ? from.after : undefined;
      const page = await retention.resting(organisationId, status, { limit: room.looked, until, after });
      const last = await this.#deleteDue(organisationId, page, { rules, now, room, signal });
      const isEnd = last === page.at(-1) && page.length < room.looked;
      room.looked -= page.length;
      if (isEnd) continue;
      if (this.#places.size >= PLACES_MAX) this.#places.clear();
      this.#places.set(organisationId, { status, after: last ?? after });
      return false;
    }
    return true;
  }

  /** Answers the last one that was seen to; undefined when there was none. */
  async #deleteDue(
    organisationId: OrganisationId,
    page: readonly Resting[],
    {
      rules,
      now,
      room,
      signal,
    }: { rules: RetentionRules; now: number; room: { deleted: number }; signal: AbortSignal },
  ): Promise<Resting | undefined> {
    let last: Resting | undefined;
    for (const resting of page) {
      if (room.deleted === 0 || signal.aborted) break;
      last = resting;
      const due = dueOf(resting, rules);
      if (due === undefined || due.at > now) continue;
      room.deleted -= 1;
      await this.#delete(organisationId, resting, due);
    }
    return last;
  }

  /** Throws Outage: then none can be deleted, and the sweep is started again after a while (kernel/service.ts). */
  async #delete(organisationId: OrganisationId, seen: Resting, due: Due): Promise<void> {
    const { deletions, audit, clock, logger } = this.#ports;
    const { id: sessionId, status, statusAt } = seen;
    const tombstone = { id: sessionId, organisationId, deletedAt: clock.now(), deletedBy: RETENTION };
    try {
      const { reason } = due;
      const target = { kind: 'session', id: sessionId } as const;
      const asked = { organisationId, at: clock.now(), action: 'retention.deleted', target };
      const entry = await audit.begin({ ...asked, actor: { kind: 'system', id: RETENTION.id } }); // AUDIT-1
      const begun = await deletions.begin(tombstone, seen); // RETENTION-4
      if (begun?.replayed !== false)
        return await audit.settle(entry, { outcome: 'refused', code: 'CHANGED' });
      logger.info('session deleted by retention', { sessionId, organisationId, reason });
      await audit.settle(entry, { outcome: 'done', before: { status, statusAt, reason } });
    } catch (error) {
      if (error instanceof Outage) throw error;
      logger.warn('a session was not deleted by retention, trying again', { sessionId, error }); // RETENTION-5
    }
  }
}
