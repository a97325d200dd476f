/** Credentials: model keys. A key goes in and never comes out. */
import type { Shown } from '../src/audit/entry.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { parseKey } from '../src/kernel/request-hash.ts';
import type { Credential } from '../src/secrets/credential-store.ts';
import { CredentialNotFound } from '../src/secrets/faults.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { type Context, permit } from './context.ts';
import { givenKey } from './scalar.ts';
import { CHANGE_KEY_DESCRIPTION, KEY_DESCRIPTION } from './limits.ts';

const CredentialType = builder.objectRef<Credential>('Credential').implement({
  description: 'A model key, without the key.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'cred_ and 24 hex digits.' }),
    provider: t.exposeString('provider', { description: 'Whose key it is: anthropic.' }),
    name: t.string({
      nullable: true,
      description: 'A name for people.',
      resolve: ({ name }) => name ?? null,
    }),
    last4: t.exposeString('last4', {
      description: 'The last four characters of the key, to tell keys apart.',
    }),
    isDefault: t.exposeBoolean('isDefault', {
      description: 'Used by agents without a credential of their own.',
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was stored.',
      resolve: ({ createdAt }) => createdAt,
    }),
    rotatedAt: t.field({
      type: 'DateTime',
      description: 'When the key was last replaced.',
      resolve: ({ rotatedAt }) => rotatedAt,
    }),
  }),
});

const CredentialConnection = connectionOf<Credential>('Credential', CredentialType);
const LIST = 'credentials';

builder.queryFields((t) => ({
  credential: t.field({
    type: CredentialType,
    description: 'One credential.',
    args: { id: t.arg.id({ required: true, description: 'The id of the credential.' }) },
    errors: { types: [InvalidInput, Forbidden, CredentialNotFound] },
    resolve: (_root, { id }, context) => {
      permit(context, 'credentials.read');
      return context.credentials.get(parseId('credential', id, 'id'));
    },
  }),
  credentials: t.field({
    type: CredentialConnection,
    description: 'All credentials, newest first.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
    },
    ...connectionCost(),
    resolve: (_root, args, context) => {
      permit(context, 'credentials.read');
      const before = parsePlace(LIST, args.after, (text) => isId('credential', text));
      return pageOf(
        context,
        firstOf(args),
        (limit) => context.credentials.list({ limit, before }),
        (credential) => placeOf(LIST, credential),
      );
    },
  }),
}));

const CreateCredentialInput = builder.inputType('CreateCredentialInput', {
  description: 'A model key to keep.',
  fields: (t) => ({
    provider: t.string({ required: true, description: 'Whose key it is: anthropic.' }),
    key: t.field({
      type: 'Secret',
      required: true,
      description: 'The key itself; sealed at once, never shown again.',
    }),
    name: t.string({ description: 'A name for people.' }),
    isDefault: t.boolean({
      description:
        'Take the place of the default. The first of a provider that is not the inline key of an agent is the default anyway.',
    }),
  }),
});

const UpdateCredentialInput = builder.inputType('UpdateCredentialInput', {
  description: 'What to change of a credential; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The credential to change.' }),
    key: t.field({
      type: 'Secret',
      description: 'A new key: running sessions use it at their next model call.',
    }),
    name: t.string({ description: 'Another name.' }),
    isDefault: t.boolean({
      description: 'true: take the place of the default. To end a default, make another one the default.',
    }),
  }),
});

interface CredentialPayload {
  readonly credential: Credential;
  readonly replayed: boolean;
}

function payloadOf(name: string, description: string, replayed: string) {
  return builder.objectRef<CredentialPayload>(name).implement({
    description,
    fields: (t) => ({
      credential: t.field({
        type: CredentialType,
        description: 'As it is now.',
        resolve: ({ credential }) => credential,
      }),
      replayed: t.exposeBoolean('replayed', { description: replayed }),
    }),
  });
}
const CreateCredentialPayload = payloadOf(
  'CreateCredentialPayload',
  'The key is stored.',
  'True when the same request had been done before.',
);
const UpdateCredentialPayload = payloadOf(
  'UpdateCredentialPayload',
  'The credential is as asked.',
  'True when nothing differed, or when it had been done before with the same idempotency key; a given key counts as new otherwise.',
);
const DeleteCredentialPayload = builder
  .objectRef<{ id: string; replayed: boolean }>('DeleteCredentialPayload')
  .implement({
    description: 'The key is gone.',
    fields: (t) => ({
      id: t.exposeID('id', { description: 'The credential that is gone.' }),
      replayed: t.exposeBoolean('replayed', { description: 'True when it had been gone before.' }),
    }),
  });

/** For the audit log: of the key its end, and when it was replaced. */
function shownCredential({ provider, name, last4, isDefault, rotatedAt, agent }: Credential): Shown {
  return { provider, name, last4, isDefault, rotatedAt, agent };
}
const changed = ({ credential }: CredentialPayload): Credential => credential;
const find = ({ credentials }: Context, id: string): Promise<Credential> =>
  credentials.get(parseId('credential', id));

builder.mutationFields((t) => ({
  createCredential: t.field({
    type: CreateCredentialPayload,
    description: 'Stores a model key, sealed.',
    ...auditChange({ target: 'credential', changed, shown: shownCredential }),
    args: {
      input: t.arg({
        type: CreateCredentialInput,
        required: true,
        description: 'The key and what it is for.',
      }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, IdempotencyConflict] },
    resolve: (_root, { input, idempotencyKey }, context) => {
      permit(context, 'credentials.write');
      return context.credentials.create({
        provider: input.provider,
        key: input.key,
        name: input.name ?? undefined,
        isDefault: input.isDefault ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  updateCredential: t.field({
    type: UpdateCredentialPayload,
    description: 'Replaces the key, renames it, or makes it the default.',
    ...auditChange({ target: 'credential', find, changed, shown: shownCredential }),
    args: {
      input: t.arg({ type: UpdateCredentialInput, required: true, description: 'What to change.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, CredentialNotFound, IdempotencyConflict] },
    resolve: (_root, { input, idempotencyKey }, context) => {
      permit(context, 'credentials.write');
      return context.credentials.update(parseId('credential', input.id, 'id'), {
        key: givenKey(input.key),
        name: input.name ?? undefined,
        isDefault: input.isDefault ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  deleteCredential: t.field({
    type: DeleteCredentialPayload,
    ...auditChange({ target: 'credential', find, shown: shownCredential }),
    description:
      "Forgets a key. Sessions that use it go on with their agent's credential, else the default, else the server's own key; without any, they fail at their next model call.",
    args: {
      id: t.arg.id({ required: true, description: 'The credential to forget.' }),
      idempotencyKey: t.arg.string({
        description:
          'With any key, forgetting what is gone already answers `replayed: true` in place of CredentialNotFound.',
      }),
    },
    errors: { types: [InvalidInput, Forbidden, CredentialNotFound] },
    resolve: async (_root, args, context) => {
      permit(context, 'credentials.write');
      const key = parseKey('idempotencyKey', args.idempotencyKey ?? undefined);
      const id = parseId('credential', args.id, 'id');
      try {
        await context.credentials.delete(id);
        return { id, replayed: false };
      } catch (error) {
        if (key === undefined || !(error instanceof CredentialNotFound)) throw error;
        return { id, replayed: true };
      }
    },
  }),
}));
