/** How an agent's model is called, in and out: how hard it thinks, how much it writes, what takes its place. */
import type {
  CacheTtl,
  Effort,
  ModelSettings,
  Thinking,
  ThinkingDisplay,
  ThinkingMode,
} from '../src/sessions/model-plan.ts';
import type { GivenSettings } from '../src/sessions/model-settings.ts';
import { builder } from './builder.ts';

export const EffortEnum = builder.enumType('Effort', {
  description: 'How much work a model puts into an answer, its thinking and tool calls included.',
  values: {
    LOW: { value: 'low', description: 'Quick and cheap.' },
    MEDIUM: { value: 'medium', description: 'In between.' },
    HIGH: { value: 'high', description: 'Thorough.' },
    XHIGH: { value: 'xhigh', description: 'More than HIGH, where the model has it.' },
    MAX: { value: 'max', description: 'All that the model can.' },
  } as const satisfies Record<string, { value: Effort; description: string }>,
});

const ThinkingModeEnum = builder.enumType('ThinkingMode', {
  description: 'Whether a model thinks before it answers.',
  values: {
    OFF: { value: 'off', description: 'It does not.' },
    ADAPTIVE: { value: 'adaptive', description: 'It decides by itself, and thinks between tool calls too.' },
    BUDGET: { value: 'budget', description: 'Up to budgetTokens in each answer.' },
  } as const satisfies Record<string, { value: ThinkingMode; description: string }>,
});

const ThinkingDisplayEnum = builder.enumType('ThinkingDisplay', {
  description: 'What can be seen of the thinking.',
  values: {
    SUMMARIZED: { value: 'summarized', description: 'A summary, as text and piece by piece.' },
    OMITTED: { value: 'omitted', description: 'Nothing: it is only signed, and the answer begins sooner.' },
  } as const satisfies Record<string, { value: ThinkingDisplay; description: string }>,
});

export const CacheTtlEnum = builder.enumType('CacheTtl', {
  description: 'How long the model service keeps what it has read of a conversation.',
  values: {
    FIVE_MINUTES: { value: '5m', description: 'For sessions that work through.' },
    ONE_HOUR: {
      value: '1h',
      description: 'For sessions that wait for people; writing to the cache costs more.',
    },
  } as const satisfies Record<string, { value: CacheTtl; description: string }>,
});

export const ThinkingType = builder.objectRef<Thinking>('Thinking').implement({
  description: 'Whether and how a model thinks before it answers.',
  fields: (t) => ({
    mode: t.field({ type: ThinkingModeEnum, description: 'Whether it does.', resolve: ({ mode }) => mode }),
    budgetTokens: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Of the mode BUDGET: tokens that it may think in each answer.',
      resolve: ({ budgetTokens }) => budgetTokens ?? null,
    }),
    display: t.field({
      type: ThinkingDisplayEnum,
      nullable: true,
      description: 'What can be seen of it; null: as the model has it.',
      resolve: ({ display }) => display ?? null,
    }),
  }),
});

export const ThinkingInput = builder.inputType('ThinkingInput', {
  description: 'Whether and how a model thinks before it answers.',
  fields: (t) => ({
    mode: t.field({ type: ThinkingModeEnum, required: true, description: 'Whether it does.' }),
    budgetTokens: t.field({
      type: 'SafeInt',
      description: 'Of the mode BUDGET, and needed there: 1024 or more, and less than maxOutputTokens.',
    }),
    display: t.field({ type: ThinkingDisplayEnum, description: 'What can be seen of it.' }),
  }),
});

/** What each setting is, for the inputs and the type. */
export const SETTING = {
  effort: 'How much work the model puts into an answer.',
  thinking: 'Whether and how it thinks before it answers.',
  maxOutputTokens: 'Tokens of one answer, thinking included.',
  contextWindow:
    "Tokens that fit into the model's context, 1000 or more: where the server does not know it, or knows it wrong.",
  cacheTtl: 'How long the model service keeps the conversation cached.',
  fallbackModel:
    "provider/name, of the same provider: takes over when the agent's own model is not to be had or declines.",
} as const satisfies Record<keyof ModelSettings, string>;

/** The settings among the fields of an input. */
export function settingsOf(given: GivenSettings): GivenSettings {
  const { effort, thinking, maxOutputTokens, contextWindow, cacheTtl, fallbackModel } = given;
  return { effort, thinking, maxOutputTokens, contextWindow, cacheTtl, fallbackModel };
}
