/** Retention: how long sessions that rest are kept, and what would go now. */
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { type AgentId, isId, parseId } from '../src/kernel/id.ts';
import { AgentNotFound } from '../src/sessions/faults.ts';
import type { RetentionInForce, RetentionPreview } from '../src/sessions/retention.ts';
import { auditChange } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, firstOf } from './connection.ts';
import { type Context, permit } from './context.ts';
import { costing } from './cost.ts';
import { CHANGE_KEY_DESCRIPTION } from './limits.ts';
import { SessionStatusEnum } from './session-state.ts';

const DAYS = {
  archivedDays: 'Days after which an archived session is deleted: 1 to 36500.',
  idleDays:
    'Days after which a session is deleted that is idle, has failed or waits for an answer, and for which nothing runs: 1 to 36500.',
} as const;
/** Of each that is listed: many more are looked at, of each at a few columns. */
const PREVIEW_EACH = 20;

const RetentionType = builder.objectRef<RetentionInForce>('Retention').implement({
  description: 'How long sessions that rest are kept. null: for ever.',
  fields: (t) => ({
    agentId: t.id({
      nullable: true,
      description: 'Whose sessions; null: those of all agents without a rule of their own.',
      resolve: ({ agentId }) => agentId ?? null,
    }),
    archivedDays: t.int({
      nullable: true,
      description: DAYS.archivedDays,
      resolve: ({ archivedDays }) => archivedDays ?? null,
    }),
    idleDays: t.int({
      nullable: true,
      description: DAYS.idleDays,
      resolve: ({ idleDays }) => idleDays ?? null,
    }),
    isInherited: t.exposeBoolean('isInherited', {
      description: "True when the agent has no rule of its own: this is the organisation's.",
    }),
    updatedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When the rule was last changed; null: there never was one.',
      resolve: ({ updatedAt }) => updatedAt ?? null,
    }),
  }),
});

const RetentionReasonEnum = builder.enumType('RetentionReason', {
  description: 'Which part of a rule a session is due by.',
  values: {
    ARCHIVED: { value: 'archived', description: 'archivedDays.' },
    IDLE: { value: 'idle', description: 'idleDays.' },
  } as const,
});

const RetentionDueType = builder.objectRef<RetentionPreview['sessions'][number]>('RetentionDue').implement({
  description: 'A session that would be deleted.',
  fields: (t) => ({
    sessionId: t.id({ description: 'The session.', resolve: ({ id }) => id }),
    agentId: t.id({ description: 'Its agent.', resolve: ({ agentId }) => agentId }),
    status: t.field({
      type: SessionStatusEnum,
      description: 'Where it stands.',
      resolve: ({ status }) => status,
    }),
    statusAt: t.field({
      type: 'DateTime',
      description: 'Since when.',
      resolve: ({ statusAt }) => statusAt,
    }),
    reason: t.field({
      type: RetentionReasonEnum,
      description: 'Why it goes.',
      resolve: ({ due }) => due.reason,
    }),
    dueAt: t.field({
      type: 'DateTime',
      description: 'When its days were over.',
      resolve: ({ due }) => due.at,
    }),
  }),
});

const RetentionPreviewType = builder.objectRef<RetentionPreview>('RetentionPreview').implement({
  description: 'What retention would delete now. Nothing is.',
  fields: (t) => ({
    asOf: t.field({
      type: 'DateTime',
      description: 'The time that days are counted by: behind the clock when that was set forward.',
      resolve: ({ asOf }) => asOf,
    }),
    count: t.exposeInt('count', { description: 'How many sessions would be deleted.' }),
    isComplete: t.exposeBoolean('isComplete', {
      description:
        'False when only the first 10,000 sessions at rest were looked at: there may be more to delete.',
    }),
    sessions: t.field({
      type: [RetentionDueType],
      ...costing({ items: 'page' }),
      description: 'The first of them, those that have been due longest.',
      resolve: ({ sessions }) => sessions,
    }),
  }),
});

const RetentionRuleInput = builder.inputType('RetentionRuleInput', {
  description: 'A rule to try. What is left out is kept for ever.',
  fields: (t) => ({
    archivedDays: t.field({ type: 'SafeInt', description: DAYS.archivedDays }),
    idleDays: t.field({ type: 'SafeInt', description: DAYS.idleDays }),
  }),
});

