/** Client tokens: for browsers. One session, some scopes, for a while. */
import type { ClientToken } from '../src/access/access.ts';
import { CLIENT_SCOPES } from '../src/access/principal.ts';
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { parseKey } from '../src/kernel/request-hash.ts';
import { builder } from './builder.ts';
import { permit } from './context.ts';

const [READ, STEER, ANSWER, CANCEL] = CLIENT_SCOPES;
const ClientScopeEnum = builder.enumType('ClientScope', {
  description: 'What a client token may do.',
  values: {
    READ: { value: READ, description: 'Follow and list the events of its session.' },
    STEER: { value: STEER, description: 'Send messages to its session.' },
    ANSWER: { value: ANSWER, description: 'Answer what the agent asks, and say nothing else.' },
    CANCEL: { value: CANCEL, description: 'End the running turn.' },
  } as const,
});

export const ClientTokenType = builder.objectRef<ClientToken>('ClientToken').implement({
  description: 'What a browser may hold: it opens one session and nothing else.',
  fields: (t) => ({
    token: t.exposeString('token', { description: 'Send it as `Authorization: Bearer <token>`.' }),
    scopes: t.field({
      type: [ClientScopeEnum],
      description: 'What it may do.',
      resolve: ({ scopes }) => [...scopes],
    }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'When it ends; ask for another one before.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
  }),
});

const CreateClientTokenPayload = builder
  .objectRef<{ clientToken: ClientToken; replayed: boolean }>('CreateClientTokenPayload')
  .implement({
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

builder.mutationField('createClientToken', (t) =>
  t.field({
    type: CreateClientTokenPayload,
    description: 'Makes a token for a browser. It stores nothing; a token ends by itself.',
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session that it opens.' }),
      scopes: t.arg({
        type: [ClientScopeEnum],
        description: 'What it may do: READ and STEER when left out.',
      }),
      ttlSeconds: t.arg.int({ description: 'How long it holds: 60 to 86400, 3600 when left out.' }),
      idempotencyKey: t.arg.string({
        description: 'Not needed: nothing is stored, and every call gives a fresh token.',
      }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone] },
    resolve: async (_root, { sessionId, scopes, ttlSeconds, idempotencyKey }, context) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'tokens.write', id);
      parseKey('idempotencyKey', idempotencyKey ?? undefined);
      await context.sessions.get(id);
      const wish = { scopes: scopes ?? undefined, ttlSeconds: ttlSeconds ?? undefined };
      return { clientToken: context.access.mintClientToken(context.principal, id, wish), replayed: false };
    },
  }),
);
