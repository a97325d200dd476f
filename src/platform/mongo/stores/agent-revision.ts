/** How a revision lies in MongoDB: an agent's tools hold JSON of the caller's, and not every name of JSON (`$ref`) is one of BSON. */
import type { AgentRevision } from '../../../sessions/agent.ts';

export type StoredRevision = Omit<AgentRevision, 'tools'> & {
  /** As JSON text. */
  readonly tools?: string | undefined;
};

export function storedRevision({ tools, ...rest }: AgentRevision): StoredRevision {
  return tools === undefined ? rest : { ...rest, tools: JSON.stringify(tools) };
}

export function revisionOf({ tools, ...rest }: StoredRevision): AgentRevision {
  return tools === undefined ? rest : { ...rest, tools: JSON.parse(tools) as AgentRevision['tools'] }; // storedRevision wrote it
}
