/** Limits of agents and sessions, in and out. */
import type { GivenLimits } from '../src/sessions/limits.ts';
import type { Limits } from '../src/sessions/session.ts';
import { builder } from './builder.ts';

const COST_LIMIT =
  'Money for the model calls of the whole session, in micro-dollars: 1000000 is one US dollar.';

export const LimitsType = builder.objectRef<Limits>('Limits').implement({
  description: 'What a session may use. null: no limit of that kind.',
  fields: (t) => ({
    tokens: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Tokens of the whole session, cached ones included.',
      resolve: ({ tokens }) => tokens ?? null,
    }),
    turnSeconds: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Seconds that one turn may take; 1800 is the most in any case.',
      resolve: ({ turnSeconds }) => turnSeconds ?? null,
    }),
    turns: t.field({
      type: 'SafeInt',
      nullable: true,
      description: 'Turns of the whole session.',
      resolve: ({ turns }) => turns ?? null,
    }),
    costMicroUsd: t.field({
      type: 'SafeInt',
      nullable: true,
      description: COST_LIMIT,
      resolve: ({ costMicroUsd }) => costMicroUsd ?? null,
    }),
  }),
});

export const LimitsInput = builder.inputType('LimitsInput', {
  description: 'What a session may use; leave out what is not to be limited.',
  fields: (t) => ({
    tokens: t.field({
      type: 'SafeInt',
      required: false,
      description: 'Tokens of the whole session, cached ones included.',
    }),
    turnSeconds: t.field({
      type: 'SafeInt',
      required: false,
      description: 'Seconds that one turn may take: 1 to 1800.',
    }),
    turns: t.field({ type: 'SafeInt', required: false, description: 'Turns of the whole session.' }),
    costMicroUsd: t.field({
      type: 'SafeInt',
      required: false,
      description: `${COST_LIMIT} Only for models whose price is known.`,
    }),
  }),
});

/** GraphQL's null is a limit left out. */
export function limitsOf(given: GivenLimits | null | undefined): Limits | undefined {
  if (given === undefined || given === null) return undefined;
  const { tokens, turnSeconds, turns, costMicroUsd } = given;
  return {
    tokens: tokens ?? undefined,
    turnSeconds: turnSeconds ?? undefined,
    turns: turns ?? undefined,
    costMicroUsd: costMicroUsd ?? undefined,
  };
}

/** The argument that every mutation takes. */
export const KEY_DESCRIPTION =
  'Your own name for this request (1 to 255 characters): sent again, it is done once and answers `replayed: true`.';

/** Of the mutations that change a thing in place. */
export const CHANGE_KEY_DESCRIPTION =
  'Your own name for this request (1 to 255 characters): sent again, it answers `replayed: true` and does not undo what was changed since.';
