/**
 * Signed tokens for clients and units: `<prefix>_<claims>.<signature>`, all but the prefix in base64url. They carry all that the door needs
 * to know of them. Whoever holds the signing key can mint; it is made once and kept in the secret store.
 *
 * A client token may have narrowings (narrowing.ts) between its claims and its signature, each after a dot: a chain of HMACs as macaroons
 * have it (Birgisson et al., NDSS 2014).
 *
 * TOKEN-1 The first signature is the HMAC of prefix and claims by the signing key, and each narrowing is signed with the signature before
 *    it as the key. A token has the last signature only: whoever holds one can narrow it without a server, and nobody can take a
 *    narrowing off, change one, or put them in another order.
 * TOKEN-2 Whatever is sent as a token is a principal or is not: it is looked into only after its signature was found right, and what its holder
 *    may have written (the narrowings) is bounded and parsed as a stranger's.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { LEVEL_RANK, type Level } from '../journal/event-catalog.ts';
import { isId, type OrganisationId } from '../kernel/id.ts';
import { NARROWINGS_MAX, narrowed } from './narrowing.ts';
import { CLIENT_SCOPES, type ClientPrincipal, type ClientScope, type Principal } from './principal.ts';

const PREFIX = { client: 'hct', unit: 'hut' } as const;
/** A token has some 700 characters, and each narrowing some 150 more; a longer one is not ours and is not hashed. */
const TOKEN_CHARS_MAX = 2_560;

type UnitPrincipal = Extract<Principal, { kind: 'unit' }>;
type Signed = ClientPrincipal | UnitPrincipal;

export function mintToken(principal: Signed, signingKey: Buffer): string {
  const { kind, ...claims } = principal;
  const text = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${PREFIX[kind]}_${text}.${sign(`${PREFIX[kind]}_${text}`, signingKey).toString('base64url')}`;
}

/** What a signed token is held against. */
export interface TokenChecks {
  readonly signingKey: Buffer;
  readonly now: number;
  /** Of tokens that name no organisation: they were signed when there was only the first. */
  readonly firstOrganisation: OrganisationId;
}

/** The principal, or undefined when the token is not ours, was changed, or has expired. Never throws. */
export function verifyToken(token: string, checks: TokenChecks): Signed | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined; // TOKEN-2
  const parts = token.split('.');
  const [signed = '', ...narrowings] = parts.slice(0, -1);
  if (parts.length < 2 || narrowings.length > NARROWINGS_MAX) return undefined;
  let key = sign(signed, checks.signingKey);
  for (const narrowing of narrowings) key = sign(narrowing, key); // TOKEN-1
  const given = Buffer.from(parts.at(-1) ?? ''); // the text, not what it decodes to: one token has one form
  const right = Buffer.from(key.toString('base64url'));
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const claims: unknown = JSON.parse(decoded(signed.slice(PREFIX.client.length + 1))); // signed: we wrote it
  if (signed.startsWith(`${PREFIX.unit}_`))
    return narrowings.length === 0 ? unitOf(claims, checks) : undefined;
  if (!signed.startsWith(`${PREFIX.client}_`)) return undefined;
  let principal = clientOf(claims, checks);
  for (const narrowing of narrowings) principal = principal && narrowed(principal, decoded(narrowing));
  return principal === undefined || principal.expiresAt <= checks.now ? undefined : principal;
}

/** True for what looks like a signed token, so that an API key is looked up and a token is not. */
export function isSignedToken(text: string): boolean {
  return text.startsWith(`${PREFIX.client}_`) || text.startsWith(`${PREFIX.unit}_`);
}

function sign(text: string, key: Buffer): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function decoded(part: string): string {
  return Buffer.from(part, 'base64url').toString();
}

function clientOf(claims: unknown, checks: TokenChecks): ClientPrincipal | undefined {
  const { sessionId, scopes, expiresAt, level, ...rest } = claims as Partial<ClientPrincipal>; // signed: we wrote it
  const organisationId = organisationOf(claims, checks);
  if (organisationId === undefined) return undefined;
  if (typeof sessionId !== 'string' || !isId('session', sessionId)) return undefined;
  if (typeof expiresAt !== 'number' || !Array.isArray(scopes)) return undefined;
  if (level !== undefined && !isLevel(level)) return undefined; // of a newer version: to see all instead would be more
  const known = scopes.filter((scope): scope is ClientScope => CLIENT_SCOPES.includes(scope));
  return {
    ...rest,
    kind: 'client',
    organisationId,
    sessionId,
    scopes: known,
    expiresAt,
    ...(level && { level }),
  };
}

function unitOf(claims: unknown, checks: TokenChecks): UnitPrincipal | undefined {
  const { sessionId, epoch } = claims as Record<string, unknown>; // signed: we wrote it
  const organisationId = organisationOf(claims, checks);
  if (organisationId === undefined || typeof epoch !== 'number') return undefined;
  if (typeof sessionId !== 'string' || !isId('session', sessionId)) return undefined;
  return { kind: 'unit', organisationId, sessionId, epoch };
}

function organisationOf(claims: unknown, { firstOrganisation }: TokenChecks): OrganisationId | undefined {
  const { organisationId = firstOrganisation } = claims as Record<string, unknown>; // signed: we wrote it
  return typeof organisationId === 'string' && isId('organisation', organisationId)
    ? organisationId
    : undefined;
}

function isLevel(level: unknown): level is Level {
  return typeof level === 'string' && Object.hasOwn(LEVEL_RANK, level);
}
