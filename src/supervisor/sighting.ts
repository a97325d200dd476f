/**
 * Since when what a session's record says is so, as this process has seen it. The times in a log are wall-clock times of whoever
 * wrote them, and are for people: clocks of machines disagree, and are put right.
 *
 * TIME-1 Whoever waits for a deadline counts on its own monotonic clock, from when it first saw what the deadline is for. A clock that is
 *        set anew, here or elsewhere, ends nothing early and holds up nothing. A session that is taken over from a dead server has the
 *        whole time once more. While a turn waits for somebody outside, its time stands still.
 */
import type { Session } from '../sessions/session.ts';
import { waitsInTurn } from '../sessions/tool-requests.ts';

/** On the monotonic clock of this process. */
export interface Seen {
  /** Since when the session has the status that it has. */
  readonly statusSince: number;
  /** Since when its last turn runs, or ran. */
  readonly turnSince: number;
  /** Since when the running turn is to stop. */
  readonly stopSince: number | undefined;
}

export class Sighting {
  #status = '';
  #turn = 0;
  #seen: Seen | undefined;
  /** Since when its turn waits for somebody outside. */
  #waitsSince: number | undefined;

  /** To be told of each record that is read, with the time of the read. */
  see(session: Session, now: number): Seen {
    const { status, statusAt, turnCount, turn } = session;
    const before = this.#seen;
    const statusOf = `${status} ${statusAt} ${turnCount}`;
    const isSameTurn = before !== undefined && this.#turn === turnCount;
    const isStopping = turn?.state === 'running' && turn.stopping !== undefined;
    const stopSince = isSameTurn ? (before.stopSince ?? now) : now;
    const turnSince = isSameTurn ? before.turnSince + this.#waited(waitsInTurn(session), now) : now;
    const seen = {
      statusSince: before !== undefined && this.#status === statusOf ? before.statusSince : now,
      turnSince,
      stopSince: isStopping ? stopSince : undefined,
    };
    this.#status = statusOf;
    this.#turn = turnCount;
    this.#seen = seen;
    return seen;
  }

  /** How long it has waited, once it goes on. */
  #waited(isWaiting: boolean, now: number): number {
    const since = this.#waitsSince;
    this.#waitsSince = isWaiting ? (since ?? now) : undefined;
    return isWaiting || since === undefined ? 0 : now - since;
  }
}
