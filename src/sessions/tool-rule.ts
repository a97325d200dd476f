/** Which tool calls may run, and which tools somebody outside runs: what a session is started with. */

export const TOOL_ACTIONS = ['allow', 'ask', 'deny'] as const;
export type ToolAction = (typeof TOOL_ACTIONS)[number];

/** One rule; of a list the first that fits a call decides, and what none fits is allowed. */
export interface ToolRule {
  /** The name of a tool, or `*` for each. */
  readonly tool: string;
  readonly action: ToolAction;
  /** What people and the model are told of it. */
  readonly reason?: string | undefined;
}

/** A tool that somebody outside runs. What the model is told of it stands in the agent's revision. */
export interface ClientTool {
  readonly name: string;
  /** A call that nobody has answered by then has timed out; absent: it waits for as long as it takes. */
  readonly timeoutSeconds?: number | undefined;
}

const ALLOW: ToolRule = { tool: '*', action: 'allow' };

/** The first rule that fits. */
export function ruleFor(rules: readonly ToolRule[], { tool }: { readonly tool: string }): ToolRule {
  return rules.find((rule) => rule.tool === '*' || rule.tool === tool) ?? ALLOW;
}
