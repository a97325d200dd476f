/** Where a session stands: its status and who may write for its brain. */
import type { Lease, SessionStatus } from '../src/sessions/session.ts';
import { builder } from './builder.ts';

export const SessionStatusEnum = builder.enumType('SessionStatus', {
  description: 'Where a session stands. Session.why says it in words.',
  values: {
    QUEUED: { value: 'queued', description: 'A message waits and no turn runs yet.' },
    RUNNING: { value: 'running', description: 'A turn runs.' },
    AWAITING_INPUT: {
      value: 'awaiting_input',
      description:
        'The turn ended with a question, and the next message is the answer; or the turn is open, and its tool calls wait for somebody outside (Turn.requests).',
    },
    IDLE: { value: 'idle', description: 'Nothing to do; a message goes on.' },
    FAILED: { value: 'failed', description: 'The turn ended with an error; a message tries again.' },
    ARCHIVED: { value: 'archived', description: 'Closed; it can only be read.' },
  } as const satisfies Record<string, { value: SessionStatus; description: string }>,
});

export const LeaseType = builder.objectRef<Lease>('Lease').implement({
  description: 'Who may write for the brain of a session; a writer with an older epoch is refused.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'The supervisor.' }),
    epoch: t.field({ type: 'SafeInt', description: 'Grows with each lease.', resolve: ({ epoch }) => epoch }),
    since: t.field({ type: 'DateTime', description: 'When it was taken.', resolve: ({ since }) => since }),
  }),
});
