/** What the gateway asks of a session: its key, how its models are called, whether it may use more, and to write down what it used. */
import { NoCredential } from '../sessions/faults.ts';
import type { CredentialId, OrganisationId, SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Sealed } from '../kernel/sealed.ts';
import type { Credentials } from '../secrets/credentials.ts';
import type { Provider } from '../secrets/provider-table.ts';
import { parseModel } from '../sessions/model-name.ts';
import { tokensOf } from '../sessions/session.ts';
import type { Agents } from '../sessions/agents.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import type { GatewayPorts } from './gateway.ts';
import type { ContextWindows } from './model-table.ts';
import { plansOf } from './session-plans.ts';

export type ServerKeys = Readonly<Partial<Record<Provider, Sealed | undefined>>>;

export interface AccountPorts {
  readonly sessions: SessionRuns;
  /** Of an organisation: a session uses its own one's. */
  readonly useCasesOf: (organisationId: OrganisationId) => {
    readonly agents: Pick<Agents, 'get' | 'revision'>;
    readonly credentials: Pick<Credentials, 'defaultOf' | 'open'>;
  };
  /** Of models, as the deployment sets them. */
  readonly contextWindows?: ContextWindows | undefined;
  /** The server's own keys, for sessions to which no credential is left. */
  readonly serverKeys: ServerKeys;
  readonly logger: Logger;
}

/** The gateway's ports over the use cases. */
export function sessionAccount(ports: AccountPorts): GatewayPorts {
  const { sessions, useCasesOf, serverKeys, logger } = ports;
  return {
    logger,
    // Looked up at each call, so that a session whose key was deleted goes on as soon as there is another (NoCredential's advice)
    async keyFor(sessionId: SessionId) {
      const { session } = await sessions.get(sessionId);
      for (const id of await credentialsOf(session, useCasesOf)) {
        const key = await useCasesOf(session.organisationId).credentials.open(id);
        if (key !== undefined) return key;
      }
      const { provider } = parseModel(session.model);
      const key = provider === 'rehearsal' ? undefined : serverKeys[provider];
      if (key === undefined) throw new NoCredential(provider);
      return key;
    },
    async plansFor(sessionId) {
      const { session } = await sessions.get(sessionId);
      const { agents } = useCasesOf(session.organisationId);
      const { settings } = await agents.revision(session.agentId, session.agentRevision);
      const { plan, fallback } = plansOf(session.model, settings, ports.contextWindows);
      return fallback === undefined ? [plan] : [plan, fallback];
    },
    async budget(sessionId) {
      const { session } = await sessions.get(sessionId);
      const used = tokensOf(session.usage);
      const { tokens } = session.limits;
      if (tokens === undefined || used < tokens) return { kind: 'allowed' };
      const message = `The session has used ${used} of its ${tokens} tokens. Start a new session, or one with a higher limit.`;
      return { kind: 'refused', message };
    },
    async meter({ sessionId, callId, requestKey, model, usage, requestId, unmetered }) {
      const of = {
        ...(requestId === undefined ? {} : { requestId }),
        ...(unmetered === true ? { unmetered } : {}),
      };
      await sessions.meter(sessionId, requestKey, { callId, model, ...usage, ...of });
    },
  };
}

/**
 * The credentials whose keys a session may use, in the order in which they are tried: its own, the one that its agent has now, the
 * provider's default. Any of them may have been deleted.
 */
async function credentialsOf(
  session: Session,
  useCasesOf: AccountPorts['useCasesOf'],
): Promise<readonly CredentialId[]> {
  const { provider } = parseModel(session.model);
  const { agents, credentials } = useCasesOf(session.organisationId);
  const { credentialId } = await agents.get(session.agentId);
  const standard = provider === 'rehearsal' ? undefined : await credentials.defaultOf(provider);
  return [session.credentialId, credentialId, standard?.id].filter((id) => id !== undefined);
}
