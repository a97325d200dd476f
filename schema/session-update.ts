/** Changing a session while it lives: what it may use. */
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { SessionArchived } from '../src/sessions/faults.ts';
import type { SessionEntry } from '../src/sessions/session-store.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, permit } from './context.ts';
import { CHANGE_KEY_DESCRIPTION, LimitsInput } from './limits.ts';
import { PAYLOAD_SESSION, permitPayload } from './payload-session.ts';
import { SessionType } from './session.ts';

const UpdateSessionInput = builder.inputType('UpdateSessionInput', {
  description: 'What to change of a session; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The session to change.' }),
    limits: t.field({
      type: LimitsInput,
      description:
        'Limits to set, at once, also for a turn that runs: those that are left out stay, null takes one away.',
    }),
  }),
});

interface UpdateSessionPayload extends SessionEntry {
  readonly replayed: boolean;
}

const UpdateSessionPayloadType = builder.objectRef<UpdateSessionPayload>('UpdateSessionPayload').implement({
  description: 'The session is as asked. A turn that ended at a limit is not begun again: send a message.',
  fields: (t) => ({
    session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (entry) => entry }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when it had been done before with the same idempotency key; nothing was done now.',
    }),
  }),
});

builder.mutationField('updateSession', (t) =>
  t.field({
    type: UpdateSessionPayloadType,
    description: 'Changes what a session may use, for example to let one go on that has used up a limit.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: UpdateSessionInput, required: true, description: 'What to change.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        SessionNotFound,
        SessionGone,
        SessionArchived,
        LogFull,
        IdempotencyConflict,
      ],
    },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.id, 'id');
      permit(context, 'session.write', sessionId);
      permitPayload(context, info, sessionId);
      return context.sessions.changeLimits({
        sessionId,
        limits: input.limits ?? {},
        actor: actorOf(context),
        audit: context.audits,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
);
