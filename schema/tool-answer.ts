/** Answers to calls of tools that somebody outside runs. */
import { RateLimited } from '../src/access/faults.ts';
import { LogFull, SessionGone, SessionNotFound } from '../src/journal/faults.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { TOOL_ANSWER_BYTES_MAX } from '../src/sessions/tool-answer.ts';
import type { ToolAnswered } from '../src/sessions/tool-standing.ts';
import { auditCommand } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, permit, spend } from './context.ts';
import { KEY_DESCRIPTION } from './limits.ts';
import { permitPayload } from './payload-session.ts';
import { resolutionFields } from './tool-resolution.ts';

const AnswerToolCallInput = builder.inputType('AnswerToolCallInput', {
  description: `What came of a tool call: exactly one of text, json and error, at most ${TOOL_ANSWER_BYTES_MAX / 1024} KiB.`,
  fields: (t) => ({
    sessionId: t.id({ required: true, description: 'The session whose call it is.' }),
    callId: t.string({
      required: true,
      description: 'The callId of its tool.requested, whose kind is CLIENT.',
    }),
    text: t.string({ description: 'What the tool answers, for the model; may be empty.' }),
    json: t.field({ type: 'JSON', description: 'The same as JSON: the model is given its text.' }),
    error: t.string({ description: 'Why the call failed, for the model.' }),
  }),
});

const AnswerToolCallPayload = builder.objectRef<ToolAnswered>('AnswerToolCallPayload').implement({
  description: 'The answer is durable and the turn goes on; or the call had moved on, and nothing was done.',
  fields: resolutionFields,
});

builder.mutationField('answerToolCall', (t) =>
  t.field({
    type: AnswerToolCallPayload,
    description:
      'Answers a call of a tool that the agent declares. The first answer counts; a later one changes nothing and is told what stands.',
    ...auditCommand(),
    args: {
      input: t.arg({ type: AnswerToolCallInput, required: true, description: 'Which call, and its answer.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: {
      types: [
        InvalidInput,
        Forbidden,
        RateLimited,
        SessionNotFound,
        SessionGone,
        LogFull,
        IdempotencyConflict,
      ],
    },
    resolve: (_root, { input, idempotencyKey }, context, info) => {
      const sessionId = parseId('session', input.sessionId, 'sessionId');
      permit(context, 'session.answer', sessionId);
      permitPayload(context, info, sessionId);
      spend(context, 'message');
      return context.answerToolCall({
        sessionId,
        callId: input.callId,
        text: input.text ?? undefined,
        json: input.json ?? undefined,
        error: input.error ?? undefined,
        actor: actorOf(context),
        audit: context.audits,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
);
