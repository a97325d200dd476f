/** The events about what a session uses and may use: entries of the table in event-catalog.ts. */
import { choice, count, flag, json, optional, text } from './event-field.ts';

export const callId = text('The model call that this belongs to, unique in the session.');
export const requestId = optional(
  text("The model service's own id of the request: what its support asks for."),
);

/** Limits that are used up by and by, and warned of before they are. */
export const BUDGETS = ['tokens', 'cost'] as const;
export type BudgetName = (typeof BUDGETS)[number];

export const METERED = {
  'model.usage': {
    level: 'internal',
    description: 'What a model call used, metered by the gateway, also when the call was cut.',
    body: {
      callId,
      model: text('The model that answered.'),
      inputTokens: count('Input tokens that were not cached.'),
      outputTokens: count('Tokens that the model wrote, its thinking included.'),
      cacheCreationInputTokens: count('Input tokens written to the prompt cache.'),
      cacheReadInputTokens: count('Input tokens read from the prompt cache.'),
      cacheCreation1hInputTokens: optional(
        count(
          'Of cacheCreationInputTokens, those that are kept for an hour; absent: the service did not say.',
        ),
      ),
      complete: flag('False when the stream was cut: the counts are lower bounds.'),
      unmetered: optional(flag('True when the call was cut before its usage was known: it may be charged.')),
      costMicroUsd: optional(
        count(
          'What these tokens cost in micro-dollars (millionths of a US dollar), rounded up, at the price of that day; absent: no price was known.',
        ),
      ),
      price: optional(
        json(
          'The price that costMicroUsd was worked out with: its model, the day from which on it holds, and US dollars per million tokens.',
        ),
      ),
      requestId,
    },
  },
  'session.limits_changed': {
    level: 'progress',
    description: 'Somebody changed what the session may use: these are all of its limits from here on.',
    body: {
      tokens: optional(count('Tokens of the whole session; absent: no limit.')),
      turnSeconds: optional(count('Seconds that one turn may take; absent: 1800.')),
      turns: optional(count('Turns of the whole session; absent: no limit.')),
      costMicroUsd: optional(count('Micro-dollars of the whole session; absent: no limit.')),
      given: json('What was asked for: null takes a limit away.'),
    },
  },
  'budget.threshold_reached': {
    level: 'user',
    description:
      'The session has used most of a limit: a warning, once, before it is used up. To let it go on, raise the limit with updateSession.',
    body: {
      budget: choice('Budget', BUDGETS, 'tokens or cost: which limit.'),
      percent: count('The part of the limit that was reached.'),
      used: count('Tokens or micro-dollars used so far.'),
      limit: count('The limit, in the same unit.'),
    },
  },
} as const;
