/** Messages: how one speaks to an agent, before, during and after a turn. */
import { RateLimited } from '../src/access/faults.ts';
import { cursorOf } from '../src/journal/cursor.ts';
import { MESSAGE_MODES } from '../src/journal/event-catalog.ts';
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { eventIdOf, parseId, type SessionId } from '../src/kernel/id.ts';
import { PendingFull, SessionArchived } from '../src/sessions/faults.ts';
import type { MessageMode } from '../src/journal/event-catalog.ts';
import type { Sent } from '../src/sessions/sessions.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, type Context, permit, spend } from './context.ts';
import { choiceEnum } from './event-choice.ts';
import { KEY_DESCRIPTION } from './limits.ts';
import { PAYLOAD_SESSION, permitPayload } from './payload-session.ts';
import { SessionType } from './session.ts';

const SendMessageInput = builder.inputType('SendMessageInput', {
  description: 'Something to say to the agent of a session.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'The session to speak to.' }),
    text: t.string({ required: true, description: 'What to say; at most 256 KiB.' }),
    mode: t.field({
      type: choiceEnum({ name: 'MessageMode', values: MESSAGE_MODES }),
      description: 'When it reaches the agent: STEER when left out.',
    }),
    raw: t.field({
      type: 'JSON',
      description: 'Opaque data of yours, kept with the message and never shown to the model.',
    }),
  }),
});

const SendMessagePayload = builder.objectRef<Sent>('SendMessagePayload').implement({
  description: 'The message is durable.',
  fields: (t) => ({
    eventId: t.id({
      description: 'The user.message event.',
      resolve: ({ session, seq }) => eventIdOf(session.id, seq),
    }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The place behind the message: follow from here to see what comes of it.',
      resolve: ({ session, seq }) => cursorOf(session.id, seq),
    }),
    turnId: t.exposeID('turnId', { description: 'The turn that it joins, or that it will start.' }),
    session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (sent) => sent }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when the message had been sent before with the same key.',
    }),
  }),
});

builder.mutationField('sendMessage', (t) =>
  t.field({
    type: SendMessagePayload,
    description: 'Speaks to the agent: wakes it, steers it, or interrupts it.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: SendMessageInput, required: true, description: 'To whom, and what.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        RateLimited,
        SessionNotFound,
        SessionGone,
        SessionArchived,
        PendingFull,
        LogFull,
        IdempotencyConflict,
      ],
    },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.sessionId, 'sessionId');
      const isAnswer = permitSpeaking(context, sessionId);
      permitPayload(context, info, sessionId);
      spend(context, 'message');
      return context.sessions.send({
        sessionId,
        text: input.text,
        mode: (input.mode ?? undefined) as MessageMode | undefined, // as: the enum's values are MESSAGE_MODES
        raw: input.raw ?? undefined,
        actor: actorOf(context),
        audit: context.audits,
        isAnswer,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
);

/** Whether it may only answer (TOKEN-5). */
function permitSpeaking(context: Context, sessionId: SessionId): boolean {
  const { principal } = context;
  const isAnswer =
    principal.kind === 'client' && principal.scopes.includes('answer') && !principal.scopes.includes('steer');
  permit(context, isAnswer ? 'session.answer' : 'session.steer', sessionId);
  return isAnswer;
}
