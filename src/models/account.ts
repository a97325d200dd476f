/** What the gateway asks of a session: its key, how its models are called, whether it may use more, and to write down what it used. */
import { AgentGone, NoCredential } from '../sessions/faults.ts';
import type { Clock } from '../kernel/clock.ts';
import type { CredentialId, OrganisationId, SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Sealed } from '../kernel/sealed.ts';
import type { BodyOf } from '../journal/event.ts';
import type { Credentials } from '../secrets/credentials.ts';
import type { Provider } from '../secrets/provider-table.ts';
import { type ModelProvider, parseModel } from '../sessions/model-name.ts';
import { usedUp, usedUpMessage } from '../sessions/budget.ts';
import { limitsInForce } from '../sessions/session.ts';
import type { Agents } from '../sessions/agents.ts';
import type { Session } from '../sessions/session.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import type { GatewayPorts } from './gateway.ts';
import type { ContextWindows } from './model-table.ts';
import { costMicroUsd, ratesOf } from './price.ts';
import { type Prices, wholeName } from './prices.ts';
import { plansOf } from './session-plans.ts';
import type { Metered } from './usage-reader.ts';

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
  readonly prices: Prices;
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
}

/** The gateway's ports over the use cases. */
export function sessionAccount(ports: AccountPorts): GatewayPorts {
  const { sessions, useCasesOf, serverKeys, clock, prices, logger } = ports;
  return {
    clock,
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
    // SPEND-1
    async budget(sessionId, model) {
      const { session } = await sessions.get(sessionId);
      const spent = usedUp(session);
      if (spent !== undefined)
        return { kind: 'refused', type: 'budget_exceeded', message: usedUpMessage(spent) };
      if (limitsInForce(session).costMicroUsd === undefined) return { kind: 'allowed' };
      const name = wholeName(parseModel(session.model).provider, model);
      return prices.find([name], clock.now()) === undefined
        ? { kind: 'refused', type: 'no_price', message: noPrice(name) }
        : { kind: 'allowed' };
    },
    async meter(metered) {
      const { sessionId, callId, requestKey, model, usage, requestId, unmetered } = metered;
      const { cacheCreation1hInputTokens } = metered;
      const { session } = await sessions.get(sessionId);
      const of = {
        ...(requestId === undefined ? {} : { requestId }),
        ...(cacheCreation1hInputTokens === undefined ? {} : { cacheCreation1hInputTokens }),
        ...(unmetered === true
          ? { unmetered }
          : pricedAs(metered, parseModel(session.model).provider, prices)),
      };
      await sessions.meter(sessionId, requestKey, { callId, model, ...usage, ...of });
    },
  };
}

/** PRICE-1: of the model that answered, or else of the one that was asked for; nothing where neither has one (PRICE-2). */
function pricedAs(
  { asked, model: answered, usage, cacheCreation1hInputTokens }: Metered,
  provider: ModelProvider,
  prices: Prices,
): Pick<BodyOf<'model.usage'>, 'costMicroUsd' | 'price'> {
  const found = prices.find([wholeName(provider, answered), wholeName(provider, asked.model)], asked.at);
  if (found === undefined) return {};
  const inAnHour = asked.cacheTtl === '1h' ? usage.cacheCreationInputTokens : 0;
  const tokens = { ...usage, cacheCreation1hInputTokens: cacheCreation1hInputTokens ?? inAnHour };
  const rates = ratesOf(found.price, tokens);
  const price = { model: found.model, from: found.price.from, ...rates };
  return { costMicroUsd: costMicroUsd(rates, tokens), price };
}

function noPrice(model: string): string {
  return `The price of ${model} is not known, so the session's cost limit could not be kept: give the server its price (HOLDFAST_PRICES), or take the limit away with updateSession.`;
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
  const { credentialId, deletedAt } = await agents.get(session.agentId);
  // AGENT-1: no deletion left a session in its first turn; whoever started this one was killed before it could be taken back
  if (deletedAt !== undefined && session.turnCount <= 1) throw new AgentGone(session.agentId);
  const standard = provider === 'rehearsal' ? undefined : await credentials.defaultOf(provider);
  return [session.credentialId, credentialId, standard?.id].filter((id) => id !== undefined);
}
