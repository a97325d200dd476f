/** Making, rotating and revoking API keys. Their values are shown once. */
import type { KeyHolder, ShownKey } from '../src/access/api-keys.ts';
import { ApiKeyNotFound, ApiKeyRevoked, LastKey, OrganisationNotFound } from '../src/access/faults.ts';
import type { ApiKey } from '../src/access/key-store.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { KEY_OVERLAP_SECONDS_DEFAULT, KEY_OVERLAP_SECONDS_MAX } from '../src/kernel/limit.ts';
import { parseKey } from '../src/kernel/request-hash.ts';
import { ApiKeyType, keysOf, KeyScopeEnum, OF_DESCRIPTION } from './api-key.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { type Context, permit } from './context.ts';
import { KEY_DESCRIPTION } from './limits.ts';

const EXPIRES_DESCRIPTION = 'When it ends by itself, within ten years.';

interface OfOrganisation {
  readonly organisationId?: unknown;
}

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

/** The policy has let none but the holder of a key come here. */
function holderOf({ principal }: Context): KeyHolder {
  if (principal.kind === 'key') return principal;
  throw new Forbidden('This needs an API key.');
}
