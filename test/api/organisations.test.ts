/**
 * Two organisations at one server, and everything that either can ask: random principals, random ids, every operation of the schema. Each
 * try is asked twice, once about something of the other organisation and once about what never was: the answers say the same, and
 * nothing of the other one is in them. TRIES and SEED in the environment for more, or for one again.
 */
import { createHash } from 'node:crypto';
import { type Client, createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from '../../schema/schema.ts';
import { Organisations } from '../../src/access/organisations.ts';
import { cursorOf } from '../../src/journal/cursor.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  type AgentId,
  type CredentialId,
  eventIdOf,
  newId,
  type OrganisationId,
  type SessionId,
  turnIdOf,
} from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import type { UseCases } from '../../src/sessions/use-cases.ts';
import { Door, ROOT_KEY } from '../support/door.ts';
import { randomOf } from '../support/random.ts';

const TRIES = Number(process.env['TRIES'] ?? 2_000);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const random = randomOf(SEED);
const ID = /\b(?:agt|ses|trn|evt|cred|key|org)_[0-9a-f]{24}\b/g;

/** What an operation is asked about: of the asker, of the other organisation, or of nobody. */
interface Thing {
  readonly agentId: AgentId;
  readonly credentialId: CredentialId;
  readonly sessionId: SessionId;
  /** As names, keys and idempotency keys. */
  readonly word: string;
}

interface Asked {
  readonly field: string;
  readonly query: string;
  readonly variables: Readonly<Record<string, unknown>>;
}

interface Side {
  readonly id: OrganisationId;
  readonly useCases: UseCases;
  readonly key: string;
  /** In every text that is its own. */
  readonly mark: string;
  readonly ids: Set<string>;
}

const FAULT = '__typename ... on Fault { code message }';
const AGENT = '... on Agent { id name prompt model revision credentialId }';
const EVENTS = 'events(first: 5) { nodes { id body fullBody } pageInfo { endCursor } }';
const SESSION = `... on Session { id status why key metadata agentId head cursor agent { id name prompt } turn { id }
  turns(first: 2) { nodes { id } } ${EVENTS} }`;

