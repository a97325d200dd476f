/** What can be done to a session: start it, cancel its turn, archive it. Messages are in schema/message.ts. */
import { cursorOf } from '../src/journal/cursor.ts';
import { RateLimited } from '../src/access/faults.ts';
import { SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { AgentGone, AgentNotFound, NoCredential } from '../src/sessions/faults.ts';
import type { SessionEntry } from '../src/sessions/session-store.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { ClientTokenType, minterOf } from './client-token.ts';
import { actorOf, permit, spend } from './context.ts';
import { KEY_DESCRIPTION, LimitsInput, limitsOf } from './limits.ts';
import { PAYLOAD_SESSION, permitPayload } from './payload-session.ts';
import { SessionType } from './session.ts';
import { RULES_DESCRIPTION, rulesOf, ToolRuleInput } from './tool-rule.ts';

const StartSessionInput = builder.inputType('StartSessionInput', {
  description: 'A new session and its first message.',
  fields: (t) => ({
    agent: t.string({ required: true, description: 'The id or the name of the agent.' }),
    input: t.string({ required: true, description: 'The task: the first message, at most 256 KiB.' }),
    model: t.string({ description: "Another model of the same provider than the agent's." }),
    limits: t.field({ type: LimitsInput, description: "Each overrides the agent's." }),
    toolRules: t.field({
      type: [ToolRuleInput],
      description: `${RULES_DESCRIPTION} They come before those of the agent; what the agent denies stays denied.`,
    }),
    metadata: t.field({
      type: 'JSON',
      description: 'An object of yours, kept with the session; at most 16 KiB.',
    }),
    key: t.string({
      description: 'Your own name for the session: the same request again answers the same session.',
    }),
  }),
});

interface StartSessionPayload extends SessionEntry {
  readonly turnId: string;
  readonly replayed: boolean;
}

const StartSessionPayloadType = builder.objectRef<StartSessionPayload>('StartSessionPayload').implement({
  description: 'The session is durable and its first turn is queued.',
  fields: (t) => ({
    session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (started) => started }),
    clientToken: t.field({
      type: ClientTokenType,
      description:
        'For a browser: reads and steers this session for an hour, as far as your API key may; it can be renewed for a day.',
      resolve: ({ session }, _args, context) => context.access.mintClientToken(minterOf(context), session.id),
    }),
    turnId: t.exposeID('turnId', { description: 'The turn that takes up the first message.' }),
    cursor: t.field({
      type: 'Cursor',
      description: 'The start of the log: follow from here to see everything.',
      resolve: ({ session }) => cursorOf(session.id, 0),
    }),
    replayed: t.exposeBoolean('replayed', {
      description: 'True when the session had been started before by the same request.',
    }),
  }),
});

interface SessionPayload extends SessionEntry {
  readonly replayed: boolean;
}

function payloadOf(name: string, description: string) {
  return builder.objectRef<SessionPayload>(name).implement({
    description,
    fields: (t) => ({
      session: t.field({ type: SessionType, description: PAYLOAD_SESSION, resolve: (entry) => entry }),
      replayed: t.exposeBoolean('replayed', {
        description: 'True when the same key had been used before; nothing was done now.',
      }),
    }),
  });
}
const CancelTurnPayload = payloadOf(
  'CancelTurnPayload',
  'The running or waiting turn is being ended; turn.completed says when it is.',
);
const ArchiveSessionPayload = payloadOf('ArchiveSessionPayload', 'The session is closed for good.');

builder.mutationFields((t) => ({
  startSession: t.field({
    type: StartSessionPayloadType,
    description: 'Starts a session of an agent with a first message, atomically.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: StartSessionInput, required: true, description: 'Which agent, and what to do.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        AgentNotFound,
        AgentGone,
        NoCredential,
        SessionGone,
        IdempotencyConflict,
      ],
    },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      permit(context, 'sessions.start');
      permitPayload(context, info);
      const { agent, model, limits, metadata, key } = input;
      return context.sessions.start({
        agent,
        input: input.input,
        model: model ?? undefined,
        toolRules: rulesOf(input.toolRules),
        limits: limitsOf(limits),
        // as: sessions.start itself refuses whatever is not an object
        metadata: (metadata ?? undefined) as Readonly<Record<string, unknown>> | undefined,
        key: key ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
        actor: actorOf(context),
        audit: context.audits,
      });
    },
  }),
  cancelTurn: t.field({
    type: CancelTurnPayload,
    description: 'Ends the running or waiting turn. When nothing runs, nothing happens.',
    ...auditCommand(),
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session whose turn it is.' }),
      idempotencyKey: t.arg.string({ description: 'The same key never cancels a later turn.' }),
    },
    errors: { types: [InvalidInput, Forbidden, RateLimited, SessionNotFound, SessionGone] },
    resolve: (_root, { sessionId, idempotencyKey }, context, info) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'session.cancel', id);
      permitPayload(context, info, id);
      spend(context, 'cancel');
      return context.sessions.cancel(id, actorOf(context), idempotencyKey ?? undefined, context.audits);
    },
  }),
  archiveSession: t.field({
    type: ArchiveSessionPayload,
    description: 'Ends its turn and closes it for good; its log stays readable.',
    ...auditCommand(),
    args: {
      sessionId: t.arg.id({ required: true, description: 'The session to close.' }),
      idempotencyKey: t.arg.string({ description: 'Not needed: closing what is closed does nothing.' }),
    },
    errors: { types: [InvalidInput, Forbidden, SessionNotFound, SessionGone] },
    resolve: (_root, { sessionId, idempotencyKey }, context, info) => {
      const id = parseId('session', sessionId, 'sessionId');
      permit(context, 'session.write', id);
      permitPayload(context, info, id);
      return context.sessions.archive(id, actorOf(context), idempotencyKey ?? undefined, context.audits);
    },
  }),
}));
