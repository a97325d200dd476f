/** How agents are defined, changed and deleted. */
import type { Shown } from '../src/audit/entry.ts';
import { Forbidden, IdempotencyConflict, InvalidInput } from '../src/kernel/fault.ts';
import { parseId } from '../src/kernel/id.ts';
import { CredentialNotFound } from '../src/secrets/faults.ts';
import type { Agent } from '../src/sessions/agent.ts';
import { AgentGone, AgentInUse, AgentNameTaken, AgentNotFound } from '../src/sessions/faults.ts';
import { CreateAgentInput, UpdateAgentInput, workOf } from './agent-input.ts';
import { askedBy, auditsOf } from './append-audit.ts';
import { auditChange, shownText } from './auditing.ts';
import { builder } from './builder.ts';
import { actorOf, type Context, permit } from './context.ts';
import { CHANGE_KEY_DESCRIPTION, KEY_DESCRIPTION, limitsOf } from './limits.ts';
import { settingsOf } from './model-settings.ts';
import { givenKey } from './scalar.ts';
import { AgentType } from './agent.ts';

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
