/** Who is asking, and for which organisation: what that one does not have is not there (ORGANISATION-1). */
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
  /** A browser with a client token: one session, for a while. */
  | {
      readonly kind: 'client';
      readonly organisationId: OrganisationId;
      readonly sessionId: SessionId;
      readonly scopes: readonly ClientScope[];
      readonly expiresAt: number;
      /** That made it, and with which it ends; absent in tokens of versions that did not say. */
      readonly keyId?: ApiKeyId | undefined;
    }
  /** A brain: one session, while its epoch is the current one. */
  | {
      readonly kind: 'unit';
      readonly organisationId: OrganisationId;
      readonly sessionId: SessionId;
      readonly epoch: number;
    };
