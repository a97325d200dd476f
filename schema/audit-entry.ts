/** The audit log of an organisation: who changed what, and when. It can only be read. */
import { isId, type AuditEntryId } from '../src/kernel/id.ts';
import type { AuditFilter } from '../src/audit/audit-log.ts';
import {
  ACTOR_KINDS,
  AUDIT_OUTCOMES,
  type AuditActor,
  type AuditEntry,
  type AuditOutcome,
  type AuditTarget,
  type Origin,
  TARGET_KINDS,
} from '../src/audit/entry.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, parsePlace, placeOf, type Page } from './connection.ts';
import { type Context, permit } from './context.ts';

/** What an entry counts as in the cost of a query, beside its fields: it is read and parsed, and has up to some kilobytes. */
const ENTRY_POINTS = 5;

const OUTCOME: Readonly<Record<AuditOutcome, string>> = {
  begun: 'It is being done, or the server ended meanwhile: the thing itself tells whether it was.',
  done: 'It was done.',
  replayed: 'It had been done before; nothing was changed.',
  refused: 'It was refused, and nothing was changed; the code says why.',
  failed: 'It failed, the code says how: it may have been done in part.',
};

function enumOf<T extends string>(
  name: string,
  description: string,
  values: readonly T[],
  describe: (value: T) => string,
) {
  return builder.enumType(name, {
    description,
    values: Object.fromEntries(
      values.map((value) => [nameOf(value), { value, description: describe(value) }]),
    ),
  });
}

/** As GraphQL writes it: API_KEY. */
function nameOf(value: string): string {
  return value.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

const OutcomeEnum = enumOf(
  'AuditOutcome',
  'What came of a change.',
  AUDIT_OUTCOMES,
  (value) => OUTCOME[value],
);
const TargetKindEnum = enumOf(
  'AuditTargetKind',
  'What can be changed.',
  TARGET_KINDS,
  (value) => `Its id is that of the ${nameOf(value).toLowerCase().replaceAll('_', ' ')}.`,
);
const ACTOR: Readonly<Record<AuditActor['kind'], string>> = {
  key: 'An API key.',
  client: 'A client token; the id is that of its session.',
  system: 'The server by itself.',
};
const ActorKindEnum = enumOf(
  'AuditActorKind',
  'Who can change things.',
  ACTOR_KINDS,
  (value) => ACTOR[value],
);

const ActorType = builder.objectRef<AuditActor>('AuditActor').implement({
  description: 'Who asked for a change.',
  fields: (t) => ({
    kind: t.field({ type: ActorKindEnum, description: 'What it asked with.', resolve: ({ kind }) => kind }),
    id: t.id({
      nullable: true,
      description: 'Of the API key, or of the session of the client token.',
      resolve: ({ id }) => id ?? null,
    }),
    name: t.string({
      nullable: true,
      description: 'The name that the key had.',
      resolve: ({ name }) => name ?? null,
    }),
  }),
});

const TargetType = builder.objectRef<AuditTarget>('AuditTarget').implement({
  description: 'What was changed.',
  fields: (t) => ({
    kind: t.field({ type: TargetKindEnum, description: 'What it is.', resolve: ({ kind }) => kind }),
    id: t.exposeID('id', { description: 'Its id; it may be gone since.' }),
  }),
});

const OriginType = builder.objectRef<Origin>('AuditOrigin').implement({
  description: 'Where a request came from.',
  fields: (t) => ({
    address: t.string({
      nullable: true,
      description: 'The other end of the connection: of a proxy where there is one.',
      resolve: ({ address }) => address ?? null,
    }),
    userAgent: t.string({
      nullable: true,
      description: 'What the client says of itself, up to 256 characters.',
      resolve: ({ userAgent }) => userAgent ?? null,
    }),
  }),
});

const AuditEntryType = builder.objectRef<AuditEntry>('AuditEntry').implement({
  description:
    'One change, or that somebody tried. It never changes, and holds no key, token or text of a prompt.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'aud_ and 24 hex digits.' }),
    at: t.field({ type: 'DateTime', description: 'When it was asked for.', resolve: ({ at }) => at }),
    action: t.exposeString('action', {
      description: 'The name of the mutation, or what the server did by itself: retention.deleted.',
    }),
    actor: t.field({ type: ActorType, description: 'Who.', resolve: ({ actor }) => actor }),
    target: t.field({
      type: TargetType,
      nullable: true,
      description: 'What; null where nothing was made, or none was named by its id.',
      resolve: ({ target }) => target ?? null,
    }),
    before: t.field({
      type: 'JSON',
      nullable: true,
      description: 'What of it differs after: as it was. null where it was made.',
      resolve: ({ before }) => before ?? null,
    }),
    after: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The same, as it is since. null where it is gone.',
      resolve: ({ after }) => after ?? null,
    }),
    outcome: t.field({
      type: OutcomeEnum,
      description: 'What came of it.',
      resolve: ({ outcome }) => outcome,
    }),
    code: t.string({
      nullable: true,
      description: 'Why it was refused or failed.',
      resolve: ({ code }) => code ?? null,
    }),
    requestId: t.string({
      nullable: true,
      description: 'The request, as the log of the server names it.',
      resolve: ({ requestId }) => requestId ?? null,
    }),
    from: t.field({
      type: OriginType,
      nullable: true,
      description: 'From where; null for what the server did by itself.',
      resolve: ({ from }) => from ?? null,
    }),
  }),
});

