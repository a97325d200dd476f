/**
 * Reconciles what the log wants with what runs: every session that is queued or running has a slot, as far as there
 * are slots. Hints make it quick; a sweep of the store every SWEEP_MS makes it right (also with hints switched off).
 *
 * SUPERVISOR-1 A session has at most one slot here; across supervisors the lease's epoch decides (JOURNAL-4, LEASE-1).
 * SUPERVISOR-2 A session leased by another owner that lives is left alone, also between two of its brains: its files are there.
 * LEASE-2 Whoever holds a lease without a slot gives it up: when the session rests, or when there is no room here. The lease of a dead
 *    owner is ended by whoever sees it.
 * SWEEP-1 A sweep asks for what others who live do not look after, so whatever they run hides no session that waits.
 * HINT-1 For the appends of sessions that others look after, or that rest, nothing is read here: the hint says whom it concerns.
 * SUPERVISOR-3 When all slots are taken, those that are idle longest are evicted, and those with commands in the background last; else sessions
 *    wait in status queued. Whose turn it is among those who wait: admission.ts.
 * SUPERVISOR-4 While the machine has no room for work, no slot is opened: sessions wait, and those that have a slot go on.
 */
import type { OrganisationId, SessionId } from '../kernel/id.ts';
import { once } from '../kernel/tail.ts';
import { jittered } from '../kernel/backoff.ts';
import { systemChance } from '../kernel/chance.ts';
import type { Concern, Hint } from '../journal/journal.ts';
import { isAbsent } from '../journal/absent.ts';
import { EpochStale, SessionGone } from '../journal/faults.ts';
import type { Service } from '../kernel/service.ts';
import { wantsBrain } from '../sessions/lifecycle.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from '../sessions/session-store.ts';
import { Admission, type Slots } from './admission.ts';
import { Erasure, type ErasurePorts } from './erasure.ts';
import type { Launcher } from './launcher.ts';
import { SLOT_RETRY_MS, SWEEP_MAX, SWEEP_MS, SWEEP_PER_SLOT } from './limit.ts';
import type { Owners } from './owners.ts';
import { Removals } from './removals.ts';
import { Slot, type SlotNews, type SlotPorts } from './slot.ts';

export interface SupervisorPorts extends SlotPorts, Pick<ErasurePorts, 'deletions'> {
  readonly journal: SessionJournal;
  readonly store: SessionStore;
  readonly owners: Owners;
  readonly launcher: Pick<Launcher, 'forget' | 'sessions'>;
  readonly slotsMax: number;
  /** Whether this machine has room for work; without, it always has. */
  readonly hasRoom?: (() => Promise<boolean>) | undefined;
  /** Whether there are several organisations; without, there is one. */
  readonly isShared?: (() => Promise<boolean>) | undefined;
}

export class Supervisor implements Service {
  readonly name = 'supervisor';
  readonly #ports: SupervisorPorts;
  readonly #removals: Removals;
  readonly #admission = new Admission();
  readonly #erasure: Erasure;
  readonly #slots = new Map<SessionId, Slot>();
  readonly #running = new Set<Promise<void>>();
  /** To be looked at before the next sweep. */
  readonly #told = new Set<SessionId>();
  /** When a session whose slot failed may be tried again; an entry goes with the sweep after that. */
  readonly #retryAt = new Map<SessionId, number>();
  /** Of the sweep before: with which organisation the next one goes on. */
  #sweptTo: OrganisationId | undefined;
  /** Organisations do not go: once true it stays so. */
  #isShared = false;
  /** Sessions have waited for a slot since the last sweep. */
  #isCrowded = false;
  #sweepNow = false;
  #sweptAt = -Infinity;
  #wake: () => void = () => undefined;