/** Every root field of the schema, asked about a thing; `own`: something of the asker, to ask about the other in its light. */
const OPERATIONS: Readonly<Record<string, (thing: Thing, own: Thing) => readonly Omit<Asked, 'field'>[]>> = {
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
  deleteAgent: ({ agentId: id }) =>
    [{ id }, { id, force: true }].map((variables) => ({
      query: `mutation ($id: ID!, $force: Boolean) { deleteAgent(id: $id, force: $force) {
        ... on DeleteAgentPayload { agent { id name deletedAt } replayed } ${FAULT} } }`,
      variables,
    })),
  setRetention: ({ agentId }) =>
    [{ agentId, idleDays: 9 }, { idleDays: 9_000 }].map((input) => ({
      query: `mutation ($input: SetRetentionInput!) { setRetention(input: $input) {
        ... on SetRetentionPayload { retention { agentId idleDays } } ${FAULT} } }`,
      variables: { input },
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
  deleteSession: ({ sessionId: id, word }) =>
    [{ id }, { id, key: word }].map((variables) => ({
      query: `mutation ($id: ID!, $key: String) { deleteSession(sessionId: $id, idempotencyKey: $key) {
        ... on DeleteSessionPayload { id deletedAt replayed } ${FAULT} } }`,
      variables,
    })),
  createClientToken: ({ sessionId: id }) => [
    {
      query: `mutation ($id: ID!) { createClientToken(sessionId: $id) {
        ... on CreateClientTokenPayload { clientToken { token scopes } } ${FAULT} } }`,
      variables: { id },
    },
  ],
  sessionEvents: ({ sessionId: id }, own) =>
    [{ id }, { id, after: cursorOf(id, 1) }, { id, after: cursorOf(own.sessionId, 1) }].map((variables) => ({
      query: `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after, deltas: true) {
        __typename ... on EventBatch { events { id body } } ... on SessionGone { message } ... on CursorRefused { reason } } }`,
      variables,
    })),
};

let door: Door;
let sides: readonly [Side, Side];
const clients = new Map<string, Client>();

beforeAll(async () => {
  door = await Door.open({ operations: { client: 2_000 } });
  const organisations = new Organisations({ organisations: door.store.organisations, clock: systemClock });
  const { organisation } = await organisations.create({ name: 'second' });
  const key = 'key-of-the-second-organisation-0';
  const hash = createHash('sha256').update(key).digest('hex');
  const record = { id: newId('apiKey'), organisationId: organisation.id, name: 'second', hash, createdAt: 1 };
  await door.store.keys.add(record);
  const sideOf = (id: OrganisationId, bearer: string, mark: string): Side => {
    return { id, useCases: door.useCasesOf(id), key: bearer, mark, ids: new Set([id]) };
  };
  sides = [sideOf(door.organisationId, ROOT_KEY, 'MARK-OF-ONE'), sideOf(organisation.id, key, 'MARK-OF-TWO')];
});
afterAll(async () => {
  for (const client of clients.values()) await client.dispose();
  await door.close();
});

describe(`two organisations (SEED=${SEED})`, () => {
  it('are asked about by every operation of the schema', () => {
    const fields = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].flatMap(
      (type) => Object.keys(type?.getFields() ?? {}),
    );

    expect(Object.keys(OPERATIONS).toSorted()).toEqual(fields.toSorted());
  });

  it(
    `proves ORGANISATION-1: have nothing of each other, in ${TRIES} tries`,
    async () => {
      /** Those that were answered, and not refused: of what is there a look-up or a change is. */
      const met = new Set<string>();
      const owned = new Map<Side, Thing>();
      for (let count = 0; count < TRIES; count += 1) {
        const [asker, other] = random.below(2) === 0 ? sides : ([sides[1], sides[0]] as const);
        const isOwn = random.below(8) === 0;
        const known = owned.get(asker);
        const own = known ?? (await thingOf(asker, `own ${count}`));
        if (isOwn)
          owned.delete(asker); // it is not as it was then
        else owned.set(asker, own);
        const target = isOwn ? own : await thingOf(other, `word ${count}`);
        const field = random.pick(Object.keys(OPERATIONS) as [string, ...string[]]);
        const form = random.below(3);
        const askedOf = (thing: Thing): Asked => {
          const all = OPERATIONS[field]?.(thing, own) ?? [];
          const one = all[form % all.length];
          if (one === undefined) throw new Error(`no operation for ${field}`);
          return { field, ...one };
        };
        const bearer = random.below(3) === 0 ? clientTokenOf(asker, own.sessionId) : asker.key;
        const transport = random.pick(['http', 'socket']);
        const before = isOwn ? '' : await stateOf(other, target);

        const answer = await ask(bearer, transport, askedOf(target));

        if (!/"code":|^refused/.test(answer)) met.add(field);
        if (isOwn) {
          learn(asker, other, answer, field);
          continue;
        }
        const never = { ...nobody(), word: `never ${count}` };
        const control = await ask(bearer, transport, askedOf(never));
        const where = `SEED=${SEED} try ${count}: ${field} by ${bearer === asker.key ? 'key' : 'token'} over ${transport}`;
        expect(plain(answer, target), `at ${where}`).toBe(plain(control, never));
        expect(answer, `at ${where}`).not.toContain(other.mark);
        expect(await stateOf(other, target), `at ${where}`).toBe(before);
        learn(asker, other, without(answer, target), where);
      }
      if (TRIES >= 2_000) expect([...met].toSorted()).toEqual(Object.keys(OPERATIONS).toSorted());
    },
    Math.max(120_000, TRIES * 100),
  );
});

/** A fresh agent, credential and session, all under one word. */
async function thingOf({ useCases, mark, ids }: Side, word: string): Promise<Thing> {
  const { agents, credentials, sessions } = useCases;
  const key = new Sealed('sk-test-of-thing-00');
  const made = await credentials.create({ provider: 'anthropic', key, name: mark, idempotencyKey: word });
  const credentialId = made.credential.id;
  const definition = { name: word, model: 'anthropic/claude-sonnet-5', prompt: mark, idempotencyKey: word };
  const { agent } = await agents.create(definition);
  const start = { agent: word, input: mark, key: word, idempotencyKey: word, metadata: { mark } };
  const { session } = await sessions.start({ ...start, actor: { kind: 'human' } });
  const { id: sessionId } = session;
  await sessions.send({ sessionId, text: 'more', idempotencyKey: word, actor: { kind: 'human' } });
  await door.beginTurn(sessionId);
  for (const id of [agent.id, credentialId, sessionId, turnIdOf(sessionId, 1)]) ids.add(id);
  for (const seq of [1, 2, 3, 4]) ids.add(eventIdOf(sessionId, seq));
  return { agentId: agent.id, credentialId, sessionId, word };
}

function nobody(): Omit<Thing, 'word'> {
  return { agentId: newId('agent'), credentialId: newId('credential'), sessionId: newId('session') };
}

/** All that is kept of a thing. */
async function stateOf({ useCases }: Side, { agentId, credentialId, sessionId }: Thing): Promise<string> {
  const { agents, credentials, sessions } = useCases;
  return JSON.stringify([
    await agents.get(agentId),
    await credentials.get(credentialId),
    await credentials.defaultOf('anthropic'),
    await sessions.get(sessionId),
    await useCases.retention.get(agentId),
  ]);
}

function clientTokenOf({ id }: Side, sessionId: SessionId): string {
  return door.access.mintClientToken({ organisationId: id }, sessionId).token;
}

/** The ids in an answer are the asker's from now on; none of them may be the other's. */
function learn(asker: Side, other: Side, answer: string, where: string): void {
  for (const [id] of answer.matchAll(ID)) {
    expect(other.ids.has(id), `${where}: ${id} is the other one's`).toBe(false);
    asker.ids.add(id);
  }
}

/** What is left of an answer without what was asked about. */
function without(answer: string, { agentId, credentialId, sessionId }: Thing): string {
  const given = [agentId, credentialId, sessionId, turnIdOf(sessionId, 1), eventIdOf(sessionId, 1)];
  return given.reduce<string>((text, id) => text.replaceAll(id, '<given>'), answer);
}

/** An answer without what differs from any answer to any other: ids, times, tokens, the word that was used. */
function plain(answer: string, thing: Thing): string {
  return without(answer, thing)
    .replaceAll(thing.word, '<word>')
    .replaceAll(ID, '<id>')
    .replaceAll(/hct_[\w.-]+/g, '<token>')
    .replaceAll(/\b\d+\.[0-9a-f]{8}\b/g, '<cursor>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replaceAll(/"requestId":"[^"]*"/g, '"requestId"');
}

/** The answer as text, its status included; of a subscription the first frame. */
async function ask(bearer: string, transport: string, { field, query, variables }: Asked): Promise<string> {
  if (transport === 'http' && field !== 'sessionEvents') {
    const { status, body } = await door.post(query, variables, bearer);
    return JSON.stringify([status, body]);
  }
  if (transport === 'http') return firstOfStream(bearer, query, variables);
  const client =
    clients.get(bearer) ??
    createClient({
      url: door.socketUrl,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: `Bearer ${bearer}` },
      retryAttempts: 0,
    });
  const isToken = bearer.startsWith('hct_');
  if (!isToken) clients.set(bearer, client);
  const frames = client.iterate({ query, variables });
  try {
    const { value } = await frames.next();
    return JSON.stringify(value ?? null);
  } catch (error) {
    return `refused: ${error instanceof Error ? error.message : JSON.stringify(error)}`;
  } finally {
    await frames.return?.();
    if (isToken) await client.dispose();
  }
}

async function firstOfStream(bearer: string, query: string, variables: object): Promise<string> {
  const over = new AbortController();
  const response = await fetch(door.url, {
    method: 'POST',
    signal: over.signal,
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${bearer}`,
    },
    body: JSON.stringify({ query, variables }),
  });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk);
    if (/^data: .*\n\n/m.test(text)) break;
  }
  over.abort();
  return `${response.status} ${/^data: (.*)$/m.exec(text)?.[1] ?? text}`;
}

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
