/** Who is asking, and for which organisation: what that one does not have is not there (ORGANISATION-1). */
import type { Level } from '../journal/event-catalog.ts';
import type { EventView } from '../journal/event-filter.ts';
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';

/** What an API key may do in its organisation: `operator` beyond it, with the organisations themselves. Rows of policy.ts name them. */
export const KEY_SCOPES = [
  'sessions:read',
  'sessions:write',
  'agents:write',
  'credentials:write',
  'keys:write',
  'operator',
] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** What a client token may do with its session. */
export const CLIENT_SCOPES = ['read', 'steer', 'answer', 'cancel'] as const;
export type ClientScope = (typeof CLIENT_SCOPES)[number];

/** A browser with a client token: one session, for a while. What is absent was not known yet to the version that minted it. */
export interface ClientPrincipal {
  readonly kind: 'client';
  readonly organisationId: OrganisationId;
  readonly sessionId: SessionId;
  readonly scopes: readonly ClientScope[];
  readonly expiresAt: number;
  /** The most detailed events that there are for it; absent: all. */
  readonly level?: Level | undefined;
  /** Whether it sees what the model thinks. */
  readonly thinking?: boolean | undefined;
  /** The same for all that were renewed or narrowed from one. */
  readonly tokenId?: string | undefined;
  /** The key that minted it, with which it ends. */
  readonly keyId?: ApiKeyId | undefined;
  /** Those of its session and of its key when it was minted: a revocation raises them (token-generation-store.ts). */
  readonly generations?: { readonly session: number; readonly key: number } | undefined;
  /** How long it was minted for, and so for how long it is renewed. */
  readonly ttlSeconds?: number | undefined;
  /** No renewal goes beyond it. */
  readonly renewableUntil?: number | undefined;
  readonly messagesPerMinute?: number | undefined;
}

export type Principal =
  /** The holder of an API key. */
  | {
      readonly kind: 'key';
      readonly organisationId: OrganisationId;
      readonly keyId: ApiKeyId;
      readonly name: string;
      readonly scopes: readonly KeyScope[];
      /** Of the value with which it came: a key that is being rotated has two. */
      readonly valueHash: string;
    }
  | ClientPrincipal
  /** A brain: one session, while its epoch is the current one. */
  | {
      readonly kind: 'unit';
      readonly organisationId: OrganisationId;
      readonly sessionId: SessionId;
      readonly epoch: number;
    };

/** What there is of a log for the caller, whatever it asks for. */
export function viewOf(principal: Principal): EventView {
  if (principal.kind !== 'client') return { thinking: true };
  return { level: principal.level, thinking: principal.thinking === true }; // TOKEN-4
}
