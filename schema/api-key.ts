/** API keys: what programs come in with. Their values are shown once. */
import type { ApiKeys, KeyHolder, ShownKey } from '../src/access/api-keys.ts';
import { ApiKeyNotFound, ApiKeyRevoked, LastKey, OrganisationNotFound } from '../src/access/faults.ts';
import type { ApiKey } from '../src/access/key-store.ts';
import { KEY_SCOPES } from '../src/access/principal.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { KEY_OVERLAP_SECONDS_DEFAULT, KEY_OVERLAP_SECONDS_MAX } from '../src/kernel/limit.ts';
import { parseKey } from '../src/kernel/request-hash.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { type Context, permit } from './context.ts';
import { KEY_DESCRIPTION } from './limits.ts';

const [SESSIONS_READ, SESSIONS_WRITE, AGENTS_WRITE, CREDENTIALS_WRITE, KEYS_WRITE, OPERATOR] = KEY_SCOPES;
const KeyScopeEnum = builder.enumType('KeyScope', {
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

const ApiKeyType = builder.objectRef<ApiKey>('ApiKey').implement({
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

interface OfOrganisation {
  readonly organisationId?: unknown;
}

const ApiKeyConnection = connectionOf<ApiKey>('ApiKey', ApiKeyType);
const LIST = 'apiKeys';
const OF_DESCRIPTION = 'Of another organisation than its own, for operators.';
const EXPIRES_DESCRIPTION = 'When it ends by itself, within ten years.';

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

const CreateApiKeyInput = builder.inputType('CreateApiKeyInput', {
  description: 'An API key to make.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'A name for people, at most 128 bytes: what the key is for.',
    }),
    scopes: t.field({
      type: [KeyScopeEnum],
      required: true,
      description: 'What it may do: no more than the key that makes it, unless that one is an operator.',
    }),
    expiresAt: t.field({ type: 'DateTime', description: `${EXPIRES_DESCRIPTION} Left out: it does not.` }),
    organisationId: t.id({ description: OF_DESCRIPTION }),
  }),
});

const RotateApiKeyInput = builder.inputType('RotateApiKeyInput', {
  description: 'A key to give a new value.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The key.' }),
    overlapSeconds: t.int({
      description: `How long values of before still open: 0 to ${KEY_OVERLAP_SECONDS_MAX}, ${KEY_OVERLAP_SECONDS_DEFAULT} when left out. 0 when the value has leaked.`,
    }),
    expiresAt: t.field({ type: 'DateTime', description: `${EXPIRES_DESCRIPTION} Left out: as it was.` }),
    organisationId: t.id({ description: OF_DESCRIPTION }),
  }),
});

function shownPayload(name: string, description: string) {
  return builder.objectRef<ShownKey>(name).implement({
    description,
    fields: (t) => ({
      apiKey: t.field({ type: ApiKeyType, description: 'As it is now.', resolve: ({ apiKey }) => apiKey }),
      value: t.string({
        nullable: true,
        description:
          'What to send as `Authorization: Bearer <value>`. Shown this once; null in a replay: if it was lost, rotate the key.',
        resolve: ({ value }) => value ?? null,
      }),
      replayed: t.exposeBoolean('replayed', {
        description: 'True when the same request had been done before.',
      }),
    }),
  });
}
const CreateApiKeyPayload = shownPayload('CreateApiKeyPayload', 'The key is there.');
const RotateApiKeyPayload = shownPayload('RotateApiKeyPayload', 'The key has a new value.');
const RevokeApiKeyPayload = builder
  .objectRef<{ apiKey: ApiKey; replayed: boolean }>('RevokeApiKeyPayload')
  .implement({
    description: 'The key opens nothing any more.',
    fields: (t) => ({
      apiKey: t.field({ type: ApiKeyType, description: 'As it is now.', resolve: ({ apiKey }) => apiKey }),
      replayed: t.exposeBoolean('replayed', { description: 'True when it had been revoked before.' }),
    }),
  });

