/**
 * The use cases of one organisation at a time, over the stores of all: what they find, list and make is that organisation's. Doors take
 * them for the principal that asks, so that no resolver has to think of it (ORGANISATION-1).
 */
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import type { OrganisationId } from '../kernel/id.ts';
import { type Scheduler, systemScheduler } from '../kernel/scheduler.ts';
import type { CredentialStore } from '../secrets/credential-store.ts';
import { Credentials } from '../secrets/credentials.ts';
import type { Provider } from '../secrets/provider-table.ts';
import type { SecretStore } from '../secrets/secret-store.ts';
import type { AgentStore } from './agent-store.ts';
import { type DeleteAgent, deleteAgent } from './agent-deletion.ts';
import type { ToolSchemas } from './agent-tool.ts';
import { Agents } from './agents.ts';
import type { DeletionStore } from './deletion-store.ts';
import { Retention } from './retention.ts';
import type { RetentionStore } from './retention-store.ts';
import { Inbox } from './inbox.ts';
import type { InboxStore } from './inbox-store.ts';
import { InboxWatch } from './inbox-watch.ts';
import type { SessionJournal, SessionStore } from './session-store.ts';
import { Sessions } from './sessions.ts';
import { type AnswerToolCall, answerToolCall } from './tool-answer.ts';
import { type ApproveToolCall, approveToolCall, type DenyToolCall, denyToolCall } from './tool-approval.ts';

export interface UseCases {
  readonly agents: Agents;
  readonly credentials: Credentials;
  readonly sessions: Sessions;
  readonly retention: Retention;
  readonly inbox: Inbox;
  deleteAgent(request: DeleteAgent): ReturnType<typeof deleteAgent>;
  answerToolCall(request: AnswerToolCall): ReturnType<typeof answerToolCall>;
  approveToolCall(request: ApproveToolCall): ReturnType<typeof approveToolCall>;
  denyToolCall(request: DenyToolCall): ReturnType<typeof denyToolCall>;
}

export type UseCasesOf = (organisationId: OrganisationId) => UseCases;

export interface UseCasePorts {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly deletions: DeletionStore;
  readonly agents: AgentStore;
  readonly credentials: CredentialStore;
  readonly retention: RetentionStore;
  readonly inbox: InboxStore;
  /** Default: the system's. */
  readonly scheduler?: Scheduler | undefined;
  readonly secrets: SecretStore;
  readonly clock: Clock;
  /** Default: the system's. */
  readonly chance?: Chance | undefined;
  readonly serverKeys: ReadonlySet<Provider>;
  readonly firstOrganisation: OrganisationId;
  /** Whether the validator takes the schemas of tools. Default: their form alone is looked at. */
  readonly toolSchemas?: ToolSchemas | undefined;
  /** Whether a call of this model can be kept within a limit of money (limit-change.ts). */
  readonly isPriced?: ((model: string) => boolean) | undefined;
}

/** Organisations whose use cases are kept at hand: some hundred bytes each, and what they know of secrets. */
const KNOWN_MAX = 1_000;

export function useCasesOver(ports: UseCasePorts): UseCasesOf {
  const { journal, inbox, scheduler = systemScheduler } = ports;
  const watch = new InboxWatch({ journal, inbox, scheduler });
  const known = new Map<OrganisationId, UseCases>();
  return (id) => {
    const there = known.get(id);
    if (there !== undefined) return there;
    if (known.size >= KNOWN_MAX) known.clear();
    const made = useCasesIn(id, ports, watch);
    known.set(id, made);
    return made;
  };
}

function useCasesIn(id: OrganisationId, ports: UseCasePorts, watch: InboxWatch): UseCases {
  const organisation = { id, isFirst: id === ports.firstOrganisation };
  const credentials = new Credentials({ ...ports, organisation });
  const agents = new Agents({ ...ports, credentials, organisation });
  const sessions = new Sessions({ ...ports, agents, credentials, organisation });
  return {
    agents,
    credentials,
    sessions,
    inbox: new Inbox({ ...ports, organisation, watch }),
    retention: new Retention({ ...ports, agents, organisation }),
    deleteAgent: (request) => deleteAgent({ ...ports, sessions, organisation }, request),
    answerToolCall: (request) => answerToolCall({ ...ports, organisation }, request),
    approveToolCall: (request) => approveToolCall({ ...ports, organisation }, request),
    denyToolCall: (request) => denyToolCall({ ...ports, organisation }, request),
  };
}
