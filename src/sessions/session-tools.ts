/** What of its agent's tools and of the rules about them a session's record needs, to know which calls wait for somebody outside. */
import type { AgentRevision } from './agent.ts';
import type { SessionOrigin } from './session.ts';
import { type GivenRule, parseRules } from './tool-rule-request.ts';

/** `given`: rules of the session's own. Throws InvalidInput. */
export function originTools(
  { tools, toolRules: agentRules }: Pick<AgentRevision, 'tools' | 'toolRules'>,
  given: readonly GivenRule[] | undefined,
): Pick<SessionOrigin, 'clientTools' | 'toolRules' | 'agentRules'> {
  const clientTools = tools?.map(({ name, timeoutSeconds }) =>
    timeoutSeconds === undefined ? { name } : { name, timeoutSeconds },
  );
  return { clientTools, toolRules: parseRules(given, tools), agentRules };
}