const SetRetentionInput = builder.inputType('SetRetentionInput', {
  description: 'A rule, which replaces the one before as a whole. What is left out is kept for ever.',
  fields: (t) => ({
    agentId: t.id({
      description:
        "The agent whose sessions it is for, in place of the organisation's rule; needs agents:write, too. Left out: the organisation's.",
    }),
    archivedDays: t.field({ type: 'SafeInt', description: DAYS.archivedDays }),
    idleDays: t.field({ type: 'SafeInt', description: DAYS.idleDays }),
    inherit: t.boolean({
      description:
        "true: the agent has no rule of its own any more, and its sessions the organisation's. Without days.",
    }),
  }),
});

const SetRetentionPayload = builder
  .objectRef<{ readonly retention: RetentionInForce; readonly replayed: boolean }>('SetRetentionPayload')
  .implement({
    description: 'The rule is in force.',
    fields: (t) => ({
      retention: t.field({
        type: RetentionType,
        description: 'As it is now.',
        resolve: ({ retention }) => retention,
      }),
      replayed: t.exposeBoolean('replayed', {
        description:
          'True when nothing differed, or when it had been done before with the same idempotency key.',
      }),
    }),
  });

builder.queryFields((t) => ({
  retention: t.field({
    type: RetentionType,
    description: 'The rule that is in force, of the organisation or of one of its agents.',
    args: { agentId: t.arg.id({ description: "The agent; left out: the organisation's rule." }) },
    errors: { types: [InvalidInput, Forbidden, AgentNotFound] },
    resolve: (_root, { agentId }, context) => {
      permit(context, 'retention.read');
      return context.retention.get(agentIdOf(agentId));
    },
  }),
  retentionPreview: t.field({
    type: RetentionPreviewType,
    description: 'What retention would delete now, by the rules that there are or by another one.',
    args: {
      agentId: t.arg.id({ description: 'Only sessions of this agent.' }),
      rule: t.arg({
        type: RetentionRuleInput,
        description: 'In place of the rule that there is: of the agent, or else of the organisation.',
      }),
      first: t.arg.int({ description: 'How many sessions to list: 1 to 500, 50 when left out.' }),
    },
    ...connectionCost(PREVIEW_EACH),
    errors: { types: [InvalidInput, Forbidden, AgentNotFound] },
    resolve: (_root, { agentId, rule, first }, context) => {
      permit(context, 'retention.preview');
      return context.retention.preview({
        agentId: agentIdOf(agentId),
        rule: rule ?? undefined,
        first: firstOf({ first }),
        turn: () => context.budget.turn(),
      });
    },
  }),
}));

type Ruled = RetentionInForce & { readonly id: string };

/** A rule goes by what it is for. */
function ruled({ principal }: Context, rule: RetentionInForce): Ruled {
  return { ...rule, id: rule.agentId ?? principal.organisationId };
}

const auditRule = auditChange({
  target: 'retention',
  id: ({ input }, { principal }) =>
    typeof input?.agentId === 'string' ? input.agentId : principal.organisationId,
  find: async (context: Context, id: string): Promise<Ruled> => {
    const agentId = isId('agent', id) ? id : undefined;
    return ruled(context, await context.retention.get(agentId));
  },
  changed: ({ retention }: { readonly retention: RetentionInForce }, context) => ruled(context, retention),
  shown: ({ archivedDays, idleDays, isInherited }) => ({ archivedDays, idleDays, isInherited }),
});

builder.mutationFields((t) => ({
  setRetention: t.field({
    type: SetRetentionPayload,
    ...auditRule,
    description:
      'Sets how long sessions that rest are kept, of the organisation or of one of its agents. What is due is deleted for good, a little at a time: look at retentionPreview before.',
    args: {
      input: t.arg({ type: SetRetentionInput, required: true, description: 'The rule.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, AgentNotFound, IdempotencyConflict] },
    resolve: (_root, { input, idempotencyKey }, context) => {
      permit(context, 'retention.write');
      if (typeof input.agentId === 'string') permit(context, 'agents.write');
      const { archivedDays, idleDays, inherit } = input;
      return context.retention.set({
        agentId: agentIdOf(input.agentId),
        archivedDays,
        idleDays,
        inherit: inherit ?? undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
}));

function agentIdOf(text: string | null | undefined): AgentId | undefined {
  return text === undefined || text === null ? undefined : parseId('agent', text);
}
