/** Client tokens: for browsers. One session, some scopes, for a while. */
import type { ClientToken, Minter } from '../src/access/client-tokens.ts';
import { ApiKeyNotFound, RateLimited } from '../src/access/faults.ts';
import { MESSAGES_PER_MINUTE_DEFAULT, MESSAGES_PER_MINUTE_MAX } from '../src/access/token-rate.ts';
import { CLIENT_SCOPES } from '../src/access/principal.ts';
import type { Shown } from '../src/audit/entry.ts';
import type { TokenSubject } from '../src/access/token-generation-store.ts';
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { CLIENT_TOKEN_RENEWABLE_DEFAULT_S, CLIENT_TOKEN_RENEWABLE_MAX_S } from '../src/kernel/limit.ts';
import { parseKey } from '../src/kernel/request-hash.ts';
import { auditChange, auditIssue } from './auditing.ts';
import { builder } from './builder.ts';
import { type Context, permit, spend } from './context.ts';
import { LevelEnum } from './event.ts';

const [READ, STEER, ANSWER, CANCEL] = CLIENT_SCOPES;
const ClientScopeEnum = builder.enumType('ClientScope', {
  description: 'What a client token may do.',
  values: {
    READ: {
      value: READ,
      description: 'Follow and list the events of its session, as far as its level goes.',
    },
    STEER: { value: STEER, description: 'Send messages to its session.' },
    ANSWER: {
      value: ANSWER,
      description:
        'Answer what the agent asks, and say nothing else: sendMessage while the session is AWAITING_INPUT, and FORBIDDEN at any other time.',
    },
    CANCEL: { value: CANCEL, description: 'End the running turn: a Stop button.' },
  } as const,
});

