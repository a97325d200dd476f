/**
 * How often the holder of a client token may write into the log of its session: a token bucket for each token, that is full after a minute.
 *
 * TOKEN-7 Of one token, with all that were renewed or narrowed from it, no more messages are taken in a minute than it was minted for, and no
 *    more cancels or renewals; a refusal says when the next is taken. Each server counts for itself.
 */
import type { Clock } from '../kernel/clock.ts';
import { RateLimited } from './faults.ts';
import type { ClientPrincipal } from './principal.ts';

/** More than a person writes; what speaks by program has an API key, or a token that was minted for it. */
export const MESSAGES_PER_MINUTE_DEFAULT = 60;
export const MESSAGES_PER_MINUTE_MAX = 6_000;
/** Buckets at once, some 150 bytes each. Beyond it that is forgotten which was used longest ago, so its token has a full one again. */
const BUCKETS_MAX = 10_000;
const MINUTE_MS = 60_000;

interface Bucket {
  readonly left: number;
  readonly at: number;
}

export class TokenRate {
  readonly #clock: Pick<Clock, 'monotonicNow'>;
  /** The one used longest ago first. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Pick<Clock, 'monotonicNow'>) {
    this.#clock = clock;
  }

  /** Apart for messages and cancels, so that nobody who has written too much cannot stop what runs. Throws RateLimited. */
  take(token: ClientPrincipal, what: 'message' | 'cancel' | 'renewal'): void {
    const { messagesPerMinute: most = MESSAGES_PER_MINUTE_DEFAULT, tokenId = token.sessionId } = token;
    const name = `${what} ${tokenId}`;
    const now = this.#clock.monotonicNow();
    const { left, at } = this.#buckets.get(name) ?? { left: most, at: now };
    const filled = Math.min(most, left + ((now - at) * most) / MINUTE_MS);
    if (filled < 1) throw new RateLimited(what, most, Math.ceil(((1 - filled) * MINUTE_MS) / most)); // TOKEN-7
    this.#buckets.delete(name);
    this.#buckets.set(name, { left: filled - 1, at: now });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > BUCKETS_MAX && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
