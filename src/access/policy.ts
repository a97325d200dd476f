/**
 * The one policy table: who may do what with which. docs/policy.md is printed from it, every operation of the schema stands in it, and
 * test/api/policy.test.ts walks all of it.
 *
 * POLICY-1 Nobody does what no row allows: an API key needs one of the scopes that the row names, a client token one of its own, for its own
 *    session and no other, and what a row does not name is for nobody. A client token that names another session is told that there is none,
 *    as a stranger is (v3 contract: never 403 across tenants). One whose level is below that of the row is refused, too.
 */
import { Forbidden } from '../kernel/fault.ts';
import { LEVEL_RANK, type Level } from '../journal/event-catalog.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { SessionId } from '../kernel/id.ts';
import type { ClientScope, KeyScope, Principal } from './principal.ts';

export interface Rule {
  /** What it is done with. */
  readonly resource: string;
  /** An API key needs one of them; of a row without any no key has it. */
  readonly key: readonly KeyScope[];
  /** A client token of the session needs one of them; of a row without any no token has it. */
  readonly client: readonly ClientScope[];
  /** The level that a client token needs as well: what sums up events of a level is for who may see those. Absent: any. */
  readonly level?: Level | undefined;
  /** Root fields of the schema, and fields of types that ask for more than what they are on. */
  readonly operations: readonly string[];
}

// biome-ignore format: a table is read by its columns
export const POLICY = {
  'organisations.read':  { resource: 'organisation', key: ['operator'],                       client: [], operations: ['organisation', 'organisations'] },
  'organisations.write': { resource: 'organisation', key: ['operator'],                       client: [], operations: ['createOrganisation', 'CreateApiKeyInput.organisationId', 'RotateApiKeyInput.organisationId'] },
  'keys.read':           { resource: 'API key',      key: ['keys:write'],                     client: [], operations: ['apiKey', 'apiKeys'] },
  'keys.write':          { resource: 'API key',      key: ['keys:write'],                     client: [], operations: ['createApiKey', 'rotateApiKey', 'revokeApiKey'] },
  'audit.read':          { resource: 'audit entry',  key: ['keys:write'],                     client: [], operations: ['auditEntries'] },
  'retention.read':      { resource: 'retention',    key: ['sessions:read', 'sessions:write'], client: [], operations: ['retention'] },
  'retention.preview':   { resource: 'retention',    key: ['sessions:read'],                  client: [], operations: ['retentionPreview'] },
  'retention.write':     { resource: 'retention',    key: ['sessions:write'],                 client: [], operations: ['setRetention'] },
  'agents.read':         { resource: 'agent',        key: ['agents:write', 'sessions:read'],  client: [], operations: ['agent', 'agents', 'Session.agent'] },
  'agents.write':        { resource: 'agent',        key: ['agents:write'],                   client: [], operations: ['createAgent', 'updateAgent', 'deleteAgent', 'SetRetentionInput.agentId'] },
  'credentials.read':    { resource: 'credential',   key: ['credentials:write'],              client: [], operations: ['credential', 'credentials'] },
  'credentials.write':   { resource: 'credential',   key: ['credentials:write'],              client: [], operations: ['createCredential', 'updateCredential', 'deleteCredential', 'CreateAgentInput.key', 'UpdateAgentInput.key'] },
  'sessions.list':       { resource: 'session',      key: ['sessions:read'],                  client: [], operations: ['sessions', 'Session.metadata', 'Session.key', 'Session.lease'] },
  'sessions.start':      { resource: 'session',      key: ['sessions:write'],                 client: [], operations: ['startSession'] },
  'session.read':        { resource: 'session',      key: ['sessions:read'],                  client: ['read'], operations: ['session', 'event', 'turn', 'sessionEvents', 'Session.events', 'Session.result', 'Session.queuePosition'] },
  'session.account':     { resource: 'session',      key: ['sessions:read'],                  client: ['read'], level: 'internal', operations: ['Session.why', 'Session.limits', 'Session.usage', 'Turn.modelCalls', 'Turn.usage'] },
  'session.steer':       { resource: 'session',      key: ['sessions:write'],                 client: ['steer'], operations: ['sendMessage'] },
  'session.answer':      { resource: 'session that awaits input', key: ['sessions:write'],    client: ['steer', 'answer'], operations: ['answerToolCall'] },
  'session.decide':      { resource: 'tool call that waits for approval', key: ['sessions:write'], client: ['answer'], operations: ['approveToolCall', 'denyToolCall'] },
  'session.cancel':      { resource: 'session',      key: ['sessions:write'],                 client: ['cancel'], operations: ['cancelTurn'] },
  'session.write':       { resource: 'session',      key: ['sessions:write'],                 client: [], operations: ['updateSession', 'archiveSession', 'deleteSession', 'Mutation.deleteAgent.force'] },
  'inbox.read':          { resource: 'inbox',        key: ['sessions:read'],                  client: [], operations: ['inbox', 'inboxChanged'] },
  'inbox.claim':         { resource: 'inbox',        key: ['sessions:write'],                 client: [], operations: ['claimRequest', 'releaseRequest'] },
  'tokens.write':        { resource: 'client token', key: ['sessions:read', 'sessions:write'], client: [], operations: ['createClientToken', 'StartSessionPayload.clientToken'] },
  'tokens.renew':        { resource: 'client token', key: [],                                 client: ['read', 'steer', 'answer', 'cancel'], operations: ['renewClientToken'] },
  'tokens.revoke':       { resource: 'client token', key: ['sessions:write'],                 client: [], operations: ['revokeClientTokens'] },
} as const satisfies Readonly<Record<string, Rule>>;

