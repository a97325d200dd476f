/**
 * What a session's model calls may take of the event loop. A service sends what it likes and as fast as it can, and whoever has a key may
 * name the service; what is done with each byte (searching it for the key above all) is done for one session, and the loop is everybody's.
 *
 * LOOP-1 Work on requests and answers goes in steps, and after TURN_MS of them the session waits for its turn: one has it in each round of
 *    the loop (kernel/round-robin.ts).
 * LOOP-2 A session has BURST_MS of work at once, and from then on LOOP_SHARE of the time. Meanwhile nothing is read of its answer, so that
 *    its service waits.
 */
import type { Clock } from '../kernel/clock.ts';
import { RoundRobin } from '../kernel/round-robin.ts';
import type { Scheduler } from '../kernel/scheduler.ts';

/** Work in one turn: less than any operation takes. Two hundred pieces of an answer. */
const TURN_MS = 2;
/** Work at once: a request of a million tokens, or an answer of 32,000 that a proxy has kept back. */
const BURST_MS = 200;
/** Of the time: a model that writes 3,000 tokens a second, each an event, has half of it. */
const LOOP_SHARE = 1 / 16;

/** Work that may be interrupted wherever it yields. */
export type Steps<T> = Generator<undefined, T, undefined>;

/** By whom, and until when anybody waits for it. */
export interface Worker {
  readonly session: string;
  readonly signal: AbortSignal;
}

interface Account {
  /** When all its work will have been within its share. */
  paidAt: number;
  /** Milliseconds of work since its last turn. */
  worked: number;
}

export class LoopShare {
  readonly #clock: Clock;
  readonly #turns: RoundRobin;
  /** Of sessions that have worked lately, those first that did so longest ago. */
  readonly #accounts = new Map<string, Account>();

  constructor({ clock, scheduler }: { readonly clock: Clock; readonly scheduler: Scheduler }) {
    this.#clock = clock;
    this.#turns = new RoundRobin(scheduler);
  }

  /** Resolves with what the steps end with; rejects with what they throw, and with the signal's reason. */
  async work<T>(steps: Steps<T>, { session, signal }: Worker): Promise<T> {
    const account = this.#accountOf(session);
    for (;;) {
      await this.#turn(session, account, signal);
      signal.throwIfAborted();
      const began = this.#clock.monotonicNow();
      let worked = 0;
      try {
        do {
          const step = steps.next();
          if (step.done === true) return step.value;
          worked = this.#clock.monotonicNow() - began;
        } while (account.worked + worked < TURN_MS);
      } finally {
        worked = this.#clock.monotonicNow() - began;
        account.worked += worked;
        account.paidAt = Math.max(account.paidAt, began) + worked / LOOP_SHARE;
      }
    }
  }

  async #turn(session: string, account: Account, signal: AbortSignal): Promise<void> {
    if (account.worked < TURN_MS) return;
    const ahead = account.paidAt - this.#clock.monotonicNow() - BURST_MS / LOOP_SHARE;
    if (ahead > 0) await this.#clock.sleep(ahead, signal); // LOOP-2
    await this.#turns.turn(session); // LOOP-1
    account.worked = 0;
  }

  #accountOf(session: string): Account {
    const now = this.#clock.monotonicNow();
    const account = this.#accounts.get(session) ?? { paidAt: now, worked: 0 };
    this.#accounts.delete(session);
    this.#accounts.set(session, account);
    for (const [oldest, { paidAt }] of this.#accounts) {
      if (paidAt > now || oldest === session) break;
      this.#accounts.delete(oldest); // as good as none
    }
    return account;
  }
}