export const ClientTokenType = builder.objectRef<ClientToken>('ClientToken').implement({
  description:
    'What a browser may hold: it opens one session and nothing else. It ends with the API key that minted it, and when it is revoked. Whoever holds it can make a narrower one of it without a server.',
  fields: (t) => ({
    token: t.exposeString('token', { description: 'Send it as `Authorization: Bearer <token>`.' }),
    scopes: t.field({
      type: [ClientScopeEnum],
      description: 'What it may do.',
      resolve: ({ scopes }) => [...scopes],
    }),
    level: t.field({
      type: LevelEnum,
      description: 'The most detailed events that there are for it.',
      resolve: ({ principal }) => principal.level ?? 'internal',
    }),
    thinking: t.boolean({
      description: 'Whether it sees what the model thinks.',
      resolve: ({ principal }) => principal.thinking === true,
    }),
    messagesPerMinute: t.int({
      description: 'How many messages it may send in a minute.',
      resolve: ({ principal }) => principal.messagesPerMinute ?? MESSAGES_PER_MINUTE_DEFAULT,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'When it ends; renew it before (renewClientToken), or ask for another one.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
    renewableUntil: t.field({
      type: 'DateTime',
      description: 'No renewal goes beyond it. Not after expiresAt: it is not renewed.',
      resolve: ({ expiresAt, principal }) => principal.renewableUntil ?? expiresAt,
    }),
  }),
});

function tokenPayloadOf(name: string) {
  return builder.objectRef<{ clientToken: ClientToken; replayed: boolean }>(name).implement({
    description: 'A fresh token.',
    fields: (t) => ({
      clientToken: t.field({
        type: ClientTokenType,
        description: 'The token.',
        resolve: ({ clientToken }) => clientToken,
      }),
      replayed: t.exposeBoolean('replayed', { description: 'Always false: every call gives a fresh token.' }),
    }),
  });
}
const CreateClientTokenPayload = tokenPayloadOf('CreateClientTokenPayload');
const RenewClientTokenPayload = tokenPayloadOf('RenewClientTokenPayload');

/** For the audit log. */
function shownToken({ clientToken: { scopes, expiresAt } }: { readonly clientToken: ClientToken }): Shown {
  return { scopes: [...scopes], expiresAt };
}

const RevokeClientTokensPayload = builder
  .objectRef<{ sessionId: string | null; keyId: string | null; replayed: boolean }>(
    'RevokeClientTokensPayload',
  )
  .implement({
    description: 'The tokens open nothing more: here at once, on every server within a second.',
    fields: (t) => ({
      sessionId: t.exposeID('sessionId', { nullable: true, description: 'The session, if one was named.' }),
      keyId: t.exposeID('keyId', { nullable: true, description: 'The API key, if one was named.' }),
      replayed: t.exposeBoolean('replayed', {
        description: 'Always false: every call revokes what there is then.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  createClientToken: t.field({
    type: CreateClientTokenPayload,
    description:
      'Makes a token for a browser. It may do no more than your API key (READ needs sessions:read, the others sessions:write) and ends no later. Only the audit log knows of it.',
    ...auditIssue({ target: 'session', after: shownToken }),
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session that it opens.' }),
      scopes: t.arg({
        type: [ClientScopeEnum],
        description: 'What it may do: READ and STEER, as far as your API key may, when left out.',
      }),
      ttlSeconds: t.arg.int({
        description: 'How long it holds, and for how long each renewal: 60 to 86400, 3600 when left out.',
      }),
      level: t.arg({
        type: LevelEnum,
        description:
          'The most detailed events that there are for it; INTERNAL when left out. Filters that ask for more are narrowed to it; at USER there are no deltas.',
      }),
      thinking: t.arg.boolean({
        description:
          'Whether it sees what the model thinks: agent.thinking events and ThinkingDelta. False when left out; only at the level INTERNAL.',
      }),
      renewableSeconds: t.arg.int({
        description: `How long from now on it can be renewed: 0, never, to ${CLIENT_TOKEN_RENEWABLE_MAX_S}; ${CLIENT_TOKEN_RENEWABLE_DEFAULT_S} when left out.`,
      }),
      messagesPerMinute: t.arg.int({
        description: `How many messages it may send in a minute, and how many cancels: 1 to ${MESSAGES_PER_MINUTE_MAX}, ${MESSAGES_PER_MINUTE_DEFAULT} when left out. Each server counts for itself.`,
      }),
      idempotencyKey: t.arg.string({
        description: 'Not needed: nothing is stored, and every call gives a fresh token.',
      }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone] },
    resolve: async (_root, { sessionId, idempotencyKey, ...wish }, context) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'tokens.write', id);
      parseKey('idempotencyKey', idempotencyKey ?? undefined);
      await context.sessions.get(id);
      const clientToken = await context.access.mintClientToken(minterOf(context), id, {
        scopes: wish.scopes ?? undefined,
        ttlSeconds: wish.ttlSeconds ?? undefined,
        level: wish.level ?? undefined,
        thinking: wish.thinking ?? undefined,
        renewableSeconds: wish.renewableSeconds ?? undefined,
        messagesPerMinute: wish.messagesPerMinute ?? undefined,
      });
      return { clientToken, replayed: false };
    },
  }),
  renewClientToken: t.field({
    type: RenewClientTokenPayload,
    description:
      'By a client token itself: the same one for longer, up to its renewableUntil; of a narrowed one the same narrowed one. On a socket the fresh one takes its place there: subscriptions go on. An SSE stream ends with the token that it was opened with.',
    ...auditIssue({ target: 'session', after: shownToken }),
    args: {
      idempotencyKey: t.arg.string({
        description: 'Not needed: nothing is stored, and every call gives a fresh token.',
      }),
    },
    errors: { types: [InvalidInput, Forbidden, RateLimited, SessionNotFound, SessionGone] },
    resolve: async (_root, { idempotencyKey }, context) => {
      const { principal, access } = context;
      if (principal.kind !== 'client') permit(context, 'tokens.renew');
      parseKey('idempotencyKey', idempotencyKey ?? undefined);
      if (principal.kind !== 'client') throw new Forbidden('Only a client token renews itself.');
      permit(context, 'tokens.renew', principal.sessionId);
      spend(context, 'renewal');
      await context.sessions.get(principal.sessionId);
      const clientToken = access.clientTokens.renew(principal);
      context.renewed?.(clientToken.principal);
      return { clientToken, replayed: false };
    },
  }),
  revokeClientTokens: t.field({
    type: RevokeClientTokensPayload,
    description:
      'Ends all client tokens of a session, or all that an API key has minted, which there are now, with all that was renewed or narrowed from them. Their sockets are closed with 4403. Tokens that are minted afterwards are good.',
    ...auditChange({
      target: 'session',
      changed: ({ sessionId, keyId }: { sessionId: string | null; keyId: string | null }) => ({
        id: sessionId ?? keyId ?? '',
      }),
      shown: () => ({ revoked: true }),
    }),
    args: {
      sessionId: t.arg.id({ description: 'The session. Name either this or a key.' }),
      keyId: t.arg.id({ description: 'The API key.' }),
      idempotencyKey: t.arg.string({ description: 'Not needed: every call revokes what there is then.' }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone, ApiKeyNotFound] },
    resolve: async (_root, { sessionId, keyId, idempotencyKey }, context) => {
      permit(context, 'tokens.revoke');
      parseKey('idempotencyKey', idempotencyKey ?? undefined);
      const subject = await subjectOf(context, sessionId ?? undefined, keyId ?? undefined);
      await context.access.clientTokens.revoke(context.principal.organisationId, subject);
      return { sessionId: sessionId ?? null, keyId: keyId ?? null, replayed: false };
    },
  }),
}));

/** Whose tokens are meant, once it was found in the organisation that asks (ORGANISATION-1). */
async function subjectOf(
  { sessions, access, principal }: Context,
  sessionId: string | undefined,
  keyId: string | undefined,
): Promise<TokenSubject> {
  if ((sessionId === undefined) === (keyId === undefined))
    throw new InvalidInput('sessionId', 'name a session or an API key, and not both.');
  if (sessionId !== undefined) {
    const id = parseId('session', sessionId, 'sessionId');
    await sessions.get(id);
    return id;
  }
  const id = parseId('apiKey', keyId ?? '', 'keyId');
  await access.keysOf(principal.organisationId).get(id);
  return id;
}

/** TOKEN-8. Client tokens mint none: policy.ts. */
export function minterOf({ principal }: Context): Minter {
  if (principal.kind !== 'key') throw new Forbidden('Only an API key mints client tokens.');
  return principal;
}