export type Action = keyof typeof POLICY;

/** Of a field of a type, as rows name it (`Session.key`), what it asks for beyond what it is on. */
export function actionOf(operation: string): Action | undefined {
  return ACTION_OF.get(operation);
}

// as: the keys of POLICY
const ACTION_OF: ReadonlyMap<string, Action> = new Map(
  (Object.keys(POLICY) as Action[]).flatMap((action) =>
    POLICY[action].operations.map((operation) => [operation, action] as const),
  ),
);

/** Returns, or throws Forbidden or SessionNotFound. `sessionId`: which one it is about, where it is about one. */
export function authorize(principal: Principal, action: Action, sessionId?: SessionId): void {
  const { key, client, level }: Rule = POLICY[action];
  switch (principal.kind) {
    case 'key':
      if (key.length === 0) throw new Forbidden('This is for client tokens; an API key does not need it.');
      return needOne('API key', key, principal.scopes); // POLICY-1
    case 'client':
      if (client.length === 0)
        throw new Forbidden('A client token is for its session only; this needs an API key.');
      if (sessionId !== principal.sessionId) throw new SessionNotFound(sessionId ?? '');
      needOne('client token', client, principal.scopes); // POLICY-1
      return needLevel(level, principal.level);
    case 'unit':
      throw new Forbidden('A unit token opens the unit endpoint only.');
  }
}

/** At the unit endpoint. Throws Forbidden for whoever is no brain. */
export function authorizeUnit(
  principal: Principal,
): asserts principal is Extract<Principal, { kind: 'unit' }> {
  if (principal.kind !== 'unit') throw new Forbidden('The unit endpoint is for brains: use the GraphQL API.');
}

function needLevel(needed: Level | undefined, own: Level = 'internal'): void {
  if (needed === undefined || LEVEL_RANK[own] >= LEVEL_RANK[needed]) return;
  const [has, needs] = [own.toUpperCase(), needed.toUpperCase()];
  throw new Forbidden(`This client token has the level ${has}, and this needs ${needs} or an API key.`);
}

function needOne(what: string, needed: readonly string[], scopes: readonly string[]): void {
  if (needed.some((scope) => scopes.includes(scope))) return;
  const named = needed.map((scope) => `"${scope}"`).join(' or ');
  throw new Forbidden(`This ${what} has no scope ${named}.`);
}
