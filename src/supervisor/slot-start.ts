/**
 * How a slot gets its session: the wait after a loss, and the lease.
 *
 * LEASE-1 A lease is taken at the epoch that was read when the session was seen free, and this epoch is never read again: of two
 *         supervisors that saw the session free at the same time one gets it, the other one's epoch is stale (JOURNAL-4).
 */
import { jittered } from '../kernel/backoff.ts';
import { type Chance, systemChance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import { LOSSES_MAX, RETRY_FIRST_MS, RETRY_LAST_MS } from './limit.ts';

export interface SlotStartPorts {
  readonly sessions: SessionRuns;
  readonly clock: Clock;
  readonly chance?: Chance | undefined;
  readonly owner: string;
}

export class SlotStart {
  readonly #sessionId: SessionId;
  readonly #ports: SlotStartPorts;
  /** At which nobody else had the session. */
  #epoch: number;
  #waitMs: number;

  /** `free`: as it was when it was seen that no other owner who lives has it. */
  constructor({ id, epoch, retryAt, losses }: Session, ports: SlotStartPorts) {
    this.#sessionId = id;
    this.#ports = ports;
    this.#epoch = epoch;
    this.#waitMs = retryAt === undefined ? 0 : retryMsMax(losses); // TIME-1: retryAt is of another clock
  }

  /** The epoch of the lease; undefined when the session wants no brain any more, or on `signal`. Throws EpochStale. */
  async take(signal: AbortSignal): Promise<number | undefined> {
    const { sessions, clock, owner } = this.#ports;
    if (this.#waitMs > 0) await clock.sleep(this.#waitMs, signal);
    this.#waitMs = 0;
    if (signal.aborted) return undefined;
    const command = { kind: 'takeLease', owner } as const;
    const { state, firstSeq, lastSeq } = await sessions.supervise(this.#sessionId, command, this.#epoch); // LEASE-1
    if (firstSeq > lastSeq) return undefined;
    this.#epoch = state.epoch;
    return state.epoch;
  }

  /** A brain was lost, and this is the loss of that number in a row. Answers how long the next one is waited for. */
  lost(attempt: number): number {
    const { chance = systemChance } = this.#ports;
    const retryInMs = jittered(retryMsMax(attempt), chance.random);
    this.#waitMs = attempt < LOSSES_MAX ? retryInMs : 0; // the turn ends instead
    return retryInMs;
  }
}

/** The wait doubles with each brain that is lost without progress. */
function retryMsMax(losses: number): number {
  return Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** (losses - 1));
}
