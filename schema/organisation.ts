/** Organisations: whom everything belongs to. There is one from the first start on; an operator makes others. */
import { OlderServerRuns, OrganisationNameTaken, OrganisationNotFound } from '../src/access/faults.ts';
import type { OrganisationRecord } from '../src/access/organisation-store.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { permit } from './context.ts';
import { KEY_DESCRIPTION } from './limits.ts';

const OrganisationType = builder.objectRef<OrganisationRecord>('Organisation').implement({
  description:
    'Whom agents, sessions, credentials and API keys belong to: each to one, and for ever. What another one has is not there.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'org_ and 24 hex digits.' }),
    name: t.exposeString('name', { description: 'A name for people, once on this deployment.' }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was made; of the first one, when it was set up.',
      resolve: ({ createdAt }) => createdAt,
    }),
  }),
});

const OrganisationConnection = connectionOf<OrganisationRecord>('Organisation', OrganisationType);
const LIST = 'organisations';

builder.queryFields((t) => ({
  organisation: t.field({
    type: OrganisationType,
    description: 'One organisation. For operators.',
    args: { id: t.arg.id({ required: true, description: 'The id of the organisation.' }) },
    errors: { types: [InvalidInput, Forbidden, OrganisationNotFound] },
    resolve: (_root, { id }, context) => {
      permit(context, 'organisations.read');
      return context.organisations.get(parseId('organisation', id, 'id'));
    },
  }),
  organisations: t.field({
    type: OrganisationConnection,
    description: 'All organisations, newest first. For operators.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
    },
    ...connectionCost(),
    resolve: (_root, args, context) => {
      permit(context, 'organisations.read');
      const before = parsePlace(LIST, args.after, (text) => isId('organisation', text));
      return pageOf(
        context,
        firstOf(args),
        (limit) => context.organisations.list({ limit, before }),
        (organisation) => placeOf(LIST, organisation),
      );
    },
  }),
}));

const CreateOrganisationPayload = builder
  .objectRef<{ organisation: OrganisationRecord; replayed: boolean }>('CreateOrganisationPayload')
  .implement({
    description: 'The organisation is there. It has no key yet: createApiKey with its id makes the first.',
    fields: (t) => ({
      organisation: t.field({
        type: OrganisationType,
        description: 'As it is now.',
        resolve: ({ organisation }) => organisation,
      }),
      replayed: t.exposeBoolean('replayed', {
        description: 'True when the same request had been done before.',
      }),
    }),
  });

builder.mutationField('createOrganisation', (t) =>
  t.field({
    type: CreateOrganisationPayload,
    description: 'Makes an organisation. For operators.',
    ...auditChange({
      target: 'organisation',
      changed: ({ organisation }: { organisation: OrganisationRecord }) => organisation,
      shown: ({ name }) => ({ name }),
    }),
    args: {
      name: t.arg.string({
        required: true,
        description: 'A name for people, once on this deployment: at most 128 bytes.',
      }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: {
      types: [InvalidInput, Forbidden, IdempotencyConflict, OrganisationNameTaken, OlderServerRuns],
    },
    resolve: (_root, { name, idempotencyKey }, context) => {
      permit(context, 'organisations.write');
      return context.organisations.create({ name, idempotencyKey: idempotencyKey ?? undefined });
    },
  }),
);
