/** What waits for people: one request, as the inbox lists it and its followers are sent it, and who looks after it. */
import type { InboxRequest } from '../src/sessions/inbox.ts';
import type { Claim } from '../src/sessions/waits.ts';
import { builder } from './builder.ts';
import { valueOf } from './event-value.ts';
import { SessionType } from './session.ts';

export const RequestKindEnum = builder.enumType('InboxRequestKind', {
  description: 'What a session waits for.',
  values: {
    QUESTION: { value: 'question', description: 'The agent asks; the next message is the answer.' },
    APPROVAL: { value: 'approval', description: 'Somebody has to allow a tool call, or deny it.' },
    CLIENT: { value: 'client', description: 'Somebody has to run a tool, and say what came of it.' },
  } as const,
});

const RequestClaimType = builder.objectRef<Claim>('RequestClaim').implement({
  description: 'Somebody looks after a request. It keeps nobody from answering.',
  fields: (t) => ({
    assignee: t.string({
      nullable: true,
      description: 'For whom it was claimed, in the words of who did.',
      resolve: ({ assignee }) => assignee ?? null,
    }),
    apiKeyId: t.id({
      nullable: true,
      description: 'The API key that claimed it.',
      resolve: ({ by }) => by.id ?? null,
    }),
    apiKeyName: t.string({
      nullable: true,
      description: 'The name that the key had.',
      resolve: ({ by }) => by.display ?? null,
    }),
    at: t.field({ type: 'DateTime', description: 'Since when.', resolve: ({ at }) => at }),
    expiresAt: t.field({
      type: 'DateTime',
      description: 'When it ends by itself; nothing is sent then.',
      resolve: ({ expiresAt }) => expiresAt,
    }),
  }),
});

export const InboxRequestType = builder.objectRef<InboxRequest>('InboxRequest').implement({
  description: 'Something that a session waits for from people.',
  fields: (t) => ({
    id: t.id({
      description: 'Unique in its session: the id of the tool call, or of the event that asks.',
      resolve: ({ wait }) => wait.id,
    }),
    session: t.field({
      type: SessionType,
      description: 'The session that waits.',
      resolve: ({ session, head }) => ({ session, head }),
    }),
    kind: t.field({ type: RequestKindEnum, description: 'What for.', resolve: ({ wait }) => wait.kind }),
    since: t.field({ type: 'DateTime', description: 'Since when.', resolve: ({ wait }) => wait.since }),
    expiresAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it is given up; null: it waits for as long as it takes.',
      resolve: ({ wait }) => wait.expiresAt ?? null,
    }),
    tool: t.string({
      nullable: true,
      description: 'Of a tool call: the name of the tool.',
      resolve: ({ wait }) => wait.tool ?? null,
    }),
    input: t.field({
      type: 'JSON',
      nullable: true,
      description: 'Of a tool call: what the model passed to it.',
      resolve: ({ wait, event }) =>
        event === undefined || wait.kind === 'question' ? null : valueOf(event, 'input'),
    }),
    question: t.string({
      nullable: true,
      description: 'Of a question: what the agent asks.',
      resolve: ({ wait, event }) => (wait.kind === 'question' ? textOf(event) : null),
    }),
    reason: t.string({
      nullable: true,
      description: 'Of an approval: why it is asked for, as the rule says it.',
      resolve: ({ wait, event }) =>
        event === undefined || wait.kind !== 'approval' ? null : (valueOf(event, 'reason') as string | null), // event-catalog.ts
    }),
    isCut: t.boolean({
      description:
        'True when input or question is long and only its beginning is here; the event has the rest.',
      resolve: ({ event }) => event?.spilledBytes !== undefined,
    }),
    claim: t.field({
      type: RequestClaimType,
      nullable: true,
      description: 'Who looks after it now; null: nobody.',
      resolve: ({ wait }, _args, { inbox }) => inbox.claimOf(wait) ?? null,
    }),
  }),
});

function textOf(event: InboxRequest['event']): string | null {
  return event?.type === 'agent.message' ? String(valueOf(event, 'text')) : null;
}
