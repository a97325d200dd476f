/**
 * Every root field of the schema, each asked about a thing in some forms: for the tests that walk all of them (organisations, policy). A new
 * root field is added here, or they fail.
 */
import { cursorOf } from '../../src/journal/cursor.ts';
import {
  type AgentId,
  type ApiKeyId,
  type CredentialId,
  eventIdOf,
  type OrganisationId,
  type SessionId,
  turnIdOf,
} from '../../src/kernel/id.ts';
import { FAULT } from './operations.ts';

/** What an operation is asked about: of the asker, of the other organisation, or of nobody. */
export interface Thing {
  readonly agentId: AgentId;
  readonly apiKeyId: ApiKeyId;
  readonly credentialId: CredentialId;
  readonly sessionId: SessionId;
  /** Whose the others are. */
  readonly organisationId: OrganisationId;
  /** As names, keys and idempotency keys. */
  readonly word: string;
}

export interface Asked {
  readonly field: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
  /** What of the form stands in another row of the policy than the field. */
  readonly needs?: readonly string[];
}

const AGENT = '... on Agent { id name prompt model revision credentialId }';
const API_KEY = '... on ApiKey { id name scopes createdBy }';
const EVENTS = 'events(first: 5) { nodes { id body fullBody } pageInfo { endCursor } }';
const SESSION = `... on Session { id status why key metadata agentId head cursor agent { id name prompt } turn { id }
  turns(first: 2) { nodes { id } } ${EVENTS} }`;

/** Every root field of the schema, asked about a thing; `own`: something of the asker, to ask about the other in its light. */
export const OPERATIONS: Readonly<
  Record<string, (thing: Thing, own: Thing) => readonly Omit<Asked, 'field'>[]>
