/** Agents that an operation looks up for its sessions: each is read once, however many sessions have it, and in turns (BUDGET-2). */
import type { AgentId } from '../src/kernel/id.ts';
import type { Agent } from '../src/sessions/agent.ts';
import type { Context } from './context.ts';

class AgentReads {
  readonly #context: Context;
  readonly #known = new Map<AgentId, Promise<Agent>>();

  constructor(context: Context) {
    this.#context = context;
  }

  get(id: AgentId): Promise<Agent> {
    const known = this.#known.get(id) ?? this.#read(id);
    this.#known.set(id, known);
    return known;
  }

  async #read(id: AgentId): Promise<Agent> {
    await this.#context.budget.turn();
    return this.#context.agents.get(id);
  }
}

/** As long as its operation. */
const reads = new WeakMap<Context, AgentReads>();

export function agentsOf(context: Context): AgentReads {
  const known = reads.get(context) ?? new AgentReads(context);
  reads.set(context, known);
  return known;
}
