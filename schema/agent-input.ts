/** What is said to define an agent or to change one. */
import { AgentToolInput, TOOLS_DESCRIPTION, toolsOf } from './agent-tool.ts';
import { builder } from './builder.ts';
import { LimitsInput } from './limits.ts';
import { RULES_DESCRIPTION, rulesOf, ToolRuleInput } from './tool-rule.ts';
import { CacheTtlEnum, EffortEnum, SETTING, ThinkingInput } from './model-settings.ts';

export const CreateAgentInput = builder.inputType('CreateAgentInput', {
  description: 'A new agent.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Letters, digits, spaces and . _ -; unique.' }),
    model: t.string({ required: true, description: 'provider/name, for example anthropic/claude-sonnet-5.' }),
    prompt: t.string({ required: true, description: 'What the model is told first; at most 256 KiB.' }),
    effort: t.field({ type: EffortEnum, description: SETTING.effort }),
    thinking: t.field({ type: ThinkingInput, description: SETTING.thinking }),
    maxOutputTokens: t.field({ type: 'SafeInt', description: SETTING.maxOutputTokens }),
    contextWindow: t.field({ type: 'SafeInt', description: SETTING.contextWindow }),
    cacheTtl: t.field({ type: CacheTtlEnum, description: `${SETTING.cacheTtl} FIVE_MINUTES when left out.` }),
    fallbackModel: t.string({ description: SETTING.fallbackModel }),
    tools: t.field({ type: [AgentToolInput], description: TOOLS_DESCRIPTION }),
    toolRules: t.field({ type: [ToolRuleInput], description: RULES_DESCRIPTION }),
    runtime: t.string({ description: 'What runs its sessions: claude, which is also the default.' }),
    limits: t.field({ type: LimitsInput, description: 'Defaults for its sessions.' }),
    key: t.field({
      type: 'Secret',
      description:
        'A model key, stored sealed as a credential of its own, never the default. Not together with credentialId.',
    }),
    credentialId: t.id({ description: 'A credential that exists. Not together with key.' }),
  }),
});

export const UpdateAgentInput = builder.inputType('UpdateAgentInput', {
  description: 'What to change of an agent; what is left out stays.',
  fields: (t) => ({
    id: t.id({ required: true, description: 'The agent to change.' }),
    model: t.string({ description: 'Another model; makes a revision.' }),
    prompt: t.string({ description: 'Another prompt; makes a revision.' }),
    effort: t.field({ type: EffortEnum, description: changeOf('effort') }),
    thinking: t.field({ type: ThinkingInput, description: changeOf('thinking') }),
    maxOutputTokens: t.field({ type: 'SafeInt', description: changeOf('maxOutputTokens') }),
    contextWindow: t.field({ type: 'SafeInt', description: changeOf('contextWindow') }),
    cacheTtl: t.field({ type: CacheTtlEnum, description: changeOf('cacheTtl') }),
    fallbackModel: t.string({ description: changeOf('fallbackModel') }),
    tools: t.field({
      type: [AgentToolInput],
      description: `${TOOLS_DESCRIPTION} Replaces all of them and makes a revision; an empty list takes them away.`,
    }),
    toolRules: t.field({
      type: [ToolRuleInput],
      description: `${RULES_DESCRIPTION} Replaces all of them and makes a revision; an empty list takes them away.`,
    }),
    limits: t.field({ type: LimitsInput, description: 'Replaces all of its limits.' }),
    key: t.field({
      type: 'Secret',
      description:
        'A model key: replaces the one that was given to this agent before, or makes a credential of its own. Credentials that others may use stay as they are.',
    }),
    credentialId: t.id({ description: "Another credential; null: the provider's default again." }),
  }),
});

/** What the agent declares and allows. */
export function workOf({
  tools,
  toolRules,
}: {
  readonly tools?: Parameters<typeof toolsOf>[0];
  readonly toolRules?: Parameters<typeof rulesOf>[0];
}) {
  return { tools: toolsOf(tools), toolRules: rulesOf(toolRules) };
}

function changeOf(setting: keyof typeof SETTING): string {
  return `${SETTING[setting]} Makes a revision; null takes it back.`;
}