const AuditFilterInput = builder.inputType('AuditFilter', {
  description: 'Which entries; what is left out passes all.',
  fields: (t) => ({
    action: t.string({ description: 'Of this mutation.' }),
    actorId: t.id({ description: 'By this API key, or by the client tokens of this session.' }),
    targetId: t.id({ description: 'About this thing.' }),
    since: t.field({ type: 'DateTime', description: 'From this moment on.' }),
    until: t.field({ type: 'DateTime', description: 'Before this moment.' }),
  }),
});

const LIST = 'auditEntries';

/** Where an entry is in its list. */
export function auditPlaceOf({ at, id }: Pick<AuditEntry, 'at' | 'id'>): string {
  return placeOf(LIST, { createdAt: at, id });
}

/** Throws InvalidInput. */
export function parseAuditPlace(after: string | null | undefined) {
  const place = parsePlace(
    LIST,
    after,
    (text): text is AuditEntryId => text === '' || isId('auditEntry', text),
  );
  return place === undefined ? undefined : { at: place.createdAt, id: place.id };
}

/** An entry as JSON, as GraphQL names and writes it. */
export function toldEntry(entry: AuditEntry): object {
  const { id, at, action, actor, target, before, after, outcome, code, requestId, from } = entry;
  return {
    id,
    at: new Date(at).toISOString(),
    action,
    actor: { kind: nameOf(actor.kind), id: actor.id ?? null, name: actor.name ?? null },
    target: target === undefined ? null : { ...target, kind: nameOf(target.kind) },
    before: before ?? null,
    after: after ?? null,
    outcome: nameOf(outcome),
    code: code ?? null,
    requestId: requestId ?? null,
    from: from === undefined ? null : { address: from.address ?? null, userAgent: from.userAgent ?? null },
  };
}

const AuditEntryConnection = connectionOf<AuditEntry>('AuditEntry', AuditEntryType);

builder.queryField('auditEntries', (t) =>
  t.field({
    type: AuditEntryConnection,
    description:
      'The audit log, newest first. With a filter a page may be shorter than asked for and have more behind it: go on at its endCursor.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
      filter: t.arg({ type: AuditFilterInput, description: 'Which; all when left out.' }),
    },
    ...connectionCost(ENTRY_POINTS),
    resolve: (_root, args, context) => {
      permit(context, 'audit.read');
      return pageOf(context, firstOf(args), parseAuditPlace(args.after), given(args.filter ?? {}));
    },
  }),
);

type Given = { readonly [name in keyof AuditFilter]: AuditFilter[name] | null };

function given({ action, actorId, targetId, since, until }: Given): AuditFilter {
  return {
    action: action ?? undefined,
    actorId: actorId ?? undefined,
    targetId: targetId ?? undefined,
    since: since ?? undefined,
    until: until ?? undefined,
  };
}

async function pageOf(
  { audit, budget, principal, reading }: Context,
  first: number,
  before: ReturnType<typeof parseAuditPlace>,
  filter: AuditFilter,
): Promise<Page<AuditEntry>> {
  const { entries, lookedTo } = await audit.list(
    principal.organisationId,
    filter,
    { limit: first + 1, before },
    () => budget.turn(),
  );
  reading.take(JSON.stringify(entries).length);
  return {
    nodes: entries.slice(0, first),
    hasNextPage: entries.length > first || lookedTo !== undefined,
    cursorOf: auditPlaceOf,
    endCursor: lookedTo === undefined ? undefined : auditPlaceOf(lookedTo),
  };
}
