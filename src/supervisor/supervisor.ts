/**
 * Reconciles what the log wants with what runs: every session that is queued or running has a slot, as far as there
 * are slots. Hints make it quick; a sweep of the store every SWEEP_MS makes it right (also with hints switched off).
 *
 * V1 A session has at most one slot here; across supervisors the lease's epoch decides (J4).
 * V2 A session leased by another owner that lives is left alone.
 * V3 When all slots are taken, the one that is idle longest is evicted; else sessions wait in status queued, oldest first.
 */
import type { SessionId } from '../kernel/id.ts';
import { once } from '../kernel/tail.ts';
import type { Service } from '../kernel/service.ts';
import { wantsBrain } from '../sessions/lifecycle.ts';
import type { SessionStore } from '../sessions/session-store.ts';
import { SWEEP_MAX, SWEEP_MS } from './limit.ts';
import type { OwnerStore } from './owner-store.ts';
import { Slot, type SlotPorts } from './slot.ts';

export interface SupervisorPorts extends SlotPorts {
  readonly store: SessionStore;
  readonly owners: OwnerStore;
  readonly slotsMax: number;
}

export class Supervisor implements Service {
  readonly name = 'supervisor';
  readonly #ports: SupervisorPorts;
  readonly #slots = new Map<SessionId, Slot>();
  readonly #running = new Set<Promise<void>>();
  readonly #hinted = new Set<SessionId>();
  #wake: () => void = () => undefined;

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
  }

  /** For diagnosis and tests: the process id of the session's brain, when it runs here. */
  brainPidOf(sessionId: SessionId): number | undefined {
    return this.#slots.get(sessionId)?.brainPid;
  }

  /** Sessions that have a slot here. */
  get slotCount(): number {
    return this.#slots.size;
  }

  async run(signal: AbortSignal): Promise<void> {
    const unsubscribe = this.#ports.journal.onHint(({ sessionId }) => this.#hint(sessionId));
    try {
      let sweptAt = 0;
      while (!signal.aborted) {
        const now = this.#ports.clock.now();
        const due = now >= sweptAt + SWEEP_MS;
        const wanted = due ? await this.#ports.store.wanted(SWEEP_MAX) : this.#takeHinted();
        if (due) sweptAt = now;
        await this.#reconcile(wanted, signal);
        await this.#sleep(signal);
      }
    } finally {
      unsubscribe();
      await Promise.all(this.#running); // slots end on the same signal
    }
  }

  async #reconcile(wanted: readonly SessionId[], signal: AbortSignal): Promise<void> {
    const missing = wanted.filter((sessionId) => !this.#slots.has(sessionId)); // V1
    if (missing.length === 0) return;
    const alive = new Set(await this.#ports.owners.alive(this.#ports.clock.now()));
    for (const sessionId of missing) {
      const entry = await this.#ports.store.get(sessionId);
      if (entry === undefined || !wantsBrain(entry.session) || this.#slots.has(sessionId)) continue;
      const owner = entry.session.lease?.owner;
      if (owner !== undefined && owner !== this.#ports.owner && alive.has(owner)) continue; // V2
      if (this.#slots.size >= this.#ports.slotsMax) {
        this.#evictIdle(); // V3: the session waits; the sweep comes back to it
        return;
      }
      this.#open(sessionId, signal);
    }
  }

  #open(sessionId: SessionId, signal: AbortSignal): void {
    const slot = new Slot(sessionId, this.#ports);
    this.#slots.set(sessionId, slot);
    const running = slot
      .run(signal)
      .catch((error: unknown) => this.#ports.logger.error('slot failed', { sessionId, error }))
      .finally(() => {
        this.#slots.delete(sessionId);
        this.#running.delete(running);
        this.#hint(sessionId); // a message may have come while the slot was ending
      });
    this.#running.add(running);
  }

  #evictIdle(): void {
    let longest: Slot | undefined;
    for (const slot of this.#slots.values()) {
      if (slot.idleSince === undefined) continue;
      if (longest?.idleSince === undefined || slot.idleSince < longest.idleSince) longest = slot;
    }
    longest?.evict();
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
