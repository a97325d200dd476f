/** Limits as somebody asks for them, checked, and laid over those that were set before. */
import { TURN_SECONDS_MAX } from '../kernel/limit.ts';
import { parseCount } from '../kernel/parse.ts';
import type { Limits } from './session.ts';

/** The most that each may be. */
const LIMITS_MAX = {
  tokens: Number.MAX_SAFE_INTEGER,
  turnSeconds: TURN_SECONDS_MAX,
  turns: Number.MAX_SAFE_INTEGER,
  costMicroUsd: Number.MAX_SAFE_INTEGER,
} as const satisfies Record<keyof Limits, number>;
const NAMES = ['tokens', 'turnSeconds', 'turns', 'costMicroUsd'] as const satisfies readonly (keyof Limits)[];

/** undefined: as it is; null: none. */
export type GivenLimits = { readonly [Name in keyof Limits]?: number | null | undefined };

/** Throws InvalidInput; answers only the limits that are set. */
export function parseLimits(limits: Limits | undefined): Limits {
  return limitsAfter({}, limits ?? {});
}

/** Throws InvalidInput. */
export function limitsAfter(before: Limits, given: GivenLimits): Limits {
  const after = NAMES.map((name) => {
    const limit = given[name];
    if (limit === undefined) return [name, before[name]] as const;
    return [
      name,
      limit === null ? undefined : parseCount(`limits.${name}`, limit, 1, LIMITS_MAX[name]),
    ] as const;
  });
  return Object.fromEntries(after.filter(([, limit]) => limit !== undefined));
}

/** Without what says nothing. */
export function givenOf(given: GivenLimits): GivenLimits {
  return Object.fromEntries(
    NAMES.filter((name) => given[name] !== undefined).map((name) => [name, given[name]]),
  );
}
