/** Decisions about tool calls that wait to be approved. */
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { RateLimited } from '../src/access/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { CHANGED_INPUT_BYTES_MAX, type ToolApproved } from '../src/sessions/tool-approval.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, permit, spend } from './context.ts';
import { KEY_DESCRIPTION } from './limits.ts';
import { permitPayload } from './payload-session.ts';
import { resolutionFields } from './tool-resolution.ts';
import { ToolRuleType } from './tool-rule.ts';

const CALL = {
  sessionId: 'The session whose call it is.',
  callId: 'The callId of its tool.requested, whose kind is APPROVAL.',
} as const;
const FAULTS = [
  InvalidInput,
  Forbidden,
  RateLimited,
  SessionNotFound,
  SessionGone,
  LogFull,
  IdempotencyConflict,
];

const ApproveToolCallInput = builder.inputType('ApproveToolCallInput', {
  description: 'Lets a tool call run.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: CALL.sessionId }),
    callId: t.string({ required: true, description: CALL.callId }),
    input: t.field({
      type: 'JSON',
      description: `All of what it is run with, instead of what the model passed; the model is told. At most ${CHANGED_INPUT_BYTES_MAX / 1024} KiB.`,
    }),
    forSession: t.boolean({
      description:
        'Let the same call run from now on in this session: the same command or path, or, of a tool that has neither, each of its calls. Not together with input.',
    }),
  }),
});

const DenyToolCallInput = builder.inputType('DenyToolCallInput', {
  description: 'Lets a tool call not run.',
  fields: (t) => ({
    sessionId: t.id({ required: true, description: CALL.sessionId }),
    callId: t.string({ required: true, description: CALL.callId }),
    reason: t.string({ description: 'Why, for the model; at most 4 KiB.' }),
  }),
});

const ApproveToolCallPayload = builder.objectRef<ToolApproved>('ApproveToolCallPayload').implement({
  description: 'The call may run and the turn goes on; or it had moved on, and nothing was done.',
  fields: (t) => ({
    ...resolutionFields(t),
    rule: t.field({
      type: ToolRuleType,
      nullable: true,
      description: 'The rule that was added to the session; null: none was asked for.',
      resolve: ({ rule }) => rule ?? null,
    }),
  }),
});

const DenyToolCallPayload = builder.objectRef<ToolApproved>('DenyToolCallPayload').implement({
  description: 'The call does not run and the turn goes on; or it had moved on, and nothing was done.',
  fields: resolutionFields,
});

builder.mutationField('approveToolCall', (t) =>
  t.field({
    type: ApproveToolCallPayload,
    description:
      'Approves a tool call that waits for it. The first decision counts; a later one changes nothing and is told what stands.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: ApproveToolCallInput, required: true, description: 'Which call.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: { types: FAULTS },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.sessionId, 'sessionId');
      permit(context, 'session.decide', sessionId);
      permitPayload(context, info, sessionId);
      spend(context, 'message');
      return context.approveToolCall({
        sessionId,
        callId: input.callId,
        input: input.input ?? undefined,
        forSession: input.forSession ?? undefined,
        actor: actorOf(context),
        audit: context.audits,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
);

builder.mutationField('denyToolCall', (t) =>
  t.field({
    type: DenyToolCallPayload,
    description:
      'Denies a tool call that waits to be approved. The first decision counts; a later one changes nothing and is told what stands.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: DenyToolCallInput, required: true, description: 'Which call, and why.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: { types: FAULTS },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.sessionId, 'sessionId');
      permit(context, 'session.decide', sessionId);
      permitPayload(context, info, sessionId);
      spend(context, 'message');
      return context.denyToolCall({
        sessionId,
        callId: input.callId,
        reason: input.reason ?? undefined,
        actor: actorOf(context),
        audit: context.audits,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
);
