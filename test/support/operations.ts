/** The operations of the API as verbs: each answers its result union, with `__typename`, and `code` when it is a Fault. */
import type { Answer, Door } from './door.ts';

export const FAULT = '__typename ... on Fault { code message }';
export const MODEL = 'anthropic/claude-sonnet-5';
export const MODEL_KEY = 'sk-test-0123456789';

export function operationsOf(door: Door) {
  async function createAgent(input: object, idempotencyKey?: string): Promise<Answer> {
    const query = `mutation ($input: CreateAgentInput!, $key: String) { createAgent(input: $input, idempotencyKey: $key) {
    ... on CreateAgentPayload { agent { id name model prompt revision credentialId limits { tokens turns } } replayed } ${FAULT} } }`;
    return (
      await door.ask(query, { input: { model: MODEL, prompt: 'Be brief.', ...input }, key: idempotencyKey })
    ).createAgent;
  }

  async function updateAgent(input: object): Promise<Answer> {
    const query = `mutation ($input: UpdateAgentInput!) { updateAgent(input: $input) {
    ... on UpdateAgentPayload { agent { revision prompt credentialId } replayed } ${FAULT} } }`;
    return (await door.ask(query, { input })).updateAgent;
  }

  async function createCredential(input: object, idempotencyKey?: string): Promise<Answer> {
    const query = `mutation ($input: CreateCredentialInput!, $key: String) { createCredential(input: $input, idempotencyKey: $key) {
    ... on CreateCredentialPayload { credential { id name last4 isDefault } replayed } ${FAULT} } }`;
    return (
      await door.ask(query, {
        input: { provider: 'anthropic', key: MODEL_KEY, ...input },
        key: idempotencyKey,
      })
    ).createCredential;
  }

  async function updateCredential(input: object): Promise<Answer> {
    const query = `mutation ($input: UpdateCredentialInput!) { updateCredential(input: $input) {
    ... on UpdateCredentialPayload { credential { name last4 isDefault } replayed } ${FAULT} } }`;
    return (await door.ask(query, { input })).updateCredential;
  }

  async function deleteCredential(id: string, idempotencyKey?: string): Promise<Answer> {
    const query = `mutation ($id: ID!, $key: String) { deleteCredential(id: $id, idempotencyKey: $key) {
    ... on DeleteCredentialPayload { id replayed } ${FAULT} } }`;
    return (await door.ask(query, { id, key: idempotencyKey })).deleteCredential;
  }

  async function startSession(input: object, idempotencyKey?: string, bearer?: string): Promise<Answer> {
    const query = `mutation ($input: StartSessionInput!, $key: String) { startSession(input: $input, idempotencyKey: $key) {
    ... on StartSessionPayload { session { id status key metadata limits { turns } } clientToken { token scopes expiresAt } turnId cursor replayed }
    ${FAULT} } }`;
    return (await door.ask(query, { input, key: idempotencyKey }, bearer)).startSession;
  }

  async function sendMessage(input: object, idempotencyKey?: string, bearer?: string): Promise<Answer> {
    const query = `mutation ($input: SendMessageInput!, $key: String) { sendMessage(input: $input, idempotencyKey: $key) {
    ... on SendMessagePayload { eventId cursor turnId session { id status pendingCount } replayed } ${FAULT} } }`;
    return (await door.ask(query, { input, key: idempotencyKey }, bearer)).sendMessage;
  }

  async function onSession(
    mutation: 'cancelTurn' | 'archiveSession',
    sessionId: string,
    idempotencyKey?: string,
    bearer?: string,
  ): Promise<Answer> {
    const payload = mutation === 'cancelTurn' ? 'CancelTurnPayload' : 'ArchiveSessionPayload';
    const query = `mutation ($id: ID!, $key: String) { ${mutation}(sessionId: $id, idempotencyKey: $key) {
    ... on ${payload} { session { status } replayed } ${FAULT} } }`;
    return (await door.ask(query, { id: sessionId, key: idempotencyKey }, bearer))[mutation];
  }

  async function createClientToken(variables: object, bearer?: string): Promise<Answer> {
    const query = `mutation ($sessionId: ID!, $scopes: [ClientScope!], $ttlSeconds: Int) {
    createClientToken(sessionId: $sessionId, scopes: $scopes, ttlSeconds: $ttlSeconds) {
      ... on CreateClientTokenPayload { clientToken { token scopes expiresAt } replayed } ${FAULT} } }`;
    return (await door.ask(query, variables, bearer)).createClientToken;
  }

  async function session(id: string, fields: string, bearer?: string): Promise<Answer> {
    const query = `query ($id: ID!) { session(id: $id) { ... on Session { ${fields} } ${FAULT} } }`;
    return (await door.ask(query, { id }, bearer)).session;
  }

  return {
    createAgent,
    updateAgent,
    createCredential,
    updateCredential,
    deleteCredential,
    startSession,
    sendMessage,
    onSession,
    createClientToken,
    session,
  };
}