const elsewhere = ({
  input,
  organisationId,
}: OfOrganisation & { readonly input?: OfOrganisation | null }): unknown =>
  input?.organisationId ?? organisationId;

const keyOf = ({ apiKey }: { readonly apiKey: ApiKey }): ApiKey => apiKey;

function foundKey({ access, principal }: Context, id: string): Promise<ApiKey> {
  return access.keysOf(principal.organisationId).get(parseId('apiKey', id));
}

/** For the audit log: no hash. */
function shownKey({ organisationId, name, scopes, expiresAt, revokedAt, rotatedAt, retired = [] }: ApiKey) {
  const overlaps = retired.map(({ until }) => until);
  return { organisationId, name, scopes: [...scopes], expiresAt, revokedAt, rotatedAt, overlaps };
}

builder.mutationFields((t) => ({
  createApiKey: t.field({
    type: CreateApiKeyPayload,
    description: 'Makes an API key and shows its value, once.',
    ...auditChange({ target: 'apiKey', elsewhere, changed: keyOf, shown: shownKey }),
    args: {
      input: t.arg({ type: CreateApiKeyInput, required: true, description: 'The key to make.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, IdempotencyConflict, OrganisationNotFound] },
    resolve: async (_root, { input, idempotencyKey }, context) => {
      permit(context, 'keys.write');
      const { name, scopes, expiresAt, organisationId } = input;
      const keys = await keysOf(context, 'organisations.write', organisationId);
      return keys.create(holderOf(context), {
        name,
        scopes,
        expiresAt: expiresAt ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  rotateApiKey: t.field({
    type: RotateApiKeyPayload,
    description:
      'Gives a key a new value under its id, and shows it, once. Values of before open until the overlap is over.',
    ...auditChange({ target: 'apiKey', elsewhere, find: foundKey, changed: keyOf, shown: shownKey }),
    args: {
      input: t.arg({ type: RotateApiKeyInput, required: true, description: 'The key, and for how long.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        IdempotencyConflict,
        ApiKeyNotFound,
        ApiKeyRevoked,
        OrganisationNotFound,
      ],
    },
    resolve: async (_root, { input, idempotencyKey }, context) => {
      permit(context, 'keys.write');
      const keys = await keysOf(context, 'organisations.write', input.organisationId);
      return keys.rotate(holderOf(context), parseId('apiKey', input.id, 'id'), {
        overlapSeconds: input.overlapSeconds ?? undefined,
        expiresAt: input.expiresAt ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  revokeApiKey: t.field({
    type: RevokeApiKeyPayload,
    description:
      'Ends a key for good, on every server within a second, with what it has open and the client tokens that it made.',
    ...auditChange({ target: 'apiKey', elsewhere, find: foundKey, changed: keyOf, shown: shownKey }),
    args: {
      id: t.arg.id({ required: true, description: 'The key.' }),
      organisationId: t.arg.id({ description: OF_DESCRIPTION }),
      idempotencyKey: t.arg.string({
        description: 'Not needed: what was revoked before is answered with `replayed: true`.',
      }),
    },
    errors: { types: [InvalidInput, Forbidden, ApiKeyNotFound, LastKey, OrganisationNotFound] },
    resolve: async (_root, { id, organisationId, idempotencyKey }, context) => {
      permit(context, 'keys.write');
      parseKey('idempotencyKey', idempotencyKey ?? undefined);
      const keys = await keysOf(context, 'organisations.write', organisationId);
      return keys.revoke(holderOf(context), parseId('apiKey', id, 'id'));
    },
  }),
}));

/** Of the asker's organisation, or of another one for an operator. Throws Forbidden, OrganisationNotFound. */
async function keysOf(
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

/** The policy has let none but the holder of a key come here. */
function holderOf({ principal }: Context): KeyHolder {
  if (principal.kind === 'key') return principal;
  throw new Forbidden('This needs an API key.');
}
