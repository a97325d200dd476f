/** Agents: named definitions that sessions are started from. */
import type { Shown } from '../src/audit/entry.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { isId, parseId } from '../src/kernel/id.ts';
import { CredentialNotFound } from '../src/secrets/faults.ts';
import type { Agent } from '../src/sessions/agent.ts';
import { AgentGone, AgentInUse, AgentNameTaken, AgentNotFound } from '../src/sessions/faults.ts';
import { CreateAgentInput, UpdateAgentInput, workOf } from './agent-input.ts';
import { TOOLS_FIELD } from './agent-tool.ts';
import { RULES_DESCRIPTION, RULES_FIELD } from './tool-rule.ts';
import { askedBy, auditsOf } from './append-audit.ts';
import { auditChange, shownText } from './auditing.ts';
import { builder } from './builder.ts';
import { connectionCost, connectionOf, firstOf, pageOf, parsePlace, placeOf } from './connection.ts';
import { actorOf, type Context, permit } from './context.ts';
import { costing } from './cost.ts';
import { CHANGE_KEY_DESCRIPTION, KEY_DESCRIPTION, limitsOf, LimitsType } from './limits.ts';
import { CacheTtlEnum, EffortEnum, SETTING, settingsOf, ThinkingType } from './model-settings.ts';
import { givenKey } from './scalar.ts';

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

interface AgentPayload {
  readonly agent: Agent;
  readonly replayed: boolean;
}

function payloadOf(name: string, done: string, replayed: string) {
  return builder.objectRef<AgentPayload>(name).implement({
    description: done,
    fields: (t) => ({
      agent: t.field({
        type: AgentType,
        description: 'The agent as it is now.',
        resolve: ({ agent }) => agent,
      }),
      replayed: t.exposeBoolean('replayed', { description: replayed }),
    }),
  });
}
const CreateAgentPayload = payloadOf(
  'CreateAgentPayload',
  'The agent is defined.',
  'True when it had been defined before, equally: by the same request, or it is now as it is defined here.',
);
const UpdateAgentPayload = payloadOf(
  'UpdateAgentPayload',
  'The agent is as asked.',
  'True when nothing differed, or when it had been done before with the same idempotency key; a given model key counts as new otherwise.',
);
const DeleteAgentPayload = payloadOf(
  'DeleteAgentPayload',
  'The agent starts no sessions any more. Those that it had can be read, and go on with their revision.',
  'True when it had been deleted before.',
);

/** For the audit log: a prompt is as secret as what is told in it. */
export function shownAgent({ name, runtime, revision, credentialId, limits, deletedAt }: Agent): Shown {
  const { number, model, prompt, settings, tools, toolRules } = revision;
  return {
    name,
    runtime,
    model,
    prompt: shownText(prompt),
    revision: number,
    ...settings,
    ...(tools === undefined ? {} : { tools: tools.map((tool) => tool.name) }),
    ...(toolRules === undefined ? {} : { toolRules }),
    credentialId,
    limits,
    deletedAt,
  };
}
const changed = ({ agent }: AgentPayload): Agent => agent;
const find = ({ agents }: Context, id: string): Promise<Agent> => agents.get(parseId('agent', id));

builder.mutationFields((t) => ({
  createAgent: t.field({
    type: CreateAgentPayload,
    ...auditChange({ target: 'agent', changed, shown: shownAgent }),
    description:
      'Defines an agent. When one of this name is as it is defined here, that one is answered (`replayed`).',
    args: {
      input: t.arg({ type: CreateAgentInput, required: true, description: 'What it is.' }),
      idempotencyKey: t.arg.string({ description: KEY_DESCRIPTION }),
    },
    errors: { types: [InvalidInput, Forbidden, AgentNameTaken, IdempotencyConflict, CredentialNotFound] },
    resolve: (_root, { input, idempotencyKey }, context) => {
      permit(context, 'agents.write');
      const { name, model, prompt, runtime, limits, key, credentialId } = input;
      if (givenKey(key) !== undefined) permit(context, 'credentials.write'); // it becomes one
      return context.agents.create({
        name,
        model,
        prompt,
        settings: settingsOf(input),
        ...workOf(input),
        runtime: runtime ?? undefined,
        limits: limitsOf(limits),
        key: givenKey(key),
        credentialId: credentialId ? parseId('credential', credentialId) : undefined,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  updateAgent: t.field({
    type: UpdateAgentPayload,
    ...auditChange({ target: 'agent', find, changed, shown: shownAgent }),
    description: 'Changes an agent. Sessions that run keep the revision they started with.',
    args: {
      input: t.arg({ type: UpdateAgentInput, required: true, description: 'What to change.' }),
      idempotencyKey: t.arg.string({ description: CHANGE_KEY_DESCRIPTION }),
    },
    errors: {
      types: [InvalidInput, Forbidden, AgentNotFound, AgentGone, CredentialNotFound, IdempotencyConflict],
    },
    resolve: (_root, { input, idempotencyKey }, context) => {
      permit(context, 'agents.write');
      const { id, model, prompt, limits, key, credentialId } = input;
      if (givenKey(key) !== undefined) permit(context, 'credentials.write');
      return context.agents.update(parseId('agent', id, 'id'), {
        model: model ?? undefined,
        prompt: prompt ?? undefined,
        settings: settingsOf(input),
        ...workOf(input),
        limits: limitsOf(limits),
        key: givenKey(key),
        credentialId: typeof credentialId === 'string' ? parseId('credential', credentialId) : credentialId,
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
  deleteAgent: t.field({
    type: DeleteAgentPayload,
    ...auditChange({ target: 'agent', find, changed, shown: shownAgent }),
    description:
      'Deletes an agent: it starts no sessions any more, and its name is free. Refused while a session of it is queued or running, unless it is forced.',
    args: {
      id: t.arg.id({ required: true, description: 'The agent to delete.' }),
      force: t.arg.boolean({
        description:
          'Delete it also while sessions of it are queued or running: those are archived, which ends their turns. Needs sessions:write, too.',
      }),
      idempotencyKey: t.arg.string({ description: 'Not needed: what is deleted stays so.' }),
    },
    errors: { types: [InvalidInput, Forbidden, AgentNotFound, AgentInUse] },
    resolve: (_root, { id, force, idempotencyKey }, context) => {
      permit(context, 'agents.write');
      if (force === true) permit(context, 'session.write');
      const agentId = parseId('agent', id, 'id');
      return context.deleteAgent({
        id: agentId,
        force: force ?? undefined,
        actor: actorOf(context),
        archives: auditsOf(context, askedBy(context, 'archiveSession'), { deletedAgentId: agentId }),
        idempotencyKey: idempotencyKey ?? undefined,
      });
    },
  }),
}));
