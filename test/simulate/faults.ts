/** What goes wrong in one history, by its seed. Each history has some kinds of faults and not others, so that rare mixtures are tried. */
import type { Dice } from './dice.ts';

/** Probabilities of each request, and the longest that one takes on its way. */
export interface Rates {
  readonly requestLost: number;
  readonly answerLost: number;
  readonly hintLost: number;
  readonly hintDoubled: number;
  readonly hintLate: number;
  readonly delayMs: number;
  /** Between brain and door, and between users and servers. */
  readonly dropped: number;
  readonly doubled: number;
}

export const CALM: Rates = {
  requestLost: 0,
  answerLost: 0,
  hintLost: 0,
  hintDoubled: 0,
  hintLate: 0,
  delayMs: 3,
  dropped: 0,
  doubled: 0,
};

export type Strike =
  | { readonly kind: 'kill server'; readonly backMs: number }
  | { readonly kind: 'stop server'; readonly backMs: number }
  | { readonly kind: 'pause server'; readonly ms: number }
  | { readonly kind: 'store away'; readonly ms: number }
  | { readonly kind: 'kill brain' }
  | { readonly kind: 'pause brain'; readonly ms: number }
  /** For good: its slot has to end it. */
  | { readonly kind: 'hang brain' }
  | { readonly kind: 'kill hands' }
  /** Hands die soon after they have started. */
  | { readonly kind: 'mortal hands'; readonly ms: number }
  /** Nothing that is launched comes up. */
  | { readonly kind: 'no launches'; readonly ms: number }
  | { readonly kind: 'cut connections' }
  | { readonly kind: 'set clock'; readonly skewMs: number };

export interface Plan {
  readonly rates: Rates;
  /** By time, in ms from the start. */
  readonly strikes: readonly { readonly atMs: number; readonly strike: Strike }[];
  /** Of each machine at the start. */
  readonly skewsMs: readonly number[];
  /** JOURNAL-6: how long a log may become; few histories come to its end. */
  readonly eventsMax: number;
}

/** What a history may hold; the first value is what most of them have. */
export interface Weather {
  readonly activeMs: number;
  readonly servers: number;
  /** 0: clocks agree. */
  readonly skewMsMax: number;
}

export function planOf(dice: Dice, { activeMs, servers, skewMsMax }: Weather): Plan {
  const some = (most: number): number => (dice.hits(0.5) ? dice.between(0, most) : 0);
  const rates: Rates = {
    requestLost: some(0.02),
    answerLost: some(0.02),
    hintLost: some(0.4),
    hintDoubled: some(0.2),
    hintLate: some(0.2),
    delayMs: dice.pick([2, 5, 20, 200]),
    dropped: some(0.05),
    doubled: some(0.1),
  };
  const skewed = skewMsMax > 0 && dice.hits(0.5);
  const skew = (): number => (skewed ? Math.floor(dice.between(-skewMsMax, skewMsMax)) : 0);
  const kinds: readonly (() => Strike)[] = [
    () => ({ kind: 'kill server', backMs: dice.between(100, dice.pick([1_000, 60_000])) }),
    () => ({ kind: 'stop server', backMs: dice.between(100, dice.pick([1_000, 30_000])) }),
    () => ({ kind: 'pause server', ms: dice.between(100, 40_000) }),
    () => ({ kind: 'store away', ms: dice.between(100, 20_000) }),
    () => ({ kind: 'kill brain' }),
    () => ({ kind: 'pause brain', ms: dice.between(100, 40_000) }),
    () => ({ kind: 'hang brain' }),
    () => ({ kind: 'kill hands' }),
    () => ({ kind: 'mortal hands', ms: dice.between(5_000, 40_000) }),
    () => ({ kind: 'no launches', ms: dice.between(1_000, 40_000) }),
    () => ({ kind: 'cut connections' }),
    ...(skewed ? [(): Strike => ({ kind: 'set clock', skewMs: skew() })] : []),
  ];
  const chosen = kinds.filter(() => dice.hits(0.4));
  const count = chosen.length === 0 ? 0 : dice.below(16);
  const strikes = Array.from({ length: count }, () => ({
    atMs: dice.between(0, activeMs),
    strike: dice.pick(chosen)(),
  }));
  return {
    rates,
    strikes: strikes.sort((a, b) => a.atMs - b.atMs),
    skewsMs: Array.from({ length: servers }, skew),
    eventsMax: dice.pick([1_000, 1_000, 1_000, 1_000, 40, 15]),
  };
}
