/**
 * The matrix mutation × audit entry, complete: every mutation of the schema is asked for, and leaves exactly one entry that says who, what, what
 * it was before and is after, when and from where; none of the secrets that were used is in any.
 */
import { createHash } from 'node:crypto';
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from '../../schema/schema.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { type Answer, Door, ROOT_KEY, rootOf } from '../support/door.ts';

const SECRET = 'sk-test-secret-of-a-model-0123';
const OTHER_SECRET = 'sk-test-secret-that-is-newer-45';
const PROMPT = 'The words of the prompt are nobody else’s business.';
const MESSAGE = 'Neither are those of a message.';
const METADATA = 'Nor is what callers keep.';
const FAULT = '__typename ... on Fault { code message }';

interface Things {
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
}

const mutation = (field: string, args: string, payload: string): string =>
  `mutation M${args} { ${field} { ... on ${field[0]?.toUpperCase()}${/^\w+/.exec(field.slice(1))?.[0]}Payload { ${payload} } ${FAULT} } }`;
const AN_ID = (prefix: string) => expect.stringMatching(new RegExp(`^${prefix}_[0-9a-f]{24}$`));
const PROMPT_SHOWN = (text: string) => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
});

/** One of each mutation, that changes something. A mutation that is not here fails the test. */
const MUTATIONS: Readonly<Record<string, (things: Things) => Tried>> = {
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
  deleteAgent: ({ agentId }) => ({
    query: mutation('deleteAgent(id: $id, force: true)', '($id: ID!)', 'agent { id } replayed'),
    variables: { id: agentId },
    entry: {
      target: { kind: 'agent', id: agentId },
      before: {},
      after: { deletedAt: expect.any(Number) },
    },
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
/** Names that are there once. */
const NAMED = ['createAgent', 'createOrganisation'];
/** Done anew each time. */
const NEVER_REPLAYED = ['createClientToken', 'renewClientToken', 'revokeClientTokens'];
/** Of a session: what they append is in its log, and so what appends nothing leaves no entry. */
const COMMANDS = ['startSession', 'sendMessage', 'cancelTurn', 'archiveSession', 'updateSession'];

let door: Door;
/** Tokens that were given out. */
const given: string[] = [];
beforeAll(async () => {
  door = await Door.open();
});
afterAll(() => door.close());

async function thingsOf(): Promise<Things> {
  const { agent } = await door.agents.create({
    name: `agent ${newId('agent')}`,
    model: 'anthropic/claude-sonnet-5',
    prompt: 'before',
  });
  const key = new Sealed(SECRET);
  const { credential } = await door.credentials.create({ provider: 'anthropic', key, name: 'before' });
  const { session } = await door.sessions.start({
    agent: agent.id,
    input: MESSAGE,
    metadata: { METADATA },
    actor: { kind: 'human' },
  });
  await door.beginTurn(session.id);
  const request = { name: 'before', scopes: ['sessions:read'] };
  const { apiKey, value } = await door.access.keysOf(door.organisationId).create(await rootOf(door), request);
  given.push(must(value, 'it was made now'));
  return { apiKeyId: apiKey.id, agentId: agent.id, credentialId: credential.id, sessionId: session.id };
}

async function entries(): Promise<readonly AuditEntry[]> {
  return door.store.audit.list(door.organisationId, { limit: 100_000 });
}

/** What was added while `work` ran, and what it answered. */
async function addedBy(work: () => Promise<unknown>) {
  const before = new Set((await entries()).map(({ id }) => id));
  const answer = await work();
  return { answer, added: (await entries()).filter(({ id }) => !before.has(id)) };
}

async function asked(query: string, variables: object, bearer = ROOT_KEY): Promise<Answer> {
  const { body } = await door.post(query, variables, bearer, { 'user-agent': 'audit-test/1' });
  for (const [, token] of JSON.stringify(body).matchAll(/"(?:token|value)":"([^"]+)"/g))
    given.push(token ?? '');
  return body;
}

async function overSocket(query: string, variables: object, bearer = ROOT_KEY): Promise<unknown> {
  class Named extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols, { headers: { 'user-agent': 'audit-socket/1' } });
    }
  }
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: Named,
    connectionParams: { authorization: `Bearer ${bearer}` },
  });
  try {
    return await new Promise((resolve, reject) => {
      client.subscribe(
        { query, variables: { ...variables } },
        { next: resolve, error: reject, complete: () => undefined },
      );
    });
  } finally {
    await client.dispose();
  }
}

