/**
 * Reconciles what the log wants with what runs: every session that is queued or running has a slot, as far as there
 * are slots. Hints make it quick; a sweep of the store every SWEEP_MS makes it right (also with hints switched off).
 *
 * SUPERVISOR-1 A session has at most one slot here; across supervisors the lease's epoch decides (JOURNAL-4).
 * SUPERVISOR-2 A session leased by another owner that lives is left alone.
 * SUPERVISOR-3 When all slots are taken, those that are idle longest are evicted, and those with commands in the background last; else sessions
 *    wait in status queued, oldest first.
 */
import type { SessionId } from '../kernel/id.ts';
import { once } from '../kernel/tail.ts';
import type { Service } from '../kernel/service.ts';
import { wantsBrain } from '../sessions/lifecycle.ts';
import type { SessionJournal, SessionStore } from '../sessions/session-store.ts';
import type { Launcher } from './launcher.ts';
import { SLOT_RETRY_MS, SWEEP_MAX, SWEEP_MS } from './limit.ts';
import type { Owners } from './owners.ts';
import { Removals } from './removals.ts';
import { Slot, type SlotPorts } from './slot.ts';

export interface SupervisorPorts extends SlotPorts {
  readonly journal: SessionJournal;
  readonly store: SessionStore;
  readonly owners: Owners;
  readonly launcher: Pick<Launcher, 'forget' | 'sessions'>;
  readonly slotsMax: number;
}

export class Supervisor implements Service {
  readonly name = 'supervisor';
  readonly #ports: SupervisorPorts;
  readonly #removals: Removals;
  readonly #slots = new Map<SessionId, Slot>();
  readonly #running = new Set<Promise<void>>();
  readonly #hinted = new Set<SessionId>();
  /** When a session whose slot failed may be tried again; an entry goes when it is. */
  readonly #retryAt = new Map<SessionId, number>();
  #sweepNow = false;
  #sweptAt = 0;
  #wake: () => void = () => undefined;

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
    this.#removals = new Removals(ports);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { journal, logger } = this.#ports;
    const removing = this.#removals.run(signal, (sessionId) => this.#slots.has(sessionId));
    const unsubscribe = journal.onHint(({ sessionId }) => this.#hint(sessionId));
    try {
      while (!signal.aborted) {
        try {
          await this.#look(signal);
        } catch (error) {
          logger.error('the store does not answer, looking again', { error }); // slots go on meanwhile
        }
        await this.#sleep(signal);
      }
    } finally {
      unsubscribe();
      await Promise.all([...this.#running, removing]); // slots end on the same signal
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const now = this.#ports.clock.now();
    const hinted = this.#takeHinted();
    const due = this.#sweepNow || now >= this.#sweptAt + SWEEP_MS;
    if (!due) return this.#reconcile(hinted, signal);
    this.#sweepNow = false;
    this.#sweptAt = now;
    for (const slot of this.#slots.values()) slot.wake(); // what happened to its session elsewhere may not have been hinted
    // Those with a slot are among the answer, and must not crowd out those without.
    const wanted = await this.#ports.store.wanted(SWEEP_MAX + this.#slots.size);
    await this.#reconcile([...new Set([...wanted, ...hinted])], signal);
  }

  async #reconcile(candidates: readonly SessionId[], signal: AbortSignal): Promise<void> {
    const missing = candidates.filter((sessionId) => !this.#slots.has(sessionId)); // SUPERVISOR-1
    if (missing.length === 0) return;
    const { owners, clock, store, owner, slotsMax } = this.#ports;
    let waiting = 0;
    // Together: a shared store answers many in one question, and every append of every server is hinted here.
    const entries = await Promise.all(missing.map((sessionId) => store.get(sessionId)));
    const alive = new Set(await owners.alive(clock.now())); // after them: whoever holds a lease by now has beaten before
    for (const [index, sessionId] of missing.entries()) {
      const entry = entries[index];
      if (entry === undefined || this.#slots.has(sessionId)) continue;
      if (entry.session.status === 'archived') this.#removals.start(sessionId, entry);
      if (!wantsBrain(entry.session) || this.#mustWait(sessionId)) continue;
      const holder = entry.session.lease?.owner;
      if (holder !== undefined && holder !== owner && alive.has(holder)) continue; // SUPERVISOR-2
      if (this.#slots.size >= slotsMax) waiting += 1;
      else this.#open(sessionId, signal);
    }
    this.#evictIdle(waiting); // SUPERVISOR-3: they wait; the end of a slot makes us look again
  }

  #open(sessionId: SessionId, signal: AbortSignal): void {
    const { logger, clock } = this.#ports;
    const slot = new Slot(sessionId, this.#ports);
    this.#slots.set(sessionId, slot);
    this.#retryAt.delete(sessionId);
    const running = slot
      .run(signal)
      .catch((error: unknown) => {
        logger.error('slot failed', { sessionId, error });
        this.#retryAt.set(sessionId, clock.now() + SLOT_RETRY_MS);
      })
      .finally(() => {
        this.#slots.delete(sessionId);
        this.#running.delete(running);
        this.#sweepNow = true; // somebody may wait for the slot
        this.#hint(sessionId); // a message may have come while the slot was ending
      });
    this.#running.add(running);
  }

  /** A session whose slot has just failed is left alone for a while. */
  #mustWait(sessionId: SessionId): boolean {
    return (this.#retryAt.get(sessionId) ?? 0) > this.#ports.clock.now();
  }

  #evictIdle(count: number): void {
    if (count === 0) return;
    const idle = [...this.#slots.values()].filter((slot) => slot.idleSince !== undefined);
    const longest = idle.toSorted(
      (a, b) => Number(a.isBusy) - Number(b.isBusy) || (a.idleSince ?? 0) - (b.idleSince ?? 0),
    );
    for (const slot of longest.slice(0, count)) slot.evict();
  }

  #hint(sessionId: SessionId): void {
    const slot = this.#slots.get(sessionId);
    if (slot !== undefined) {
      slot.wake();
      return;
    }
    if (this.#hinted.size < SWEEP_MAX) this.#hinted.add(sessionId); // beyond it the sweep finds them
    this.#wake();
  }

  #takeHinted(): SessionId[] {
    const taken = [...this.#hinted];
    this.#hinted.clear();
    return taken;
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#hinted.size > 0) return;
    const timer = new AbortController();
    await once((wake) => {
      this.#wake = wake;
      void this.#ports.clock.sleep(SWEEP_MS, timer.signal).then(wake);
      return () => {
        this.#wake = () => undefined;
      };
    }, signal);
    timer.abort();
  }
}
