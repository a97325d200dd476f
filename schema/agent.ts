/** Agents: named definitions that sessions are started from. */
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import type { Agent } from '../src/sessions/agent.ts';
import { AgentNotFound } from '../src/sessions/faults.ts';
import { TOOLS_FIELD } from './agent-tool.ts';
import { RULES_DESCRIPTION, RULES_FIELD } from './tool-rule.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { type Context, permit } from './context.ts';
import { costing } from './cost.ts';
import { LimitsType } from './limits.ts';
import { CacheTtlEnum, EffortEnum, SETTING, ThinkingType } from './model-settings.ts';

/** What an agent that is read, and its prompt in an answer, count as in the cost of a query: a prompt has up to 256 KiB, most a few. */
export const AGENT_POINTS = 25;
const PROMPT_POINTS = 256;

export const AgentType = builder.objectRef<Agent>('Agent').implement({
  description: 'A named definition: model, prompt and limits.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'agt_ and 24 hex digits.' }),
    name: t.exposeString('name', {
      description:
        'Unique, never changes; can be used in place of the id. Of a deleted agent others may have it.',
    }),
    runtime: t.exposeString('runtime', { description: 'What runs its sessions: claude.' }),
    model: t.string({
      description: 'provider/name, for example anthropic/claude-sonnet-5.',
      resolve: ({ revision }) => revision.model,
    }),
    prompt: t.string({
      description: 'What the model is told first.',
      ...costing({ points: PROMPT_POINTS }),
      resolve: ({ revision }) => revision.prompt,
    }),
    revision: t.int({
      description:
        'Grows with each change of model, prompt or how the model is called; sessions keep the one they started with.',
      resolve: ({ revision }) => revision.number,
    }),
    effort: t.field({
      type: EffortEnum,
      nullable: true,
      description: `${SETTING.effort} null: as the model has it.`,
      resolve: ({ revision }) => revision.settings?.effort ?? null,
    }),
    thinking: t.field({
      type: ThinkingType,
      nullable: true,
      description: `${SETTING.thinking} null: as the model has it.`,
      resolve: ({ revision }) => revision.settings?.thinking ?? null,
    }),
    maxOutputTokens: t.field({
      type: 'SafeInt',
      nullable: true,
      description: `${SETTING.maxOutputTokens} null: what the server knows of the model.`,
      resolve: ({ revision }) => revision.settings?.maxOutputTokens ?? null,
    }),
    contextWindow: t.field({
      type: 'SafeInt',
      nullable: true,
      description: "Tokens that fit into the model's context; null: what the server knows of the model.",
      resolve: ({ revision }) => revision.settings?.contextWindow ?? null,
    }),
    cacheTtl: t.field({
      type: CacheTtlEnum,
      nullable: true,
      description: `${SETTING.cacheTtl} null: FIVE_MINUTES.`,
      resolve: ({ revision }) => revision.settings?.cacheTtl ?? null,
    }),
    fallbackModel: t.string({
      nullable: true,
      description: `${SETTING.fallbackModel} null: none does.`,
      resolve: ({ revision }) => revision.settings?.fallbackModel ?? null,
    }),
    tools: t.field({ ...TOOLS_FIELD, resolve: ({ revision }) => revision.tools ?? [] }),
    toolRules: t.field({
      ...RULES_FIELD,
      description: RULES_DESCRIPTION,
      resolve: ({ revision }) => revision.toolRules ?? [],
    }),
    credentialId: t.id({
      nullable: true,
      description: "The credential of its sessions; null: the provider's default at their start.",
      resolve: ({ credentialId }) => credentialId ?? null,
    }),
    limits: t.field({
      type: LimitsType,
      description: 'Defaults for its sessions.',
      resolve: ({ limits }) => limits,
    }),
    createdAt: t.field({
      type: 'DateTime',
      description: 'When it was defined.',
      resolve: ({ createdAt }) => createdAt,
    }),
    updatedAt: t.field({
      type: 'DateTime',
      description: 'When it last changed.',
      resolve: ({ updatedAt }) => updatedAt,
    }),
    deletedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Since when it starts no sessions; those that it had keep it. null: it was not deleted.',
      resolve: ({ deletedAt }) => deletedAt ?? null,
    }),
  }),
});

/** Agents read at a time: their prompts come with them, up to 256 KiB each. */
const READ_AGENTS_MAX = 50;

type Place = Parameters<Context['agents']['list']>[0]['before'];

/** Some at a time, so that what they hold is counted before more are read (READING-1). */
async function listed({ agents, reading }: Context, limit: number, before: Place): Promise<readonly Agent[]> {
  const found: Agent[] = [];
  while (found.length < limit) {
    const wanted = Math.min(READ_AGENTS_MAX, limit - found.length);
    const some = await agents.list({ limit: wanted, before: found.at(-1) ?? before });
    reading.take(some.reduce((chars, { revision }) => chars + revision.prompt.length, 0));
    found.push(...some);
    if (some.length < wanted) break;
  }
  return found;
}

const AgentConnection = connectionOf<Agent>('Agent', AgentType);
const LIST = 'agents';

builder.queryFields((t) => ({
  agent: t.field({
    type: AgentType,
    description:
      'One agent, by its id or its name; give one of the two. One that was deleted is found by its id alone.',
    args: {
      id: t.arg.id({ description: 'The id of the agent.' }),
      name: t.arg.string({ description: 'The name of the agent.' }),
    },
    errors: { types: [InvalidInput, Forbidden, AgentNotFound] },
    resolve: (_root, { id, name }, context) => {
      permit(context, 'agents.read');
      if (id && !name) return context.agents.get(parseId('agent', id, 'id'));
      if (name && !id) return isId('agent', name) ? context.agents.get(name) : context.agents.find(name);
      throw new InvalidInput('id', 'give either id or name.');
    },
  }),
  agents: t.field({
    type: AgentConnection,
    description: 'All agents that were not deleted, newest first.',
    args: {
      first: t.arg.int({ description: 'How many: 1 to 500, 50 when left out.' }),
      after: t.arg.string({ description: 'The endCursor of the page before.' }),
    },
    ...connectionCost(AGENT_POINTS),
    resolve: (_root, args, context) => {
      permit(context, 'agents.read');
      const before = parsePlace(LIST, args.after, (text) => isId('agent', text));
      return pageOf(
        context,
        firstOf(args),
        (limit) => listed(context, limit, before),
        (agent) => placeOf(LIST, agent),
      );
    },
  }),
}));