/** Without what is not to be there. */
function defined(entry: object): object {
  return Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}

describe('the audit log', () => {
  it('proves AUDIT-1: has a line of this test for every mutation of the schema', () => {
    const fields = Object.keys(schema.getMutationType()?.getFields() ?? {});

    expect(Object.keys(MUTATIONS).toSorted()).toEqual(fields.toSorted());
  });

  it.each(Object.keys(MUTATIONS))('has one entry for %s, over HTTP and over a socket', async (action) => {
    for (const [ask, userAgent] of [
      [asked, 'audit-test/1'],
      [overSocket, 'audit-socket/1'],
    ] as const) {
      if (userAgent === 'audit-socket/1' && NAMED.includes(action)) continue; // the name is taken
      const things = await thingsOf();
      const { query, variables, entry, isByToken } = must(MUTATIONS[action], 'it is of the table')(things);
      const bearer =
        isByToken === true ? (await door.access.mintClientToken(door, things.sessionId)).token : ROOT_KEY;
      const from = Date.now();

      const { answer, added } = await addedBy(() => ask(query, variables, bearer));

      expect(JSON.stringify(answer)).not.toMatch(/"(code|errors)"/);
      expect(added).toEqual([
        expect.objectContaining({
          organisationId: door.organisationId,
          action,
          actor: { kind: 'key', id: AN_ID('key'), name: 'root' },
          ...defined(entry),
          outcome: 'done',
          requestId: expect.any(String),
          from: { address: '127.0.0.1', userAgent },
        }),
      ]);
      expect(added[0]?.at).toBeGreaterThanOrEqual(from);
      expect(Object.keys(entry).filter((name) => added[0]?.[name as keyof AuditEntry] === undefined)).toEqual(
        Object.keys(entry).filter((name) => !(name in defined(entry))),
      );
    }
  });

  it.each(Object.keys(MUTATIONS).filter((action) => !NEVER_REPLAYED.includes(action)))(
    'marks %s as replayed when it is answered again, and has nothing of a command that does nothing',
    async (action) => {
      const { query, variables } = must(MUTATIONS[action], 'it is of the table')(await thingsOf());
      const keyed = query
        .replace(/mutation M\(/, 'mutation M($key: String, ')
        .replace(/(mutation .*?\{ \w+\()/, '$1idempotencyKey: $key, ');
      const name =
        action === 'createAgent'
          ? { input: { ...(variables as Answer).input, name: 'again' } }
          : action === 'createOrganisation'
            ? { name: 'again' }
            : {};
      const request = { ...variables, ...name, key: `again ${action}` };
      const first = await asked(keyed, request);
      expect(JSON.stringify(first)).toContain('"replayed":false');

      const { answer, added } = await addedBy(() => asked(keyed, request));

      expect(JSON.stringify(answer)).toContain('"replayed":true');
      const replay = expect.objectContaining({ action, outcome: 'replayed' });
      const isNothing = COMMANDS.includes(action) && action !== 'startSession'; // which gives out another token
      expect(added).toEqual(isNothing ? [] : [replay]);
    },
  );

  it('says what was refused and why, and keeps no text that was given for an id', async () => {
    const { query } = must(MUTATIONS['updateAgent'], 'it is of the table')(await thingsOf());
    const nobody = newId('agent');
    for (const [input, entry] of [
      [
        { id: nobody, prompt: 'x' },
        { code: 'AGENT_NOT_FOUND', target: { kind: 'agent', id: nobody } },
      ],
      [{ id: SECRET, prompt: 'x' }, { code: 'INVALID_INPUT' }],
    ] as const) {
      const { added } = await addedBy(() => asked(query, { input }));

      expect(added).toEqual([
        expect.objectContaining({ action: 'updateAgent', outcome: 'refused', ...entry }),
      ]);
    }
  });

  it('proves AUDIT-5: keeps some refusals a minute of who may not ask, and who it was', async () => {
    const { sessionId } = await thingsOf();
    const { token } = await door.access.mintClientToken(door, sessionId);
    given.push(token);
    const { query, variables } = must(MUTATIONS['createCredential'], 'it is of the table')(await thingsOf());

    const { added } = await addedBy(async () => {
      for (let tries = 0; tries < 100; tries += 1)
        expect(JSON.stringify(await asked(query, variables, token))).toContain('FORBIDDEN');
    });

    expect(added.length).toBeGreaterThanOrEqual(50);
    expect(added.length).toBeLessThanOrEqual(61); // the minute may be another one meanwhile
    expect(added[0]).toMatchObject({
      action: 'createCredential',
      actor: { kind: 'client', id: sessionId },
      outcome: 'refused',
      code: 'FORBIDDEN',
    });
  });

  it('says of a change of which nobody knows how it ended that it failed', async () => {
    const { agentId } = await thingsOf();
    const { query } = must(MUTATIONS['updateAgent'], 'it is of the table')(await thingsOf());
    const { agents } = door.store;
    const update = agents.update.bind(agents);
    agents.update = () => Promise.reject(new Error('The answer was lost.'));
    try {
      const { added } = await addedBy(() => asked(query, { input: { id: agentId, prompt: 'after' } }));
      const entry = { outcome: 'failed', code: 'INTERNAL', target: { kind: 'agent', id: agentId } };
      expect(added).toEqual([expect.objectContaining(entry)]);
    } finally {
      agents.update = update;
    }
  });

  it('changes nothing where no entry can be written', async () => {
    const { agentId } = await thingsOf();
    const { query } = must(MUTATIONS['updateAgent'], 'it is of the table')(await thingsOf());
    const { audit } = door.store;
    const add = audit.add.bind(audit);
    audit.add = () => Promise.reject(new Error('The disk is full.'));
    try {
      const answer = await asked(query, { input: { id: agentId, prompt: 'after' } });
      expect(answer.errors[0].extensions.code).toBe('INTERNAL');
    } finally {
      audit.add = add;
    }
    expect((await door.agents.find(agentId)).revision.prompt).toBe('before');
  });

  it('proves AUDIT-1: does not answer a change before its entry says what came of it', async () => {
    const { agentId } = await thingsOf();
    const { query } = must(MUTATIONS['updateAgent'], 'it is of the table')(await thingsOf());
    const { audit } = door.store;
    const settle = audit.settle.bind(audit);
    audit.settle = () => Promise.reject(new Error('The disk is full.'));
    try {
      const { answer, added } = await addedBy(() =>
        asked(query, { input: { id: agentId, prompt: 'after' } }),
      );
      expect(JSON.stringify(answer)).toContain('INTERNAL');
      expect(added).toEqual([
        expect.objectContaining({ outcome: 'begun', target: { kind: 'agent', id: agentId } }),
      ]);
    } finally {
      audit.settle = settle;
    }
  });

  it('proves AUDIT-3: has none of the secrets and texts that were used in any entry', async () => {
    const text = JSON.stringify(await entries());

    expect(given.length).toBeGreaterThan(3);
    const parts = given.flatMap((token) => [token, ...token.split('.')]);
    for (const secret of [SECRET, OTHER_SECRET, ROOT_KEY, PROMPT, MESSAGE, METADATA, ...parts])
      expect(text).not.toContain(secret);
  });

  it('cuts what is long to its bounds', async () => {
    const entry = door.audit.entry(
      {
        organisationId: door.organisationId,
        at: 1,
        action: 'a',
        actor: { kind: 'system' },
        from: { userAgent: 'x'.repeat(9_999) },
      },
      { outcome: 'done', after: { text: 'x'.repeat(9_999) }, before: { text: 'short' } },
    );

    expect(entry.after).toEqual({ leftOut: true, bytes: expect.any(Number) });
    expect(entry.before).toEqual({ text: 'short' });
    expect(entry.from?.userAgent).toHaveLength(256);
  });
});
