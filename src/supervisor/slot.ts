/**
 * One session that runs: takes the lease, gives a brain its session, watches it, and decides what its end means.
 *
 * S1 A brain gets its token only after the lease event is durable, so every older brain is fenced (J4).
 * S2 The slot never tells the brain what to do: both read the log. It ends the brain, or writes for it once it is dead.
 * S3 What the slot writes about its brain carries the brain's epoch: a slot that was replaced writes nothing.
 * S4 When `run` returns, the brain and the hands it started have ended.
 */
import type { Access } from '../access/access.ts';
import { once } from '../kernel/tail.ts';
import { never } from '../kernel/assert.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { EpochStale, LogFull, SessionNotFound } from '../journal/faults.ts';
import { SessionArchived, TurnOver } from '../sessions/faults.ts';
import { turnDeadline, wantsBrain } from '../sessions/lifecycle.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionJournal } from '../sessions/session-store.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Brain, Ended } from './launcher.ts';
import { LOSSES_MAX, RETRY_FIRST_MS, RETRY_LAST_MS, STOP_GRACE_MS } from './limit.ts';
import type { Spares } from './spares.ts';
import type { Workbench } from './workbench.ts';

export interface SlotPorts {
  readonly sessions: Sessions;
  readonly journal: SessionJournal;
  readonly access: Access;
  readonly spares: Spares;
  readonly workbench: Workbench;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly owner: string;
  readonly idleMs: number;
}

/** Why the watch over a brain ended. */
type Outcome =
  | { readonly kind: 'lost'; readonly how: string }
  | { readonly kind: 'deadline' }
  | { readonly kind: 'stopOverdue'; readonly outcome: 'canceled' | 'interrupted' }
  | { readonly kind: 'hibernated' }
  | { readonly kind: 'replaced' }
  | { readonly kind: 'shutdown' };

export class Slot {
  readonly sessionId: SessionId;
  readonly #ports: SlotPorts;
  readonly #wakers = new Set<() => void>();
  #brain: Brain | undefined;
  #woken = false;
  #evicted = false;
  #idleSince: number | undefined;

  constructor(sessionId: SessionId, ports: SlotPorts) {
    this.sessionId = sessionId;
    this.#ports = { ...ports, logger: ports.logger.with({ sessionId }) };
  }

  /** Set while the session has nothing to do: the supervisor evicts the longest idle slot when it needs one. */
  get idleSince(): number | undefined {
    return this.#idleSince;
  }

