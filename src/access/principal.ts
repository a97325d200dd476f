/** Who is asking, and for which organisation: what that one does not have is not there (ORGANISATION-1). */
import type { ApiKeyId, OrganisationId, SessionId } from '../kernel/id.ts';

export const CLIENT_SCOPES = ['read', 'steer'] as const;
export type ClientScope = (typeof CLIENT_SCOPES)[number];

export type Principal =
  /** The holder of an API key: may do everything in its organisation. */
  | { readonly kind: 'key'; readonly organisationId: OrganisationId; readonly keyId: ApiKeyId }
  /** A browser with a client token: one session, for a while. */
  | {
      readonly kind: 'client';
      readonly organisationId: OrganisationId;
      readonly sessionId: SessionId;
      readonly scopes: readonly ClientScope[];
      readonly expiresAt: number;
    }
  /** A brain: one session, while its epoch is the current one. */
  | {
      readonly kind: 'unit';
      readonly organisationId: OrganisationId;
      readonly sessionId: SessionId;
      readonly epoch: number;
    };