> = {
  agent: ({ agentId, word }) => [
    { query: `query ($id: ID) { agent(id: $id) { ${AGENT} ${FAULT} } }`, variables: { id: agentId } },
    {
      query: `query ($name: String) { agent(name: $name) { ${AGENT} ${FAULT} } }`,
      variables: { name: word },
    },
  ],
  agents: ({ agentId }) => [list('agents', '{ nodes { id name prompt }', place('agents', agentId))],
  credential: ({ credentialId: id }) => [
    {
      query: `query ($id: ID!) { credential(id: $id) { ... on Credential { id name last4 } ${FAULT} } }`,
      variables: { id },
    },
  ],
  credentials: ({ credentialId }) => [
    list('credentials', '{ nodes { id name last4 }', place('credentials', credentialId)),
  ],
  auditEntries: ({ agentId, credentialId, sessionId }) =>
    [agentId, credentialId, sessionId].map((targetId) => ({
      query: `query ($filter: AuditFilter) { auditEntries(first: 100, filter: $filter) { nodes { id action outcome before after } } }`,
      variables: { filter: { targetId } },
    })),
  event: ({ sessionId }, own) =>
    [
      { sessionId, id: eventIdOf(sessionId, 1) },
      { sessionId: own.sessionId, id: eventIdOf(sessionId, 1) },
      { sessionId, id: eventIdOf(own.sessionId, 1) },
    ].map((variables) => ({
      query: `query ($sessionId: ID!, $id: ID!) { event(sessionId: $sessionId, id: $id) { ... on Event { id seq body fullBody } ${FAULT} } }`,
      variables,
    })),
  session: ({ sessionId: id }) => [
    { query: `query ($id: ID!) { session(id: $id) { ${SESSION} ${FAULT} } }`, variables: { id } },
  ],
  sessions: ({ agentId, sessionId, word }) =>
    [{ agentId }, { key: word }, { after: place('sessions', sessionId) }].map((variables) => ({
      query: `query ($agentId: ID, $key: String, $after: String) {
        sessions(agentId: $agentId, key: $key, after: $after, first: 100) { nodes { id key metadata } } }`,
      variables,
    })),
  retention: ({ agentId }) => [
    {
      query: `query ($agentId: ID) { retention(agentId: $agentId) { ... on Retention { agentId idleDays isInherited } ${FAULT} } }`,
      variables: { agentId },
    },
  ],
  retentionPreview: ({ agentId }) =>
    [{ agentId }, {}].map((variables) => ({
      query: `query ($agentId: ID) { retentionPreview(agentId: $agentId, rule: { idleDays: 1, archivedDays: 1 }) {
        ... on RetentionPreview { count sessions { sessionId agentId } } ${FAULT} } }`,
      variables,
    })),
  deleteAgent: ({ agentId: id }) =>
    [{ id }, { id, force: true }].map((variables) => ({
      query: `mutation ($id: ID!, $force: Boolean) { deleteAgent(id: $id, force: $force) {
        ... on DeleteAgentPayload { agent { id name deletedAt } replayed } ${FAULT} } }`,
      variables,
      ...('force' in variables ? { needs: ['Mutation.deleteAgent.force'] } : {}),
    })),
  setRetention: ({ agentId }) =>
    [{ agentId, idleDays: 9 }, { idleDays: 9_000 }].map((input) => ({
      query: `mutation ($input: SetRetentionInput!) { setRetention(input: $input) {
        ... on SetRetentionPayload { retention { agentId idleDays } } ${FAULT} } }`,
      variables: { input },
      ...('agentId' in input ? { needs: ['SetRetentionInput.agentId'] } : {}),
    })),
  deleteSession: ({ sessionId: id, word }) =>
    [{ id }, { id, key: word }].map((variables) => ({
      query: `mutation ($id: ID!, $key: String) { deleteSession(sessionId: $id, idempotencyKey: $key) {
        ... on DeleteSessionPayload { id deletedAt replayed } ${FAULT} } }`,
      variables,
    })),
  turn: ({ sessionId }, own) =>
    [
      { sessionId, id: turnIdOf(sessionId, 1) },
      { sessionId: own.sessionId, id: turnIdOf(sessionId, 1) },
    ].map((variables) => ({
      query: `query ($sessionId: ID!, $id: ID!) { turn(sessionId: $sessionId, id: $id) { ... on Turn { id number } ${FAULT} } }`,
      variables,
    })),
  createAgent: ({ credentialId, word }) =>
    [{}, { credentialId }].map((more) => ({
      query: `mutation ($input: CreateAgentInput!, $key: String) { createAgent(input: $input, idempotencyKey: $key) {
        ... on CreateAgentPayload { agent { id name prompt } replayed } ${FAULT} } }`,
      variables: {
        input: { name: word, model: 'anthropic/claude-sonnet-5', prompt: 'p', ...more },
        key: word,
      },
    })),
  updateAgent: ({ agentId, credentialId }, own) =>
    [
      { id: agentId, prompt: 'changed' },
      { id: agentId, limits: { turns: 1 } },
      { id: own.agentId, credentialId },
    ].map((input) => ({
      query: `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
        ... on UpdateAgentPayload { agent { id name prompt credentialId } replayed } ${FAULT} } }`,
      variables: { input },
    })),
  updateSession: ({ sessionId, word }) =>
    [{}, { idempotencyKey: word }].map(({ idempotencyKey }: { idempotencyKey?: string }) => ({
      query: `mutation ($input: UpdateSessionInput!, $key: String) { updateSession(input: $input, idempotencyKey: $key) {
        ... on UpdateSessionPayload { session { id limits { turns } } replayed } ${FAULT} } }`,
      variables: { input: { id: sessionId, limits: { turns: 7 } }, key: idempotencyKey },
    })),
  createCredential: ({ word }) => [
    {
      query: `mutation ($input: CreateCredentialInput!, $key: String) { createCredential(input: $input, idempotencyKey: $key) {
        ... on CreateCredentialPayload { credential { id name last4 isDefault } replayed } ${FAULT} } }`,
      variables: { input: { provider: 'anthropic', key: 'sk-test-0123456789' }, key: word },
    },
  ],
  updateCredential: ({ credentialId: id, word }) =>
    [{ name: 'changed' }, { isDefault: true }, { key: 'sk-test-changed' }].map((change) => ({
      query: `mutation ($input: UpdateCredentialInput!, $key: String) { updateCredential(input: $input, idempotencyKey: $key) {
        ... on UpdateCredentialPayload { credential { id name last4 } replayed } ${FAULT} } }`,
      variables: { input: { id, ...change }, key: word },
    })),
  deleteCredential: ({ credentialId: id, word }) =>
    [{ id }, { id, key: word }].map((variables) => ({
      query: `mutation ($id: ID!, $key: String) { deleteCredential(id: $id, idempotencyKey: $key) {
        ... on DeleteCredentialPayload { id replayed } ${FAULT} } }`,
      variables,
    })),
  startSession: ({ agentId, word }, own) =>
    [
      { agent: agentId, input: 'hi' },
      { agent: word, input: 'hi' },
      { agent: own.agentId, input: 'hi', key: word },
    ].map((input) => ({
      query: `mutation ($input: StartSessionInput!, $key: String) { startSession(input: $input, idempotencyKey: $key) {
        ... on StartSessionPayload { session { id key } turnId cursor clientToken { token } replayed } ${FAULT} } }`,
      variables: { input, key: word },
    })),
  answerToolCall: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: AnswerToolCallInput!, $key: String) { answerToolCall(input: $input, idempotencyKey: $key) {
        ... on AnswerToolCallPayload { callId applied resolution eventId cursor session { id status } replayed } ${FAULT} } }`,
      variables: { input: { sessionId, callId: 't1m1.0', text: 'found' }, key },
    })),
  approveToolCall: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: ApproveToolCallInput!, $key: String) { approveToolCall(input: $input, idempotencyKey: $key) {
        ... on ApproveToolCallPayload { callId applied resolution eventId cursor session { id status } rule { tool } replayed } ${FAULT} } }`,
      variables: { input: { sessionId, callId: 't1m1.0', forSession: true }, key },
    })),
  denyToolCall: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: DenyToolCallInput!, $key: String) { denyToolCall(input: $input, idempotencyKey: $key) {
        ... on DenyToolCallPayload { callId applied resolution eventId cursor session { id status } replayed } ${FAULT} } }`,
      variables: { input: { sessionId, callId: 't1m1.0', reason: 'no' }, key },
    })),
  sendMessage: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: SendMessageInput!, $key: String) { sendMessage(input: $input, idempotencyKey: $key) {
        ... on SendMessagePayload { eventId turnId cursor session { id status } replayed } ${FAULT} } }`,
      variables: { input: { sessionId, text: 'more' }, key },
    })),
  cancelTurn: ({ sessionId: id, word }) => [onSession('cancelTurn', id), onSession('cancelTurn', id, word)],
  archiveSession: ({ sessionId: id, word }) => [
    onSession('archiveSession', id),
    onSession('archiveSession', id, word),
  ],
  createClientToken: ({ sessionId: id }) => [
    {
      query: `mutation ($id: ID!) { createClientToken(sessionId: $id) {
        ... on CreateClientTokenPayload { clientToken { token scopes } } ${FAULT} } }`,
      variables: { id },
    },
  ],
  renewClientToken: () => [
    {
      query: `mutation { renewClientToken { ... on RenewClientTokenPayload { clientToken { token scopes } } ${FAULT} } }`,
      variables: {},
    },
  ],
  revokeClientTokens: ({ sessionId: id }) => [
    {
      query: `mutation ($id: ID!) { revokeClientTokens(sessionId: $id) {
        ... on RevokeClientTokensPayload { sessionId keyId } ${FAULT} } }`,
      variables: { id },
    },
  ],
  apiKey: ({ apiKeyId: id }) => [
    { query: `query ($id: ID!) { apiKey(id: $id) { ${API_KEY} ${FAULT} } }`, variables: { id } },
  ],
  apiKeys: ({ apiKeyId }) => [list('apiKeys', '{ nodes { id name }', place('apiKeys', apiKeyId))],
  createApiKey: ({ word }) => [
    {
      query: `mutation ($input: CreateApiKeyInput!, $key: String) { createApiKey(input: $input, idempotencyKey: $key) {
        ... on CreateApiKeyPayload { apiKey { id name } replayed } ${FAULT} } }`,
      variables: { input: { name: word, scopes: ['KEYS_WRITE'] }, key: word },
    },
  ],
  rotateApiKey: ({ apiKeyId: id, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: RotateApiKeyInput!, $key: String) { rotateApiKey(input: $input, idempotencyKey: $key) {
        ... on RotateApiKeyPayload { apiKey { id name } replayed } ${FAULT} } }`,
      variables: { input: { id }, key },
    })),
  revokeApiKey: ({ apiKeyId: id }) => [
    {
      query: `mutation ($id: ID!) { revokeApiKey(id: $id) { ... on RevokeApiKeyPayload { apiKey { id name } replayed } ${FAULT} } }`,
      variables: { id },
    },
  ],
  organisation: ({ organisationId: id }) => [
    {
      query: `query ($id: ID!) { organisation(id: $id) { ... on Organisation { id name } ${FAULT} } }`,
      variables: { id },
    },
  ],
  organisations: () => [{ query: '{ organisations { nodes { id name } } }', variables: {} }],
  createOrganisation: ({ word }) => [
    {
      query: `mutation ($name: String!) { createOrganisation(name: $name) {
        ... on CreateOrganisationPayload { organisation { id name } replayed } ${FAULT} } }`,
      variables: { name: word },
    },
  ],
  inbox: ({ agentId, sessionId }) =>
    [{}, { agentId }, { sessionId }].map((filter) => ({
      query: `query ($filter: InboxFilter) { inbox(filter: $filter, first: 100) {
        nodes { id kind tool input session { id metadata } claim { apiKeyId } } } }`,
      variables: { filter },
    })),
  inboxChanged: ({ agentId, sessionId }) =>
    [{}, { agentId }, { sessionId }].map((filter) => ({
      query: `subscription ($filter: InboxChangesFilter) { inboxChanged(filter: $filter) {
        changes { sessionId requests { id input session { id } } } isCaughtUp } }`,
      variables: { filter },
    })),
  claimRequest: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($input: ClaimRequestInput!, $key: String) { claimRequest(input: $input, idempotencyKey: $key) {
        ... on ClaimRequestPayload { session { id status } replayed } ${FAULT} } }`,
      variables: { input: { sessionId, requestId: 'waits', assignee: 'ann' }, key },
    })),
  releaseRequest: ({ sessionId, word }) =>
    [undefined, word].map((key) => ({
      query: `mutation ($id: ID!, $key: String) { releaseRequest(sessionId: $id, requestId: "held", idempotencyKey: $key) {
        ... on ReleaseRequestPayload { session { id status } replayed } ${FAULT} } }`,
      variables: { id: sessionId, key },
    })),
  sessionEvents: ({ sessionId: id }, own) =>
    [{ id }, { id, after: cursorOf(id, 1) }, { id, after: cursorOf(own.sessionId, 1) }].map((variables) => ({
      query: `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after, deltas: true) {
        __typename ... on EventBatch { events { id body } } ... on SessionGone { message } ... on CursorRefused { reason } } }`,
      variables,
    })),
};

function onSession(field: string, id: SessionId, key?: string): Omit<Asked, 'field'> {
  const payload = `${field[0]?.toUpperCase()}${field.slice(1)}Payload`;
  return {
    query: `mutation ($id: ID!, $key: String) { ${field}(sessionId: $id, idempotencyKey: $key) {
      ... on ${payload} { session { id status } replayed } ${FAULT} } }`,
    variables: { id, key },
  };
}

/** A list from a place that another's thing would have in it. */
function list(field: string, fields: string, after: string): Omit<Asked, 'field'> {
  return {
    query: `query ($after: String) { ${field}(after: $after, first: 100) ${fields} } }`,
    variables: { after },
  };
}

function place(of: string, id: string): string {
  return Buffer.from(`${of} ${Date.now() + 1_000} ${id}`).toString('base64url');
}
