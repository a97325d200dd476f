/** Deleting a session, for good. */
import { SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import type { Deleted } from '../src/sessions/deletion.ts';
import type { Session } from '../src/sessions/session.ts';
import { shownSession } from './append-audit.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, type Context, permit } from './context.ts';

const DeleteSessionPayload = builder.objectRef<Deleted>('DeleteSessionPayload').implement({
  description:
    'The session is gone. What it has left is erased from now on, also over restarts of the server.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'The session that is gone. Its id is not used again.' }),
    deletedAt: t.field({
      type: 'DateTime',
      description: 'When it was deleted, the first time.',
      resolve: ({ deletedAt }) => deletedAt,
    }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when it had been deleted before; nothing was done now.',
    }),
  }),
});

async function find({ sessions }: Context, id: string): Promise<Session> {
  return (await sessions.get(parseId('session', id))).session;
}

builder.mutationField('deleteSession', (t) =>
  t.field({
    type: DeleteSessionPayload,
    description:
      'Ends what it does and erases it: log, messages, files and all else that is kept of it. That it was there, when it was deleted and by whom is kept. Its key is free again; the idempotency key that it was started with is not.',
    ...auditChange({ target: 'session', find, shown: shownSession }),
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session to delete.' }),
      idempotencyKey: t.arg.string({ description: 'Not needed: deleting what is deleted does nothing.' }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound] },
    resolve: (_root, { sessionId, idempotencyKey }, context) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'session.write', id);
      return context.sessions.delete(id, actorOf(context), idempotencyKey ?? undefined);
    },
  }),
);
