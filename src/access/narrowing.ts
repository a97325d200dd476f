/**
 * What the holder of a client token may take away from it, without a server: each narrowing is a JSON object with some of `scopes`, `level`,
 * `thinking` and `expiresAt`, in the words of the schema. client/narrow-token.ts makes them; docs/guide.md says how by other means.
 *
 * TOKEN-3 A narrowing only takes away: of what it and the token say, the lesser holds. One that this server does not understand, whole or in
 *    a part, opens nothing: what it was to forbid is not known.
 */
import { LEVEL_RANK, type Level } from '../journal/event-catalog.ts';
import { CLIENT_SCOPES, type ClientPrincipal, type ClientScope } from './principal.ts';

/** From a back end to a page, a frame of it and a worker of that are three. */
export const NARROWINGS_MAX = 8;
/** All four fields and all scopes are some 130. */
const NARROWING_CHARS_MAX = 256;

/** `text`: as the holder of the token wrote it. Undefined when it is not understood. */
export function narrowed(token: ClientPrincipal, text: string): ClientPrincipal | undefined {
  const narrowing = parsed(text);
  if (narrowing === undefined) return undefined;
  let narrow = token;
  for (const [field, value] of Object.entries(narrowing)) {
    const next = Object.hasOwn(NARROWED, field) ? NARROWED[field]?.(narrow, value) : undefined;
    if (next === undefined) return undefined; // TOKEN-3
    narrow = next;
  }
  return narrow;
}

/** How each field narrows; undefined when its value is none of those that it may have. */
const NARROWED: Readonly<
  Record<string, (token: ClientPrincipal, value: unknown) => ClientPrincipal | undefined>
> = {
  scopes(token, value) {
    if (!Array.isArray(value)) return undefined;
    const kept = value.map((word) => CLIENT_SCOPES.find((scope) => wordOf(scope) === word));
    if (kept.includes(undefined)) return undefined;
    return { ...token, scopes: token.scopes.filter((scope) => kept.includes(scope)) };
  },
  level(token, value) {
    const level = LEVELS.find((one) => wordOf(one) === value);
    if (level === undefined) return undefined;
    const isLower = token.level === undefined || LEVEL_RANK[level] < LEVEL_RANK[token.level];
    return isLower ? { ...token, level } : token;
  },
  thinking: (token, value) =>
    typeof value === 'boolean' ? { ...token, thinking: token.thinking === true && value } : undefined,
  /** Of a renewal too, which would otherwise bring back what was taken away. */
  expiresAt(token, value) {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return undefined;
    const { renewableUntil } = token;
    return {
      ...token,
      expiresAt: Math.min(token.expiresAt, value),
      ...(renewableUntil !== undefined && { renewableUntil: Math.min(renewableUntil, value) }),
    };
  },
};

const LEVELS = Object.keys(LEVEL_RANK) as Level[]; // as: its keys are the levels

/** As the schema has it. */
function wordOf(name: ClientScope | Level): string {
  return name.toUpperCase();
}

function parsed(text: string): object | undefined {
  if (text.length > NARROWING_CHARS_MAX) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined; // not JSON: there is nothing more to know of it
  }
}
