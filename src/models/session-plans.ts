/** How the models of a session are called: what its brain is told, and what the gateway lets through. */
import { parseModel } from '../sessions/model-name.ts';
import type { ModelPlan, ModelSettings } from '../sessions/model-plan.ts';
import { type ContextWindows, planOf } from './model-table.ts';

export interface SessionPlans {
  readonly plan: ModelPlan;
  readonly fallback?: ModelPlan | undefined;
}

/** `settings` are those of the agent's revision that the session was started with. */
export function plansOf(model: string, settings: ModelSettings = {}, windows?: ContextWindows): SessionPlans {
  const { fallbackModel, contextWindow: _ofTheOther, ...ofBoth } = settings;
  const hasFallback = fallbackModel !== undefined && fallbackModel !== model; // as overridden at the start
  return {
    plan: planOf(wireNameOf(model), settings, windows),
    fallback: hasFallback ? planOf(wireNameOf(fallbackModel), ofBoth, windows) : undefined,
  };
}

/** What the model service calls a model; the rehearsal picks its script by it. */
function wireNameOf(model: string): string {
  const { provider, name } = parseModel(model);
  return provider === 'rehearsal' ? `rehearsal-${name}` : name;
}
