/** An agent after a change that somebody asks for. Pure. */
import type { CredentialId } from '../kernel/id.ts';
import { PROMPT_BYTES_MAX } from '../kernel/limit.ts';
import { parseText } from '../kernel/parse.ts';
import { requestHash } from '../kernel/request-hash.ts';
import type { Agent } from './agent.ts';
import { type AgentChange, isSameWork, someOf } from './agent-request.ts';
import { parseTools } from './agent-tool.ts';
import { parseRules } from './tool-rule-request.ts';
import { parseLimits } from './limits.ts';
import { parseModel } from './model-name.ts';
import { settingsAfter } from './model-settings.ts';

/** The same object when nothing differs. Throws InvalidInput. */
export function changed(
  agent: Agent,
  change: AgentChange,
  credentialId: CredentialId | null | undefined,
  now: number,
): Agent {
  const { revision } = agent;
  const prompt =
    change.prompt === undefined ? revision.prompt : parseText('prompt', change.prompt, PROMPT_BYTES_MAX);
  const model = change.model ?? revision.model;
  parseModel(model);
  const limits = change.limits === undefined ? agent.limits : parseLimits(change.limits);
  const credential = credentialId === undefined ? agent.credentialId : (credentialId ?? undefined);
  const settings = someOf(settingsAfter(revision.settings ?? {}, change.settings ?? {}, model));
  const sameSettings = requestHash(settings ?? {}) === requestHash(revision.settings ?? {});
  const tools = change.tools === undefined ? revision.tools : parseTools(change.tools);
  // rules about a tool that is declared no more are told, whichever of the two was changed
  const toolRules = parseRules(change.toolRules ?? revision.toolRules, tools);
  const sameModel = prompt === revision.prompt && model === revision.model && sameSettings;
  const sameRevision = sameModel && isSameWork({ tools, toolRules }, revision);
  const sameRest = credential === agent.credentialId && requestHash(limits) === requestHash(agent.limits);
  if (sameRevision && sameRest) return agent;
  const at = Math.max(now, agent.updatedAt + 1); // updatedAt is the version that update() compares
  return {
    ...agent,
    limits,
    credentialId: credential,
    updatedAt: at,
    revision: sameRevision
      ? revision
      : {
          agentId: agent.id,
          number: revision.number + 1,
          prompt,
          model,
          settings,
          tools,
          toolRules,
          createdAt: at,
        },
  };
}
