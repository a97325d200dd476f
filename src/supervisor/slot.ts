/**
 * One session that runs: takes the lease, gives a brain its session, watches it, and decides what its end means.
 *
 * SLOT-1 A brain gets its token only after the lease event is durable, so every older brain is fenced (JOURNAL-4).
 * SLOT-2 The slot never tells the brain what to do: both read the log. It ends the brain, or writes for it once it is dead (settlement.ts).
 * SLOT-4 When `run` returns, the brain and the hands it started have ended, and the workspace rests.
 * SLOT-5 While the machine has no room for a brain, its session waits for one, as long as its turn may; that is no loss of a brain.
 */
import type { Access } from '../access/access.ts';
import { Backoff } from '../kernel/backoff.ts';
import { once } from '../kernel/tail.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId, SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { wantsBrain } from '../sessions/lifecycle.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import { type Brain, isShortage } from './launcher.ts';
import { judge, type Judgement, stoppingOf, turnDeadline, type Watched } from './judgement.ts';
import { BACKGROUND_LOOK_MS, LAUNCH_RETRY_FIRST_MS, LAUNCH_RETRY_LAST_MS } from './limit.ts';
import { logPlaceOf } from './log-place.ts';
import { type Outcome, Settlement } from './settlement.ts';
import { type Seen, Sighting } from './sighting.ts';
import { describe, isOver } from './slot-end.ts';
import { SlotStart } from './slot-start.ts';
import type { BrainWish, Spares } from './spares.ts';
import type { DraftOf } from './unfinished.ts';
import type { Workbench } from './workbench.ts';

export interface SlotPorts {
  readonly sessions: SessionRuns;
  readonly access: Access;
  readonly spares: Spares;
  readonly workbench: Workbench;
  readonly clock: Clock;
  readonly chance?: Chance | undefined;
  readonly logger: Logger;
  readonly owner: string;
  readonly idleMs: number;
  readonly draftOf: DraftOf;
  /** How long commands in the background keep an idle session from hibernating. */
  readonly backgroundMs: number;
}

/** How its server stands when it is opened, and who wants to know. */
export interface SlotNews {
  /** What else its organisation has here. */
  readonly standing: BrainWish['standing'];
  /** Its session has nothing to do any more: it may be asked to give way. */
  readonly onIdle: () => void;
}

export class Slot {
  readonly sessionId: SessionId;
  readonly organisationId: OrganisationId;
  readonly #news: SlotNews;
  readonly #ports: SlotPorts;
  readonly #settlement: Settlement;
  readonly #wakers = new Set<() => void>();
  #brain: Brain | undefined;
  #woken = false;
  #evicted = false;
  #idleSince: number | undefined;
  #isRunning = true;
  #busyUntil = 0;
  readonly #sighting = new Sighting();
  readonly #start: SlotStart;

  /** `free`: as it was when it was seen that no other owner who lives has it. */
  constructor(free: Session, ports: SlotPorts, news: SlotNews) {
    this.sessionId = free.id;
    this.organisationId = free.organisationId;
    this.#news = news;
    this.#ports = { ...ports, logger: ports.logger.with({ sessionId: free.id }) };
    this.#start = new SlotStart(free, ports);
    const retryInMs = (attempt: number): number => this.#start.lost(attempt);
    this.#settlement = new Settlement(free.id, { ...this.#ports, retryInMs });
  }

  /** Set while the session has nothing to do and the slot may be asked to give way. */
  get idleSince(): number | undefined {
    return this.#evicted ? undefined : this.#idleSince;
  }

  /** The session has something to do, as far as was seen; false while the slot ends. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Commands run in the background: others give way first. */
  get isBusy(): boolean {
    return this.#busyUntil > 0;
  }

