/** Following the inbox. Each frame is small (src/sessions/inbox-follow.ts INBOX-5), so it is made by plain execution, whatever the transport. */
import { Forbidden } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { tail } from '../src/kernel/tail.ts';
import type { WaitFilter } from '../src/sessions/inbox.ts';
import { inboxCursorText, parseInboxCursor } from '../src/sessions/inbox-cursor.ts';
import {
  FRAME_REQUESTS_MAX,
  FRAME_SESSIONS_MAX,
  InboxFollow,
  type InboxFrame,
  type SessionRequests,
} from '../src/sessions/inbox-follow.ts';
import { TOOL_CALLS_MAX } from '../src/kernel/limit.ts';
import { builder } from './builder.ts';
import { type Context, permit } from './context.ts';
import { costing } from './cost.ts';
import { InboxRequestType, RequestKindEnum } from './inbox-request.ts';

/** In the mean: a frame may be over FRAME_REQUESTS_MAX by one session (INBOX-5). */
const REQUESTS_EACH = Math.ceil((FRAME_REQUESTS_MAX + TOOL_CALLS_MAX) / FRAME_SESSIONS_MAX);

const SessionRequestsType = builder.objectRef<SessionRequests>('SessionRequests').implement({
  description:
    'All that waits in one session now and passes the filter. Put it in the place of what you have of that session.',
  fields: (t) => ({
    sessionId: t.id({ description: 'The session.', resolve: ({ sessionId }) => sessionId }),
    requests: t.field({
      type: [InboxRequestType],
      ...costing({ items: REQUESTS_EACH }),
      description: 'In the order in which they came; empty: nothing waits there, or the session is gone.',
      resolve: ({ requests }) => [...requests],
    }),
  }),
});

const InboxFrameType = builder.objectRef<InboxFrame>('InboxFrame').implement({
  description: 'Some of what waits, or of what has changed of it.',
  fields: (t) => ({
    changes: t.field({
      type: [SessionRequestsType],
      ...costing({ items: FRAME_SESSIONS_MAX }),
      description: 'At most 50 sessions, each with all that waits in it.',
      resolve: ({ changes }) => [...changes],
    }),
    cursor: t.string({
      description: 'Follow from here, on any server, once you have put the changes into your list.',
      resolve: ({ cursor }) => inboxCursorText(cursor),
    }),
    isCaughtUp: t.exposeBoolean('isCaughtUp', {
      description: 'Your list is as the inbox was a moment ago. False: more comes at once.',
    }),
  }),
});

const FilterInput = builder.inputType('InboxChangesFilter', {
  description:
    'Which requests; each that is left out lets all pass. Claims are no part of it, since they end by themselves: look at claim.expiresAt.',
  fields: (t) => ({
    kinds: t.field({ type: [RequestKindEnum], description: 'Only of these kinds.' }),
    agentId: t.id({ description: 'Only of sessions of this agent.' }),
    sessionId: t.id({ description: 'Only of this session.' }),
  }),
});

interface Given {
  readonly kinds?: WaitFilter['kinds'] | null | undefined;
  readonly agentId?: string | null | undefined;
  readonly sessionId?: string | null | undefined;
}

builder.subscriptionField('inboxChanged', (t) =>
  t.field({
    type: InboxFrameType,
    description:
      'Follows the inbox as a list with the session for its key: first all that waits, then what changes. With `after` only what has changed since then, also what is gone.',
    args: {
      filter: t.arg({
        type: FilterInput,
        description: 'Which requests; the same as when the cursor was given.',
      }),
      after: t.arg.string({ description: 'InboxFrame.cursor; all that waits when left out.' }),
    },
    subscribe: (_root, { filter, after }, context) => {
      permit(context, 'inbox.read');
      return framesOf(context, filterOf(filter ?? {}), after ?? undefined);
    },
    resolve: (frame) => frame,
  }),
);

/** Throws InvalidInput. */
function filterOf({ kinds, agentId, sessionId }: Given): WaitFilter {
  return {
    kinds: kinds ?? undefined,
    agentId: typeof agentId === 'string' ? parseId('agent', agentId, 'filter.agentId') : undefined,
    sessionId: typeof sessionId === 'string' ? parseId('session', sessionId, 'filter.sessionId') : undefined,
  };
}

function framesOf(
  context: Context,
  filter: WaitFilter,
  given: string | undefined,
): AsyncIterableIterator<InboxFrame> {
  const { inbox, budget, reading, signal } = context;
  const after = given === undefined ? undefined : parseInboxCursor(given);
  const follow = new InboxFollow({ inbox, filter, after, turn: () => budget.turn() });
  const abort = new AbortController();
  let revoked: string | undefined;
  const refuseRevoked = (): void => {
    if (revoked !== undefined) throw new Forbidden(revoked); // ACCESS-2
  };
  const unwatch = context.onRevoked?.((why) => {
    revoked = why;
    abort.abort(); // a pull that waits comes back, and tells it
  });
  return tail<InboxFrame>(
    {
      async pull(end) {
        reading.renew(); // the frame before this one is made
        refuseRevoked();
        const frame = await follow.next(AbortSignal.any([end, abort.signal]));
        refuseRevoked();
        if (frame !== undefined) reading.take(charsOf(frame));
        return frame;
      },
      release() {
        unwatch?.();
        follow.end();
        abort.abort();
      },
    },
    signal, // at once when a client goes, whatever the layers of streams above do about it
  );
}

function charsOf({ changes }: InboxFrame): number {
  return changes
    .flatMap(({ requests }) => requests)
    .reduce((sum, { event }) => sum + (event?.body.length ?? 0), 0);
}
