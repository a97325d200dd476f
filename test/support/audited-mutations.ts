/** One of each mutation of the schema, and the entry that it leaves in the audit log: for test/api/audit.test.ts. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { SessionId } from '../../src/kernel/id.ts';

export const SECRET = 'sk-test-secret-of-a-model-0123';
export const OTHER_SECRET = 'sk-test-secret-that-is-newer-45';
export const PROMPT = 'The words of the prompt are nobody else’s business.';
export const MESSAGE = 'Neither are those of a message.';
export const METADATA = 'Nor is what callers keep.';
const FAULT = '__typename ... on Fault { code message }';

export interface Things {
  readonly agentId: string;
  readonly apiKeyId: string;
  readonly credentialId: string;
  readonly sessionId: SessionId;
}

interface Tried {
  readonly query: string;
  readonly variables: object;
  /** What of the entry is known before. */
  readonly entry: object;
  /** By a client token of the session; else by the root key. */
  readonly isByToken?: boolean;
  /** A tool of which a call waits. */
  readonly waits?: string;
  /** Entries of other things that it changes as well, older ones first. */
  readonly also?: readonly object[];
}

const mutation = (field: string, args: string, payload: string): string =>
  `mutation M${args} { ${field} { ... on ${field[0]?.toUpperCase()}${/^\w+/.exec(field.slice(1))?.[0]}Payload { ${payload} } ${FAULT} } }`;
