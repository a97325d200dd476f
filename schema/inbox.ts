/** The inbox: what the sessions of an organisation wait for from people, and claims of it. Followed by schema/inbox-changed.ts. */
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { AlreadyClaimed, RequestGone, SessionArchived } from '../src/sessions/faults.ts';
import type { InboxPlace, InboxRequest } from '../src/sessions/inbox.ts';
import { waitingSince } from '../src/sessions/waits.ts';
import type { SessionEntry } from '../src/sessions/session-store.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf } from './connection.ts';
import { actorOf, permit } from './context.ts';
import { InboxRequestType, RequestKindEnum } from './inbox-request.ts';
import { CHANGE_KEY_DESCRIPTION } from './limits.ts';
import { PAYLOAD_SESSION, permitPayload } from './payload-session.ts';
import { SessionType } from './session.ts';

/** Of each request the event that asks is read. */
const REQUEST_POINTS = 5;

const InboxFilterInput = builder.inputType('InboxFilter', {
  description: 'Which requests; each that is left out lets all pass.',
  fields: (t) => ({
    kinds: t.field({ type: [RequestKindEnum], description: 'Only of these kinds.' }),
    agentId: t.id({ description: 'Only of sessions of this agent.' }),
    sessionId: t.id({ description: 'Only of this session.' }),
    claimed: t.boolean({
      description: 'true: only what somebody looks after now. false: only what nobody does.',
    }),
    claimedBy: t.string({
      description: 'Only what is claimed now for this assignee, or by the API key with this id.',
    }),
  }),
});

const InboxConnection = connectionOf<InboxRequest>('InboxRequest', InboxRequestType);

builder.queryField('inbox', (t) =>
  t.field({
    type: InboxConnection,
    description:
      'What the sessions wait for from people, the session that waits longest first. A page can be short, or empty, where few of many pass the filter: go on while hasNextPage.',
    args: {
      filter: t.arg({ type: InboxFilterInput, description: 'Which requests.' }),
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'Behind this place.' }),
    },
    ...connectionCost(REQUEST_POINTS),
    resolve: async (_root, { filter, first, after }, context) => {
      permit(context, 'inbox.read');
      const { kinds, agentId, sessionId, claimed, claimedBy } = filter ?? {};
      const page = await context.inbox.list({
        filter: {
          kinds: kinds ?? undefined,
          agentId: typeof agentId === 'string' ? parseId('agent', agentId, 'filter.agentId') : undefined,
          sessionId:
            typeof sessionId === 'string' ? parseId('session', sessionId, 'filter.sessionId') : undefined,
          claimed: claimed ?? undefined,
          claimedBy: claimedBy ?? undefined,
        },
        first: firstOf({ first }),
        from: placeOf(after),
        turn: () => context.budget.turn(),
      });
      context.reading.take(page.requests.reduce((sum, { event }) => sum + (event?.body.length ?? 0), 0));
      return {
        nodes: page.requests,
        hasNextPage: page.next !== undefined,
        cursorOf: ({ session, wait }) =>
          textOf({ since: waitingSince(session) ?? 0, id: session.id, after: wait.seq ?? 0 }),
        endCursor: page.next === undefined ? undefined : textOf(page.next),
      };
    },
  }),
);

function textOf({ since, id, after }: InboxPlace): string {
  return Buffer.from(`inbox-list ${since} ${id} ${after}`).toString('base64url');
}

/** Throws InvalidInput for a text that `textOf` did not make. */
function placeOf(after: string | null | undefined): InboxPlace | undefined {
  if (after === undefined || after === null) return undefined;
  const [list, since, id, seq, ...rest] = Buffer.from(after, 'base64url').toString().split(' ');
  const numbers = [since, seq].map((text) => (text === undefined || text === '' ? NaN : Number(text)));
  const [at, behind] = numbers as [number, number]; // of two
  const isOurs = list === 'inbox-list' && id !== undefined && isId('session', id) && rest.length === 0;
  if (!isOurs || !numbers.every(Number.isSafeInteger))
    throw new InvalidInput(
      'after',
      'this cursor is not one of this list; leave it out to read from the start.',
    );
  return { since: at, id, after: behind };
}

interface ClaimPayload extends SessionEntry {
  readonly replayed: boolean;
  readonly request?: InboxRequest | undefined;
}

function payloadOf(name: string, description: string) {
  return builder.objectRef<ClaimPayload>(name).implement({
    description,
    fields: (t) => ({
      session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (entry) => entry }),
      replayed: t.exposeBoolean('replayed', {
        description: 'True when it had been done before with the same idempotency key; nothing was done now.',
      }),
    }),
  });
}
const ClaimRequestPayload = payloadOf(
  'ClaimRequestPayload',
  'The request is claimed: whoever looks at the inbox sees by whom, and until when.',
);
const ReleaseRequestPayload = payloadOf('ReleaseRequestPayload', 'Nobody has claimed the request any more.');

const ClaimRequestInput = builder.inputType('ClaimRequestInput', {
  description: 'What to look after, and for how long.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'The session that waits.' }),
    requestId: t.id({ required: true, description: 'InboxRequest.id.' }),
    assignee: t.string({
      description:
        'For whom, in words of yours: the id of one of your people, where one API key is for all of them. At most 128 bytes.',
    }),
    seconds: t.int({ description: 'How long: 1 to 86400, 600 when left out. Claim again to renew.' }),
  }),
});

builder.mutationFields((t) => ({
  claimRequest: t.field({
    type: ClaimRequestPayload,
    description:
      'Says who looks after a request, so that nobody else has to. Whoever has it renews it by claiming again. It keeps nobody from answering.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: ClaimRequestInput, required: true, description: 'What to claim.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        SessionNotFound,
        SessionGone,
        SessionArchived,
        AlreadyClaimed,
        RequestGone,
        LogFull,
        IdempotencyConflict,
      ],
    },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.sessionId, 'sessionId');
      permit(context, 'inbox.claim', sessionId);
      permitPayload(context, info, sessionId);
      return context.inbox.claim({
        sessionId,
        requestId: input.requestId,
        assignee: input.assignee ?? undefined,
        seconds: input.seconds ?? undefined,
        actor: actorOf(context),
        idempotencyKey: idempotencyKey ?? undefined,
        audit: context.audits,
      });
    },
  }),
  releaseRequest: t.field({
    type: ReleaseRequestPayload,
    description:
      'Ends the claim of a request, also one of somebody else. When nobody has it, nothing happens.',
    ...auditCommand(),
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session that waits.' }),
      requestId: t.arg.id({ required: true, description: 'InboxRequest.id.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: {
      types: [InvalidInput, Forbidden, SessionNotFound, SessionGone, LogFull, IdempotencyConflict],
    },
    resolve: (_root, { sessionId, requestId, idempotencyKey }, context, info) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'inbox.claim', id);
      permitPayload(context, info, id);
      return context.inbox.release({
        sessionId: id,
        requestId,
        actor: actorOf(context),
        idempotencyKey: idempotencyKey ?? undefined,
        audit: context.audits,
      });
    },
  }),
}));
