/**
 * Wakes those who follow an inbox when something in it may have changed: one look-out of this process for all of them.
 *
 * INBOX-6 An append that changes nothing of what is waited for wakes nobody (Hint.waitsOf), and who follows one organisation is not woken for
 *    another. Hints may be lost, and other servers do not say so much: while somebody follows an organisation its newest changes are read once
 *    in POLL_MS, by one look into an index, however many follow it.
 */
import type { OrganisationId } from '../kernel/id.ts';
import type { Scheduler } from '../kernel/scheduler.ts';
import type { InboxStore } from './inbox-store.ts';
import type { SessionJournal } from './session-store.ts';

/** As the live ends of logs have it (journal/live.ts). */
const POLL_MS = 1_000;
/** More changes than this within the overlap wake everybody at each look. */
const LOOK_MAX = 500;

export interface InboxWatchPorts {
  readonly journal: Pick<SessionJournal, 'onHint'>;
  readonly inbox: InboxStore;
  readonly scheduler: Scheduler;
}

interface Watched {
  readonly wakes: Set<() => void>;
  readonly endPoll: () => void;
  /** What the last look found. */
  found: string | undefined;
  isLooking: boolean;
}

export class InboxWatch {
  readonly #ports: InboxWatchPorts;
  readonly #watched = new Map<OrganisationId, Watched>();
  #endHints: (() => void) | undefined;

  constructor(ports: InboxWatchPorts) {
    this.#ports = ports;
  }

  /** Calls `wake` when there may be something new. Answers its end. */
  add(organisationId: OrganisationId, wake: () => void): () => void {
    const own = (): void => wake(); // its own entry
    const watched = this.#watchedOf(organisationId);
    watched.wakes.add(own);
    return () => {
      watched.wakes.delete(own);
      if (watched.wakes.size > 0 || this.#watched.get(organisationId) !== watched) return;
      watched.endPoll();
      this.#watched.delete(organisationId);
      if (this.#watched.size > 0) return;
      this.#endHints?.();
      this.#endHints = undefined;
    };
  }

  #watchedOf(organisationId: OrganisationId): Watched {
    const there = this.#watched.get(organisationId);
    if (there !== undefined) return there;
    this.#endHints ??= this.#ports.journal.onHint(({ waitsOf }) => {
      if (waitsOf !== undefined) this.#wake(this.#watched.get(waitsOf)); // INBOX-6
    });
    const endPoll = this.#ports.scheduler.interval(POLL_MS, () => void this.#look(organisationId, made));
    const made: Watched = { wakes: new Set(), endPoll, found: undefined, isLooking: false };
    this.#watched.set(organisationId, made);
    return made;
  }

  async #look(organisationId: OrganisationId, watched: Watched): Promise<void> {
    if (watched.isLooking) return;
    watched.isLooking = true;
    try {
      const { inbox } = this.#ports;
      const newest = await inbox.newest(organisationId);
      const after = { place: newest - Math.max(1, inbox.overlap) };
      const changes = await inbox.changes(organisationId, { limit: LOOK_MAX, after });
      const found = changes.map(({ sessionId, seq }) => `${sessionId} ${seq}`).join('\n');
      if (changes.length === LOOK_MAX || found !== watched.found) this.#wake(watched);
      watched.found = found;
    } catch {
      this.#wake(watched); // whoever reads is told by the store itself what is wrong
    } finally {
      watched.isLooking = false;
    }
  }

  #wake(watched: Watched | undefined): void {
    for (const wake of watched?.wakes ?? []) wake();
  }
}
