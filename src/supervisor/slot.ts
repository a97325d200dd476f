/**
 * One session that runs: takes the lease, gives a brain its session, watches it, and decides what its end means.
 *
 * SLOT-1 A brain gets its token only after the lease event is durable, so every older brain is fenced (JOURNAL-4).
 * SLOT-2 The slot never tells the brain what to do: both read the log. It ends the brain, or writes for it once it is dead (settlement.ts).
 * SLOT-4 When `run` returns, the brain and the hands it started have ended, and the workspace rests.
 */
import type { Access } from '../access/access.ts';
import { once } from '../kernel/tail.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { turnDeadline, wantsBrain } from '../sessions/lifecycle.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Brain } from './launcher.ts';
import { judge, stoppingOf } from './judgement.ts';
import { BACKGROUND_LOOK_MS } from './limit.ts';
import { logPlaceOf } from './log-place.ts';
import { type Outcome, Settlement } from './settlement.ts';
import { describe, isOver } from './slot-end.ts';
import type { Spares } from './spares.ts';
import type { DraftOf } from './unfinished.ts';
import type { Workbench } from './workbench.ts';

export interface SlotPorts {
  readonly sessions: Sessions;
  readonly access: Access;
  readonly spares: Spares;
  readonly workbench: Workbench;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly owner: string;
  readonly idleMs: number;
  readonly draftOf: DraftOf;
  /** How long commands in the background keep an idle session from hibernating. */
  readonly backgroundMs: number;
}

export class Slot {
  readonly sessionId: SessionId;
  readonly #ports: SlotPorts;
  readonly #settlement: Settlement;
  readonly #wakers = new Set<() => void>();
  #brain: Brain | undefined;
  #woken = false;
  #evicted = false;
  #idleSince: number | undefined;
  #busyUntil = 0;

  constructor(sessionId: SessionId, ports: SlotPorts) {
    this.sessionId = sessionId;
    this.#ports = { ...ports, logger: ports.logger.with({ sessionId }) };
    this.#settlement = new Settlement(sessionId, this.#ports);
  }

  /** Set while the session has nothing to do and the slot may be asked to give way. */
  get idleSince(): number | undefined {
    return this.#evicted ? undefined : this.#idleSince;
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
      await this.#endBrain();
      const place = await sessions
        .get(this.sessionId)
        .then(logPlaceOf)
        .catch(() => undefined); // the store does not answer: the age of the files stays as it is
      await workbench.release(this.sessionId, place); // SLOT-4
    }
  }

  async #serve(signal: AbortSignal): Promise<'again' | 'done'> {
    const { sessions, access, spares, clock, logger } = this.#ports;
    const { session } = await sessions.get(this.sessionId);
    if (!wantsBrain(session)) return 'done';
    if (session.retryAt !== undefined) await clock.sleep(session.retryAt - clock.now(), signal);
    if (signal.aborted) return 'done';

    const epoch = await this.#takeLease(session.epoch);
    if (epoch === undefined) return 'done';
    await this.#resume(signal);
    const assignedAt = clock.now();
    const outcome = await spares.take().then(
      (it) => {
        this.#brain = it;
        it.assign(access.mintUnitToken(this.sessionId, epoch)); // SLOT-1
        logger.info('brain assigned', { epoch, pid: it.pid });
        return this.#watch(it, epoch, signal);
      },
      (error: unknown): Outcome => {
        logger.warn('brain did not start', { epoch, error });
        return { kind: 'lost', how: 'did not start' };
      },
    );
    logger.info('brain ended', { epoch, outcome: outcome.kind, ranMs: clock.now() - assignedAt });
    await this.#endBrain(); // SLOT-2
    return this.#settlement.settle(outcome, epoch);
  }

  /** Brings the files of a turn here that others have begun, which may take minutes: as long as that turn is to go on. */
  async #resume(signal: AbortSignal): Promise<void> {
    const { sessions, workbench, clock } = this.#ports;
    const over = new AbortController();
    let resumed: Promise<void> | undefined;
    while (!over.signal.aborted && !signal.aborted) {
      this.#woken = false;
      const { session } = await sessions.get(this.sessionId);
      const endBy = turnDeadline(session);
      if (endBy === undefined || clock.now() >= endBy || stoppingOf(session) !== undefined) break;
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

  /**
   * The epoch of the lease; undefined when the session wants no brain any more. Of two supervisors that saw the session free
   * at the same time one gets it: the other one's `seen` epoch is stale (JOURNAL-4).
   */
  async #takeLease(seen: number): Promise<number | undefined> {
    const { sessions, owner } = this.#ports;
    const command = { kind: 'takeLease', owner } as const;
    const { state, firstSeq, lastSeq } = await sessions.supervise(this.sessionId, command, seen);
    return firstSeq > lastSeq ? undefined : state.epoch;
  }

  /** Waits until the log, the clock or the process means that the brain must end (judgement.ts). */
  async #watch(brain: Brain, epoch: number, signal: AbortSignal): Promise<Outcome> {
    const { sessions, clock, idleMs, logger } = this.#ports;
    const assignedAt = clock.now();
    let ended: string | undefined;
    let stopSince: number | undefined;
    void brain.ended.then((how) => {
      logger.debug('brain process ended', { epoch, ...how });
      ended = describe(how);
      this.wake();
    });
    for (;;) {
      this.#woken = false; // a wake from here on means that what is read next may be old
      const { session } = await sessions.get(this.sessionId);
      const now = clock.now();
      stopSince = stoppingOf(session) === undefined ? undefined : (stopSince ?? now);
      this.#idleSince = wantsBrain(session) ? undefined : session.statusAt;
      if (wantsBrain(session)) this.#busyUntil = 0;
      const [evicted, busyUntil] = [this.#evicted, this.#busyUntil];
      const known = { epoch, assignedAt, stopSince, ended, shutdown: signal.aborted };
      const judgement = judge(session, { ...known, evicted, busyUntil, idleMs }, now);
      if (judgement.kind === 'idle') {
        if (!evicted && (await this.#isBusyAt(now, session.statusAt + idleMs))) continue;
        if (await this.#settlement.hibernate(epoch)) return { kind: 'hibernated' };
      } else if (judgement.kind !== 'wait') return judgement;
      else if (!this.#woken) await this.#changed(judgement.until, signal);
    }
  }

  /** Whether commands run in the background, and may: then it is looked again later. */
  async #isBusyAt(now: number, idleAt: number): Promise<boolean> {
    const { workbench, backgroundMs } = this.#ports;
    const mayUntil = idleAt + backgroundMs;
    const isBusy = now < mayUntil && (await workbench.background(this.sessionId)) > 0;
    this.#busyUntil = isBusy ? Math.min(now + BACKGROUND_LOOK_MS, mayUntil) : 0;
    return isBusy;
  }

  /** Until `wake`, `signal`, or the time `until` (ms since the epoch), whichever is first. */
  async #changed(until: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const timer = new AbortController();
    await once((wake) => {
      this.#wakers.add(wake);
      if (until !== Infinity) void clock.sleep(Math.max(1, until - clock.now()), timer.signal).then(wake);
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