  get brainPid(): number | undefined {
    return this.#brain?.pid;
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
    try {
      while (!signal.aborted && (await this.#serve(signal)) === 'again');
    } catch (error) {
      if (!isOver(error)) throw error;
      this.#ports.logger.debug('slot ended', { reason: error.code });
    } finally {
      this.#idleSince = undefined;
      await this.#endBrain();
      await this.#ports.workbench.release(this.sessionId); // S4
    }
  }

  async #serve(signal: AbortSignal): Promise<'again' | 'done'> {
    const { sessions, access, spares, clock, owner, logger } = this.#ports;
    const { session } = await sessions.get(this.sessionId);
    if (!wantsBrain(session)) return 'done';
    if (session.retryAt !== undefined) await clock.sleep(session.retryAt - clock.now(), signal);
    if (signal.aborted) return 'done';

    const brain = spares.take();
    brain.catch(() => undefined); // awaited below, after the lease
    const { state, firstSeq, lastSeq } = await sessions.supervise(this.sessionId, {
      kind: 'takeLease',
      owner,
    });
    if (firstSeq > lastSeq) {
      await brain.then(
        (unused) => unused.stop(),
        () => undefined,
      );
      return 'done';
    }
    const { epoch } = state;
    const startedAt = clock.now();
    const outcome = await brain.then(
      (it) => {
        this.#brain = it;
        it.assign(access.mintUnitToken(this.sessionId, epoch)); // S1
        logger.info('brain assigned', { epoch, pid: it.pid });
        return this.#watch(it, epoch, signal);
      },
      (error: unknown): Outcome => ({ kind: 'lost', how: `did not start: ${String(error)}` }),
    );
    logger.info('brain ended', { epoch, outcome: outcome.kind, ranMs: clock.now() - startedAt });
    await this.#endBrain();
    return this.#settle(outcome, epoch);
  }

  /** Writes what the end of the brain means (S3). */
  async #settle(outcome: Outcome, epoch: number): Promise<'again' | 'done'> {
    const { sessions, logger } = this.#ports;
    switch (outcome.kind) {
      case 'lost': {
        const { session } = await sessions.get(this.sessionId);
        const attempt = session.losses + 1;
        const retryInMs = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** session.losses);
        logger.warn('brain lost', { epoch, how: outcome.how, attempt, retryInMs });
        const lost = { kind: 'loseBrain', reason: outcome.how, attemptMax: LOSSES_MAX, retryInMs } as const;
        await sessions.supervise(this.sessionId, lost, epoch);
        if (attempt >= LOSSES_MAX) await this.#fail(session, epoch, outcome.how);
        return 'again';
      }
      case 'deadline':
        await sessions.supervise(
          this.sessionId,
          { kind: 'completeTurn', outcome: 'deadline_exceeded' },
          epoch,
        );
        return 'again';
      case 'stopOverdue':
        await sessions.supervise(this.sessionId, { kind: 'completeTurn', outcome: outcome.outcome }, epoch);
        return 'again';
      case 'hibernated':
      case 'replaced':
      case 'shutdown':
        return 'done';
      default:
        return never(outcome);
    }
  }

  /** Brains keep dying: the turn ends with an error, and the next message tries again. */
  async #fail(session: Session, epoch: number, how: string): Promise<void> {
    const { sessions } = this.#ports;
    const code = 'BRAIN_LOST';
    const message = `The brain ended ${LOSSES_MAX} times without progress (${how}). Send a message to try again.`;
    if (session.status === 'queued')
      await sessions.write(this.sessionId, epoch, undefined, { kind: 'beginTurn' });
    const { session: now } = await sessions.get(this.sessionId);
    await sessions.supervise(
      this.sessionId,
      {
        kind: 'record',
        events: [
          {
            type: 'error.runtime',
            actor: { kind: 'system' },
            turnId: now.turn?.id,
            body: { code, message, retriable: true },
          },
        ],
      },
      epoch,
    );
    await sessions.supervise(
      this.sessionId,
      { kind: 'completeTurn', outcome: 'error', failure: { code, message } },
      epoch,
    );
  }

  /** Waits until the brain ends, or something in the log or the clock means that it must. */
  async #watch(brain: Brain, epoch: number, signal: AbortSignal): Promise<Outcome> {
    const { sessions, clock } = this.#ports;
    let ended: Ended | undefined;
    void brain.ended.then((how) => {
      ended = how;
      this.wake();
    });
    let stopSince: number | undefined;
    for (;;) {
      this.#woken = false; // a wake from here on means that what is read next may be old
      const { session } = await sessions.get(this.sessionId);
      if (signal.aborted) return { kind: 'shutdown' };
      if (session.epoch !== epoch || session.status === 'archived') return { kind: 'replaced' };
      if (ended !== undefined) return { kind: 'lost', how: describe(ended) };
      const now = clock.now();
      const stopping = session.turn?.state === 'running' ? session.turn.stopping : undefined;
      stopSince = stopping === undefined ? undefined : (stopSince ?? now);
      const deadline = turnDeadline(session);
      if (stopping !== undefined && stopSince !== undefined && now >= stopSince + STOP_GRACE_MS) {
        return { kind: 'stopOverdue', outcome: stopping };
      }
      if (deadline !== undefined && now >= deadline) return { kind: 'deadline' };
      const idleUntil = this.#idleUntil(session);
      if (idleUntil !== undefined && now >= idleUntil && (await this.#hibernate(epoch)))
        return { kind: 'hibernated' };
      const next = Math.min(
        deadline ?? Infinity,
        stopSince === undefined ? Infinity : stopSince + STOP_GRACE_MS,
        idleUntil ?? Infinity,
      );
      if (!this.#woken) await this.#changed(next, signal);
    }
  }

  #idleUntil(session: Session): number | undefined {
    this.#idleSince = wantsBrain(session) ? undefined : session.statusAt;
    if (this.#idleSince === undefined) return undefined;
    return this.#evicted ? 0 : this.#idleSince + this.#ports.idleMs;
  }

  /** False when a message came in between: the brain stays. */
  async #hibernate(epoch: number): Promise<boolean> {
    const { firstSeq, lastSeq } = await this.#ports.sessions.supervise(
      this.sessionId,
      { kind: 'hibernate' },
      epoch,
    );
    return lastSeq >= firstSeq;
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

function describe({ code, signal, stderr }: Ended): string {
  const how = signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
  const last = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? '';
  return last === '' ? how : `${how}: ${last}`;
}

/** Faults that mean: this session is no longer this slot's. */
function isOver(
  error: unknown,
): error is EpochStale | SessionArchived | TurnOver | SessionNotFound | LogFull {
  return (
    error instanceof EpochStale ||
    error instanceof SessionArchived ||
    error instanceof TurnOver ||
    error instanceof SessionNotFound ||
    error instanceof LogFull
  );
}
