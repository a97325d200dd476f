/**
 * Signed tokens for clients and units: `<prefix>_<base64url of the claims>.<base64url of HMAC-SHA256>`. They carry
 * all that the door needs, so checking one costs no look-up. Whoever holds the signing key can mint; it is made once and
 * kept in the secret store.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import { isId, type OrganisationId } from '../kernel/id.ts';
import { CLIENT_SCOPES, type ClientScope, type Principal } from './principal.ts';

const PREFIX = { client: 'hct', unit: 'hut' } as const;
/** A token is some 300 characters; a longer one is not ours and is not hashed. */
const TOKEN_CHARS_MAX = 1_024;

type Signed = Extract<Principal, { kind: 'client' | 'unit' }>;

export function mintToken(principal: Signed, signingKey: Buffer): string {
  const { kind, ...claims } = principal;
  const text = Buffer.from(JSON.stringify(claims)).toString('base64url');
  return `${PREFIX[kind]}_${text}.${sign(`${PREFIX[kind]}_${text}`, signingKey)}`;
}

/** What a signed token is held against. */
export interface TokenChecks {
  readonly signingKey: Buffer;
  readonly now: number;
  /** Of tokens that name no organisation: they were signed when there was only the first. */
  readonly firstOrganisation: OrganisationId;
}

/** The principal, or undefined when the token is not ours, was changed, or has expired. */
export function verifyToken(token: string, checks: TokenChecks): Signed | undefined {
  if (token.length > TOKEN_CHARS_MAX) return undefined;
  const dot = token.lastIndexOf('.');
  if (dot < 0) return undefined;
  const signed = token.slice(0, dot);
  const given = Buffer.from(token.slice(dot + 1)); // the text, not what it decodes to: one token has one form
  const right = Buffer.from(sign(signed, checks.signingKey));
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const claims: unknown = JSON.parse(Buffer.from(signed.slice(4), 'base64url').toString());
  if (signed.startsWith(`${PREFIX.client}_`)) return clientOf(claims, checks);
  return signed.startsWith(`${PREFIX.unit}_`) ? unitOf(claims, checks) : undefined;
}

/** True for what looks like a signed token, so that an API key is looked up and a token is not. */
export function isSignedToken(text: string): boolean {
  return text.startsWith(`${PREFIX.client}_`) || text.startsWith(`${PREFIX.unit}_`);
}

function sign(text: string, signingKey: Buffer): string {
  return createHmac('sha256', signingKey).update(text).digest('base64url');
}

function clientOf(claims: unknown, checks: TokenChecks): Signed | undefined {
  const { sessionId, scopes, expiresAt } = claims as Record<string, unknown>; // signed: we wrote it
  const organisationId = organisationOf(claims, checks);
  if (organisationId === undefined) return undefined;
  if (typeof sessionId !== 'string' || !isId('session', sessionId)) return undefined;
  if (typeof expiresAt !== 'number' || expiresAt <= checks.now || !Array.isArray(scopes)) return undefined;
  const known = scopes.filter((scope): scope is ClientScope => CLIENT_SCOPES.includes(scope));
  return { kind: 'client', organisationId, sessionId, scopes: known, expiresAt };
}

function unitOf(claims: unknown, checks: TokenChecks): Signed | undefined {
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