export const AN_ID = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_[0-9a-f]{24}$`));
export const PROMPT_SHOWN = (text: string) => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
});

/** One of each mutation, that changes something. A mutation that is not here fails the test. */
export const MUTATIONS: Readonly<Record<string, (things: Things) => Tried>> = {
  createAgent: () => ({
    query: mutation('createAgent(input: $input)', '($input: CreateAgentInput!)', 'agent { id } replayed'),
    variables: {
      input: { name: 'made', model: 'anthropic/claude-sonnet-5', prompt: PROMPT, key: SECRET },
    },
    entry: {
      target: { kind: 'agent', id: AN_ID('agt') },
      before: undefined,
      after: expect.objectContaining({ name: 'made', prompt: PROMPT_SHOWN(PROMPT), revision: 1 }),
    },
  }),
  updateAgent: ({ agentId }) => ({
    query: mutation('updateAgent(input: $input)', '($input: UpdateAgentInput!)', 'agent { id } replayed'),
    variables: { input: { id: agentId, prompt: PROMPT, limits: { turns: 3 } } },
    entry: {
      target: { kind: 'agent', id: agentId },
      before: { prompt: PROMPT_SHOWN('before'), revision: 1, limits: {} },
      after: { prompt: PROMPT_SHOWN(PROMPT), revision: 2, limits: { turns: 3 } },
    },
  }),
  createCredential: () => ({
    query: mutation(
      'createCredential(input: $input)',
      '($input: CreateCredentialInput!)',
      'credential { id } replayed',
    ),
    variables: { input: { provider: 'anthropic', key: SECRET, name: 'named' } },
    entry: {
      target: { kind: 'credential', id: AN_ID('cred') },
      before: undefined,
      after: expect.objectContaining({ name: 'named', last4: '0123', provider: 'anthropic' }),
    },
  }),
  updateCredential: ({ credentialId }) => ({
    query: mutation(
      'updateCredential(input: $input)',
      '($input: UpdateCredentialInput!)',
      'credential { id } replayed',
    ),
    variables: { input: { id: credentialId, key: OTHER_SECRET, name: 'after' } },
    entry: {
      target: { kind: 'credential', id: credentialId },
      before: { name: 'before', last4: '0123', rotatedAt: expect.any(Number) },
      after: { name: 'after', last4: 'r-45', rotatedAt: expect.any(Number) },
    },
  }),
  deleteCredential: ({ credentialId }) => ({
    query: mutation('deleteCredential(id: $id)', '($id: ID!)', 'id replayed'),
    variables: { id: credentialId },
    entry: {
      target: { kind: 'credential', id: credentialId },
      before: expect.objectContaining({ name: 'before', last4: '0123' }),
      after: undefined,
    },
  }),
  startSession: ({ agentId }) => ({
    query: mutation(
      'startSession(input: $input)',
      '($input: StartSessionInput!)',
      'session { id } clientToken { token } replayed',
    ),
    variables: { input: { agent: agentId, input: MESSAGE, metadata: { METADATA } } },
    entry: {
      target: { kind: 'session', id: AN_ID('ses') },
      before: undefined,
      after: expect.objectContaining({
        agentId,
        status: 'queued',
        firstSeq: 1,
        lastSeq: 1,
        clientToken: true,
      }),
    },
  }),
  sendMessage: ({ sessionId }) => ({
    query: mutation(
      'sendMessage(input: $input)',
      '($input: SendMessageInput!)',
      'session { id status } replayed',
    ),
    variables: { input: { sessionId, text: MESSAGE } },
    entry: { target: { kind: 'session', id: sessionId }, before: {}, after: { firstSeq: 4, lastSeq: 4 } },
  }),
  answerToolCall: ({ sessionId }) => ({
    query: mutation(
      'answerToolCall(input: $input)',
      '($input: AnswerToolCallInput!)',
      'session { id status } applied replayed',
    ),
    variables: { input: { sessionId, callId: 't1m1.0', text: MESSAGE } },
    waits: 'lookup',
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { status: 'awaiting_input' },
      after: { status: 'running', firstSeq: 6, lastSeq: 7 },
    },
  }),
  approveToolCall: ({ sessionId }) => ({
    query: mutation(
      'approveToolCall(input: $input)',
      '($input: ApproveToolCallInput!)',
      'session { id status } applied replayed',
    ),
    variables: { input: { sessionId, callId: 't1m1.0', input: { command: MESSAGE } } },
    waits: 'bash',
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { status: 'awaiting_input' },
      after: { status: 'running', firstSeq: 6, lastSeq: 6 },
    },
  }),
  denyToolCall: ({ sessionId }) => ({
    query: mutation(
      'denyToolCall(input: $input)',
      '($input: DenyToolCallInput!)',
      'session { id status } applied replayed',
    ),
    variables: { input: { sessionId, callId: 't1m1.0', reason: MESSAGE } },
    waits: 'bash',
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { status: 'awaiting_input' },
      after: { status: 'running', firstSeq: 6, lastSeq: 7 },
    },
  }),
  cancelTurn: ({ sessionId }) => ({
    query: mutation('cancelTurn(sessionId: $id)', '($id: ID!)', 'session { id } replayed'),
    variables: { id: sessionId },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: {},
      after: { stopping: 'canceled', firstSeq: 4, lastSeq: 4 },
    },
  }),
  archiveSession: ({ sessionId }) => ({
    query: mutation('archiveSession(sessionId: $id)', '($id: ID!)', 'session { id } replayed'),
    variables: { id: sessionId },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { status: 'running' },
      after: expect.objectContaining({ status: 'archived', firstSeq: 4 }),
    },
  }),
  updateSession: ({ sessionId }) => ({
    query: mutation(
      'updateSession(input: $input)',
      '($input: UpdateSessionInput!)',
      'session { id } replayed',
    ),
    variables: { input: { id: sessionId, limits: { turns: 9 } } },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { limits: {} },
      after: { limits: { turns: 9 }, firstSeq: 4, lastSeq: 4 },
    },
  }),
  createClientToken: ({ sessionId }) => ({
    query: mutation('createClientToken(sessionId: $id)', '($id: ID!)', 'clientToken { token } replayed'),
    variables: { id: sessionId },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: undefined,
      after: { scopes: ['read', 'steer'], expiresAt: expect.any(Number) },
    },
  }),
  renewClientToken: ({ sessionId }) => ({
    query: mutation('renewClientToken', '', 'clientToken { token } replayed'),
    variables: {},
    isByToken: true,
    entry: {
      actor: { kind: 'client', id: sessionId },
      before: undefined,
      after: { scopes: ['read', 'steer'], expiresAt: expect.any(Number) },
    },
  }),
  revokeClientTokens: ({ apiKeyId }) => ({
    query: mutation('revokeClientTokens(keyId: $id)', '($id: ID!)', 'keyId replayed'),
    variables: { id: apiKeyId },
    entry: { target: { kind: 'apiKey', id: apiKeyId }, before: undefined, after: { revoked: true } },
  }),
  createApiKey: () => ({
    query: mutation(
      'createApiKey(input: $input)',
      '($input: CreateApiKeyInput!)',
      'apiKey { id } value replayed',
    ),
    variables: { input: { name: 'made', scopes: ['SESSIONS_READ'] } },
    entry: {
      target: { kind: 'apiKey', id: AN_ID('key') },
      before: undefined,
      after: expect.objectContaining({ name: 'made', scopes: ['sessions:read'] }),
    },
  }),
  rotateApiKey: ({ apiKeyId }) => ({
    query: mutation(
      'rotateApiKey(input: $input)',
      '($input: RotateApiKeyInput!)',
      'apiKey { id } value replayed',
    ),
    variables: { input: { id: apiKeyId } },
    entry: {
      target: { kind: 'apiKey', id: apiKeyId },
      before: { overlaps: [] },
      after: { rotatedAt: expect.any(Number), overlaps: [expect.any(Number)] },
    },
  }),
  claimRequest: ({ sessionId }) => ({
    query: mutation('claimRequest(input: $input)', '($input: ClaimRequestInput!)', 'session { id } replayed'),
    variables: { input: { sessionId, requestId: 'waits', assignee: 'ann' } },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { claims: [{ requestId: 'held', expiresAt: expect.any(Number) }] },
      after: expect.objectContaining({
        claims: [expect.anything(), { requestId: 'waits', assignee: 'ann', expiresAt: expect.any(Number) }],
      }),
    },
  }),
  releaseRequest: ({ sessionId }) => ({
    query: mutation(
      'releaseRequest(sessionId: $id, requestId: "held")',
      '($id: ID!)',
      'session { id } replayed',
    ),
    variables: { id: sessionId },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: { claims: [{ requestId: 'held', expiresAt: expect.any(Number) }] },
      after: expect.not.objectContaining({ claims: expect.anything() }),
    },
  }),
  revokeApiKey: ({ apiKeyId }) => ({
    query: mutation('revokeApiKey(id: $id)', '($id: ID!)', 'apiKey { id } replayed'),
    variables: { id: apiKeyId },
    entry: {
      target: { kind: 'apiKey', id: apiKeyId },
      before: {},
      after: { revokedAt: expect.any(Number) },
    },
  }),
  deleteSession: ({ sessionId }) => ({
    query: mutation('deleteSession(sessionId: $id)', '($id: ID!)', 'id replayed'),
    variables: { id: sessionId },
    entry: {
      target: { kind: 'session', id: sessionId },
      before: expect.objectContaining({ status: 'running' }),
      after: undefined,
    },
  }),
  deleteAgent: ({ agentId, sessionId }) => ({
    query: mutation('deleteAgent(id: $id, force: true)', '($id: ID!)', 'agent { id } replayed'),
    variables: { id: agentId },
    entry: {
      target: { kind: 'agent', id: agentId },
      before: {},
      after: { deletedAt: expect.any(Number) },
    },
    also: [
      {
        action: 'archiveSession',
        target: { kind: 'session', id: sessionId },
        before: expect.objectContaining({ status: 'running' }),
        after: expect.objectContaining({ status: 'archived', deletedAgentId: agentId }),
      },
    ],
  }),
  setRetention: ({ agentId }) => ({
    query: mutation(
      'setRetention(input: $input)',
      '($input: SetRetentionInput!)',
      'retention { agentId } replayed',
    ),
    variables: { input: { agentId, idleDays: 9 } },
    entry: {
      target: { kind: 'retention', id: agentId },
      before: { isInherited: true },
      after: { idleDays: 9, isInherited: false },
    },
  }),
  createOrganisation: () => ({
    query: mutation('createOrganisation(name: $name)', '($name: String!)', 'organisation { id } replayed'),
    variables: { name: 'made' },
    entry: {
      target: { kind: 'organisation', id: AN_ID('org') },
      before: undefined,
      after: { name: 'made' },
    },
  }),
};