  constructor(ports: SupervisorPorts) {
    this.#ports = ports;
    this.#removals = new Removals(ports);
    this.#erasure = new Erasure(ports);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { journal, logger } = this.#ports;
    const isBusy = (sessionId: SessionId): boolean => this.#slots.has(sessionId);
    const removing = [this.#removals.run(signal, isBusy), this.#erasure.run(signal, isBusy)];
    const unsubscribe = journal.onHint((hint) => this.#hinted(hint));
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
      await Promise.all([...this.#running, ...removing]); // slots end on the same signal
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, owners, owner, store, slotsMax } = this.#ports;
    const now = clock.monotonicNow();
    const told = this.#takeTold();
    const isTime = now >= this.#sweptAt + SWEEP_MS;
    if (!this.#sweepNow && !isTime) return this.#reconcile(told, signal);
    this.#sweepNow = false;
    if (isTime) this.#sweptAt = now;
    for (const slot of this.#slots.values()) slot.wake(); // what happened to its session elsewhere may not have been hinted
    for (const [sessionId, at] of this.#retryAt) if (at <= now) this.#retryAt.delete(sessionId);
    const others = (await owners.alive()).filter((it) => it !== owner);
    await this.#seeWhoShares();
    // Those that have a slot here, or have just failed, must not crowd out the others.
    const except = [...this.#slots.keys(), ...this.#retryAt.keys()];
    const limit = isTime ? SWEEP_MAX : Math.min(SWEEP_MAX, SWEEP_PER_SLOT * slotsMax);
    const wish = { limit, heldByNoneOf: others, except, after: this.#sweptTo };
    const { sessionIds, after } = await store.wanted(wish); // SWEEP-1, ADMIT-3
    this.#sweptTo = after;
    this.#isCrowded = false;
    const before = this.#slots.size;
    await this.#reconcile([...new Set([...sessionIds, ...told])], signal);
    // An answer has a part of what an organisation has: as long as that helps, there is more.
    if (this.#slots.size > before && this.#slots.size < slotsMax) this.#sweepNow = true;
  }

  async #seeWhoShares(): Promise<void> {
    if (this.#isShared || (await this.#ports.isShared?.()) !== true) return;
    this.#isShared = true;
    this.#ports.spares.share(); // ADMIT-5
  }

  async #reconcile(candidates: readonly SessionId[], signal: AbortSignal): Promise<void> {
    const { hasRoom = async () => true } = this.#ports;
    const waiting: Session[] = [];
    const unattended: Session[] = [];
    const turnedAway: Session[] = [];
    const free = await this.#free(candidates);
    const isFull = free.length > 0 && !(await hasRoom());
    for (const { session } of free) {
      if (this.#slots.has(session.id)) continue; // SUPERVISOR-1
      if (!wantsBrain(session)) unattended.push(session);
      else if (this.#mustWait(session.id) || this.#ports.owners.hasLapsed) continue;
      else (isFull ? turnedAway : waiting).push(session); // SUPERVISOR-4
    }
    const slots = this.#slotsNow();
    const { open, evict, left } = this.#admission.admit(waiting, slots);
    if (left.length > 0) this.#isCrowded = true;
    const crowded = new Set(left.map(({ organisationId }) => organisationId));
    const running = new Set(slots.running.keys());
    for (const session of open) {
      const { organisationId } = session;
      const isFirst = !running.has(organisationId);
      running.add(organisationId);
      this.#open(session, crowded.has(organisationId) ? 'crowd' : isFirst ? 'first' : 'another', signal);
    }
    const evicted = this.#evictIdle(evict); // SUPERVISOR-3: they wait; the end of a slot makes us look again
    const noRoom = [...turnedAway, ...left.slice(evicted)];
    const own = noRoom.filter(({ lease }) => lease?.owner === this.#ports.owner);
    for (const session of [...unattended, ...own]) await this.#endLease(session);
  }

  #slotsNow(): Slots {
    const running = new Map<OrganisationId, number>();
    let idle = 0;
    for (const { organisationId, isRunning } of this.#slots.values())
      if (isRunning) running.set(organisationId, (running.get(organisationId) ?? 0) + 1);
      else idle += 1;
    return { max: this.#ports.slotsMax, running, idle, isShared: this.#isShared };
  }

  /** Of these sessions without a slot here, those that no other owner who lives has (SUPERVISOR-2). Begins to remove what closed ones have left. */
  async #free(candidates: readonly SessionId[]): Promise<readonly SessionEntry[]> {
    const { owners, owner } = this.#ports;
    const missing = candidates.filter((sessionId) => !this.#slots.has(sessionId)); // SUPERVISOR-1
    // Together: a shared store answers many in one question.
    const entries = (await Promise.all(missing.map((sessionId) => this.#entry(sessionId)))).filter(
      (entry) => entry !== undefined,
    );
    const isOther = ({ session: { lease } }: SessionEntry): boolean =>
      lease !== undefined && lease.owner !== owner;
    // After them: whoever holds a lease by now has beaten before.
    if (entries.some(isOther)) await owners.alive();
    for (const entry of entries)
      if (entry.session.status === 'archived' && !this.#slots.has(entry.session.id))
        this.#removals.start(entry.session.id, entry);
    return entries.filter((entry) => !(isOther(entry) && owners.lives(entry.session.lease?.owner ?? '')));
  }

  /** Undefined when there is none. Of one that was deleted nothing runs here any more: what it has left is erased. */
  async #entry(sessionId: SessionId): Promise<SessionEntry | undefined> {
    try {
      return await this.#ports.store.get(sessionId);
    } catch (error) {
      if (!(error instanceof SessionGone)) throw error;
      this.#erasure.told(sessionId);
      return undefined;
    }
  }

  /** LEASE-2. Nothing of the session runs here. What fails now is found again by the next sweep. */
  async #endLease({ id: sessionId, lease, epoch }: Session): Promise<void> {
    const { sessions, logger } = this.#ports;
    if (lease === undefined) return;
    try {
      await sessions.supervise(sessionId, { kind: 'releaseLease', owner: lease.owner }, epoch);
    } catch (error) {
      if (error instanceof EpochStale || isAbsent(error)) return; // somebody has it
      logger.warn('a lease was not ended, trying again', { sessionId, error });
    }
  }

  /** `free`: as it was when it was seen that nobody else has it (LEASE-1). */
  #open(free: Session, standing: SlotNews['standing'], signal: AbortSignal): void {
    const { logger, clock, chance = systemChance } = this.#ports;
    const sessionId = free.id;
    const onIdle = (): void => this.#becameIdle();
    const slot = new Slot(free, this.#ports, { standing, onIdle });
    this.#slots.set(sessionId, slot);
    const running = slot
      .run(signal)
      .catch((error: unknown) => {
        logger.error('slot failed', { sessionId, error });
        this.#retryAt.set(sessionId, clock.monotonicNow() + jittered(SLOT_RETRY_MS, chance.random));
      })
      .finally(() => {
        this.#slots.delete(sessionId);
        this.#running.delete(running);
        this.#sweepNow = true; // somebody may wait for the slot
        this.#lookAt(sessionId); // a message may have come while the slot was ending, or a lease is left
      });
    this.#running.add(running);
  }

  /** A session whose slot has just failed is left alone for a while. */
  #mustWait(sessionId: SessionId): boolean {
    return (this.#retryAt.get(sessionId) ?? 0) > this.#ports.clock.monotonicNow();
  }

  /** Whoever waits need not wait for the next sweep. */
  #becameIdle(): void {
    if (!this.#isCrowded) return;
    this.#sweepNow = true;
    this.#wake();
  }

  /** Answers how many give way, those that do so already among them. */
  #evictIdle(count: number): number {
    const resting = [...this.#slots.values()].filter((slot) => !slot.isRunning);
    const idle = resting.filter((slot) => slot.idleSince !== undefined);
    const ending = resting.length - idle.length;
    if (count <= ending) return count;
    const longest = idle.toSorted(
      (a, b) => Number(a.isBusy) - Number(b.isBusy) || (a.idleSince ?? 0) - (b.idleSince ?? 0),
    );
    for (const slot of longest.slice(0, count - ending)) slot.evict();
    return Math.min(resting.length, count);
  }

  #hinted({ sessionId, concerns }: Hint): void {
    const slot = this.#slots.get(sessionId);
    if (slot !== undefined) slot.wake();
    else if (concerns === undefined || this.#isOurs(concerns)) this.#lookAt(sessionId);
  }

  /** HINT-1. That an owner has died shows the sweep. */
  #isOurs(concerns: Concern): boolean {
    const { owners, owner } = this.#ports;
    return concerns.kind === 'owner' && (concerns.owner === owner || !owners.lives(concerns.owner));
  }

  #lookAt(sessionId: SessionId): void {
    if (this.#told.size < SWEEP_MAX) this.#told.add(sessionId);
    else this.#sweepNow = true; // beyond it the sweep finds them, some of each organisation
    this.#wake();
  }

  #takeTold(): SessionId[] {
    const taken = [...this.#told];
    this.#told.clear();
    return taken;
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (this.#told.size > 0 || this.#sweepNow) return;
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