  /** Something was appended to the session's log. */
  wake(): void {
    this.#woken = true;
    for (const wake of [...this.#wakers]) wake();
  }

  /** Hibernate as soon as the session has nothing to do: the slot is needed. */
  evict(): void {
    this.#evicted = true;
    this.wake();
  }

  /** Returns when the session needs no brain here any more, or on `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    const { sessions, workbench } = this.#ports;
    workbench.open(this.sessionId);
    try {
      while (!signal.aborted && (await this.#serve(signal)) === 'again');
    } catch (error) {
      if (!isOver(error)) throw error;
      this.#ports.logger.debug('slot ended', { reason: error.code });
    } finally {
      this.#idleSince = undefined;
      this.#isRunning = false;
      await this.#endBrain();
      const place = await sessions
        .get(this.sessionId)
        .then(logPlaceOf)
        .catch(() => undefined); // the store does not answer: the age of the files stays as it is
      await workbench.release(this.sessionId, place); // SLOT-4
    }
  }

  async #serve(signal: AbortSignal): Promise<'again' | 'done'> {
    const { clock, logger } = this.#ports;
    const epoch = await this.#start.take(signal);
    if (epoch === undefined) return 'done';
    await this.#resume(signal);
    const assignedAt = clock.monotonicNow();
    const launched = await this.#launch(epoch, signal);
    const outcome = 'kind' in launched ? launched : await this.#work(launched, epoch, signal);
    logger.info('brain ended', { epoch, outcome: outcome.kind, ranMs: clock.monotonicNow() - assignedAt });
    await this.#endBrain(); // SLOT-2
    return this.#settlement.settle(outcome, epoch);
  }

  /** A brain, or why the session is to have none. */
  async #launch(epoch: number, signal: AbortSignal): Promise<Brain | Outcome> {
    const { spares, clock, logger, chance } = this.#ports;
    const pace = { firstMs: LAUNCH_RETRY_FIRST_MS, ceilingMs: LAUNCH_RETRY_LAST_MS, heldMs: Infinity };
    const backoff = new Backoff({ ...pace, random: chance?.random });
    for (;;) {
      try {
        const { standing } = this.#news;
        return await spares.take({ organisationId: this.organisationId, standing }, signal);
      } catch (error) {
        const waitMs = isShortage(error) ? backoff.nextMs(0) : 0; // SLOT-5
        logger.warn('brain did not start', { epoch, waitMs, error });
        if (waitMs === 0) return { kind: 'lost', how: 'did not start' };
        const outcome = await this.#outcomeBefore(clock.monotonicNow() + waitMs, epoch, signal);
        if (outcome !== undefined) return outcome;
      }
    }
  }

  /** What the log or the clock means for a session that has no brain yet; undefined when it is still to have one at the time `until`. */
  async #outcomeBefore(until: number, epoch: number, signal: AbortSignal): Promise<Outcome | undefined> {
    const { clock } = this.#ports;
    const unassigned = { epoch, assignedAt: Infinity, ended: undefined }; // SLOT-5: there is no brain that could hang
    for (;;) {
      this.#woken = false;
      const { judgement } = await this.#judge(unassigned, signal);
      if (judgement.kind === 'idle') {
        if (await this.#settlement.hibernate(epoch)) return { kind: 'hibernated' };
      } else if (judgement.kind !== 'wait') return judgement;
      if (clock.monotonicNow() >= until) return undefined;
      if (!this.#woken) await this.#changed(until, signal);
    }
  }

  #work(brain: Brain, epoch: number, signal: AbortSignal): Promise<Outcome> {
    const { access, logger } = this.#ports;
    this.#brain = brain;
    brain.assign(access.mintUnitToken({ organisationId: this.organisationId }, this.sessionId, epoch)); // SLOT-1
    logger.info('brain assigned', { epoch, pid: brain.pid });
    return this.#watch(brain, epoch, signal);
  }

  /** Brings the files of a turn here that others have begun, which may take minutes: as long as that turn is to go on. */
  async #resume(signal: AbortSignal): Promise<void> {
    const { sessions, workbench, clock } = this.#ports;
    const over = new AbortController();
    let resumed: Promise<void> | undefined;
    while (!over.signal.aborted && !signal.aborted) {
      this.#woken = false;
      const { session } = await sessions.get(this.sessionId);
      const now = clock.monotonicNow();
      const endBy = turnDeadline(session, this.#sighting.see(session, now));
      if (endBy === undefined || now >= endBy || stoppingOf(session) !== undefined) break;
      resumed ??= workbench.resume(this.sessionId, AbortSignal.any([signal, over.signal])).finally(() => {
        over.abort();
        this.wake();
      });
      resumed.catch(() => undefined); // thrown below, unless the log cannot be read before that
      if (!this.#woken) await this.#changed(endBy, signal);
    }
    over.abort();
    await resumed;
  }

  /** Waits until the log, the clock or the process means that the brain must end (judgement.ts). */
  async #watch(brain: Brain, epoch: number, signal: AbortSignal): Promise<Outcome> {
    const { clock, idleMs, logger } = this.#ports;
    const assignedAt = clock.monotonicNow();
    let ended: string | undefined;
    void brain.ended.then((how) => {
      logger.debug('brain process ended', { epoch, ...how });
      ended = describe(how);
      this.wake();
    });
    for (;;) {
      this.#woken = false; // a wake from here on means that what is read next may be old
      const { judgement, now, seen, evicted } = await this.#judge({ epoch, assignedAt, ended }, signal);
      if (judgement.kind === 'idle') {
        if (!evicted && (await this.#isBusyAt(now, seen.statusSince + idleMs))) continue;
        if (await this.#settlement.hibernate(epoch)) return { kind: 'hibernated' };
      } else if (judgement.kind !== 'wait') return judgement;
      else if (!this.#woken) await this.#changed(judgement.until, signal);
    }
  }

  async #judge(
    known: Pick<Watched, 'epoch' | 'assignedAt' | 'ended'>,
    signal: AbortSignal,
  ): Promise<{ judgement: Judgement; now: number; seen: Seen; evicted: boolean }> {
    const { sessions, clock, idleMs } = this.#ports;
    const { session } = await sessions.get(this.sessionId);
    const now = clock.monotonicNow();
    const seen = this.#sighting.see(session, now);
    this.#idleSince = wantsBrain(session) ? undefined : seen.statusSince;
    if (wantsBrain(session)) this.#busyUntil = 0;
    const isIdleNow = this.#isRunning && !wantsBrain(session);
    this.#isRunning = wantsBrain(session);
    if (isIdleNow) this.#news.onIdle();
    const [evicted, busyUntil, shutdown] = [this.#evicted, this.#busyUntil, signal.aborted];
    const judgement = judge(session, { ...known, ...seen, shutdown, evicted, busyUntil, idleMs }, now);
    return { judgement, now, seen, evicted };
  }

  /** Whether commands run in the background, and may: then it is looked again later. */
  async #isBusyAt(now: number, idleAt: number): Promise<boolean> {
    const { workbench, backgroundMs } = this.#ports;
    const mayUntil = idleAt + backgroundMs;
    const isBusy = now < mayUntil && (await workbench.background(this.sessionId)) > 0;
    this.#busyUntil = isBusy ? Math.min(now + BACKGROUND_LOOK_MS, mayUntil) : 0;
    return isBusy;
  }

  /** Until `wake`, `signal`, or the time `until` of the monotonic clock, whichever is first. */
  async #changed(until: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const timer = new AbortController();
    await once((wake) => {
      this.#wakers.add(wake);
      if (until !== Infinity)
        void clock.sleep(Math.max(1, until - clock.monotonicNow()), timer.signal).then(wake);
      return () => this.#wakers.delete(wake);
    }, signal);
    timer.abort();
  }

  async #endBrain(): Promise<void> {
    const brain = this.#brain;
    this.#brain = undefined;
    await brain?.stop();
  }
}
