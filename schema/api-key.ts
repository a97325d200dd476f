/** API keys: what programs come in with. What changes them is in schema/api-key-change.ts. */
import type { ApiKeys } from '../src/access/api-keys.ts';
import { ApiKeyNotFound, OrganisationNotFound } from '../src/access/faults.ts';
import type { ApiKey } from '../src/access/key-store.ts';
import { KEY_SCOPES } from '../src/access/principal.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { type Context, permit } from './context.ts';

const [SESSIONS_READ, SESSIONS_WRITE, AGENTS_WRITE, CREDENTIALS_WRITE, KEYS_WRITE, OPERATOR] = KEY_SCOPES;
export const KeyScopeEnum = builder.enumType('KeyScope', {
  description: 'What an API key may do in its organisation.',
  values: {
    SESSIONS_READ: { value: SESSIONS_READ, description: 'Look at sessions, follow them, and see agents.' },
    SESSIONS_WRITE: {
      value: SESSIONS_WRITE,
      description:
        'Start sessions, send messages, end turns, change and archive sessions, make client tokens.',
    },
    AGENTS_WRITE: { value: AGENTS_WRITE, description: 'Make and change agents, and see them.' },
    CREDENTIALS_WRITE: { value: CREDENTIALS_WRITE, description: 'Store and change model keys.' },
    KEYS_WRITE: {
      value: KEYS_WRITE,
      description: 'Make, rotate and revoke API keys, none of which may do more than its maker.',
    },
    OPERATOR: {
      value: OPERATOR,
      description: 'Make organisations and their keys, beyond its own organisation and with any scope.',
    },
  } as const,
});

export const ApiKeyType = builder.objectRef<ApiKey>('ApiKey').implement({
  description: 'What a program comes in with, without its value, of which only a hash is kept.',
  fields: (t) => ({
    id: t.exposeID('id', {
      description: 'key_ and 24 hex digits; the `actor` of what it causes. Rotation does not change it.',
    }),
    name: t.exposeString('name', { description: 'A name for people, shown as the actor of what it causes.' }),
    organisationId: t.exposeID('organisationId', { description: 'Whose it is.' }),
    scopes: t.field({
      type: [KeyScopeEnum],
      description: 'What it may do.',
      resolve: ({ scopes }) => [...scopes],
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was made.',
      resolve: ({ createdAt }) => createdAt,
    }),
    createdBy: t.id({
      nullable: true,
      description:
        'The key that made it; null: an operator of another organisation did, or the server at a start.',
      resolve: ({ createdBy }) => createdBy ?? null,
    }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it ends by itself; null: it does not.',
      resolve: ({ expiresAt }) => expiresAt ?? null,
    }),
    rotatedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it was last given a new value.',
      resolve: ({ rotatedAt }) => rotatedAt ?? null,
    }),
    overlapEndsAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Until when a value of before its last rotation opens; null: only the newest was left.',
      resolve: ({ retired = [] }) =>
        retired.length === 0 ? null : Math.max(...retired.map(({ until }) => until)),
    }),
    lastUsedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null: not yet.',
      resolve: ({ lastUsedAt }) => lastUsedAt ?? null,
    }),
    revokedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it was revoked, which is for good; null: it was not.',
      resolve: ({ revokedAt }) => revokedAt ?? null,
    }),
  }),
});

const ApiKeyConnection = connectionOf<ApiKey>('ApiKey', ApiKeyType);
const LIST = 'apiKeys';
export const OF_DESCRIPTION = 'Of another organisation than its own, for operators.';

builder.queryFields((t) => ({
  apiKey: t.field({
    type: ApiKeyType,
    description: 'One API key, also when it was revoked.',
    args: {
      id: t.arg.id({ required: true, description: 'The id of the key.' }),
      organisationId: t.arg.id({ description: OF_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, ApiKeyNotFound, OrganisationNotFound] },
    resolve: async (_root, { id, organisationId }, context) => {
      permit(context, 'keys.read');
      const keys = await keysOf(context, 'organisations.read', organisationId);
      return keys.get(parseId('apiKey', id, 'id'));
    },
  }),
  apiKeys: t.field({
    type: ApiKeyConnection,
    description: 'All API keys of the organisation, newest first, with those that were revoked.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
      organisationId: t.arg.id({ description: OF_DESCRIPTION }),
    },
    ...connectionCost(),
    resolve: async (_root, args, context) => {
      permit(context, 'keys.read');
      const before = parsePlace(LIST, args.after, (text) => isId('apiKey', text));
      const keys = await keysOf(context, 'organisations.read', args.organisationId);
      return pageOf(
        context,
        firstOf(args),
        (limit) => keys.list({ limit, before }),
        (key) => placeOf(LIST, key),
      );
    },
  }),
}));

/** Of the asker's organisation, or of another one for an operator. Throws Forbidden, OrganisationNotFound. */
export async function keysOf(
  context: Context,
  action: 'organisations.read' | 'organisations.write',
  given: string | null | undefined,
): Promise<ApiKeys> {
  const { access, organisations, principal } = context;
  const own = principal.organisationId;
  if (given === undefined || given === null || given === own) return access.keysOf(own);
  permit(context, action);
  const { id } = await organisations.get(parseId('organisation', given, 'organisationId'));
  return access.keysOf(id);
}
