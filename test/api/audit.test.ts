/**
 * The matrix mutation × audit entry, complete: every mutation of the schema is asked for, and leaves exactly one entry that says who, what, what
 * it was before and is after, when and from where; none of the secrets that were used is in any.
 */
import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from '../../schema/schema.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import { Organisations } from '../../src/access/organisations.ts';
import { must } from '../../src/kernel/assert.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { newId } from '../../src/kernel/id.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import {
  AN_ID,
  MESSAGE,
  METADATA,
  MUTATIONS,
  OTHER_SECRET,
  PROMPT,
  SECRET,
  type Things,
} from '../support/audited-mutations.ts';
import { type Answer, Door, ROOT_KEY, rootOf } from '../support/door.ts';
import { waitForPeople } from '../support/waiting.ts';

/** Names that are there once. */
const NAMED = ['createAgent', 'createOrganisation'];
/** Done anew each time. */
const NEVER_REPLAYED = ['createClientToken', 'renewClientToken', 'revokeClientTokens'];
/** Of a session: what they append is in its log, and so what appends nothing leaves no entry. */
const COMMANDS = [
  'startSession',
  'sendMessage',
  'cancelTurn',
  'archiveSession',
  'updateSession',
  'answerToolCall',
  'approveToolCall',
  'denyToolCall',
  'claimRequest',
  'releaseRequest',
];

let door: Door;
/** Tokens that were given out. */
const given: string[] = [];
beforeAll(async () => {
  door = await Door.open();
});
afterAll(() => door.close());

async function thingsOf(isWaiting = false): Promise<Things> {
  const { agent } = await door.agents.create({
    name: `agent ${newId('agent')}`,
    model: 'anthropic/claude-sonnet-5',
    prompt: 'before',
    tools: [{ name: 'lookup', description: 'Looks it up.', inputSchema: { type: 'object' } }],
    toolRules: [{ tool: 'bash', action: 'ask' }],
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
  if (isWaiting) await waitForPeople(door.store.journal, session.id);
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
      const things = await thingsOf(action.endsWith('Request'));
      const of = must(MUTATIONS[action], 'it is of the table')(things);
      const { query, variables, entry, isByToken, waits, also = [] } = of;
      if (waits !== undefined) await door.callTool(things.sessionId, waits);
      const bearer =
        isByToken === true ? (await door.access.mintClientToken(door, things.sessionId)).token : ROOT_KEY;
      const from = Date.now();

      const { answer, added } = await addedBy(() => ask(query, variables, bearer));

      expect(JSON.stringify(answer)).not.toMatch(/"(code|errors)"/);
      const own = must(
        added.find((one) => one.action === action),
        'it has an entry',
      );
      const others = added.filter((one) => one !== own);
      for (const [one, expected] of [[own, entry], ...others.map((other, at) => [other, also[at]])] as const)
        expect(one).toEqual(
          expect.objectContaining({
            organisationId: door.organisationId,
            action,
            actor: { kind: 'key', id: AN_ID('key'), name: 'root' },
            ...defined(expected ?? {}),
            outcome: 'done',
            requestId: own.requestId,
            from: { address: '127.0.0.1', userAgent },
          }),
        );
      expect(own.requestId).toEqual(expect.any(String));
      expect(others).toHaveLength(also.length);
      expect(own.at).toBeGreaterThanOrEqual(from);
      expect(Object.keys(entry).filter((name) => own[name as keyof AuditEntry] === undefined)).toEqual(
        Object.keys(entry).filter((name) => !(name in defined(entry))),
      );
    }
  });

  it.each(Object.keys(MUTATIONS).filter((action) => !NEVER_REPLAYED.includes(action)))(
    'marks %s as replayed when it is answered again, and has nothing of a command that does nothing',
    async (action) => {
      const things = await thingsOf(action.endsWith('Request'));
      const { query, variables, waits } = must(MUTATIONS[action], 'it is of the table')(things);
      if (waits !== undefined) await door.callTool(things.sessionId, waits);
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

  it('tells an organisation whose key an operator of another one has made, and not with which key', async () => {
    const organisations = new Organisations({ organisations: door.store.organisations, clock: systemClock });
    const { organisation } = await organisations.create({ name: 'told' });
    const { query } = must(MUTATIONS['createApiKey'], 'it is of the table')(await thingsOf());
    const input = { name: 'made', scopes: ['KEYS_WRITE'], organisationId: organisation.id };

    const { added } = await addedBy(() => asked(query, { input }));

    expect(added).toEqual([expect.objectContaining({ action: 'createApiKey', outcome: 'done' })]);
    const told = await door.store.audit.list(organisation.id, { limit: 9 });
    expect(told).toEqual([
      expect.objectContaining({ action: 'createApiKey', target: added[0]?.target, after: added[0]?.after }),
    ]);
    expect(told[0]?.actor).toEqual({ kind: 'key', name: 'an operator' });
    expect(JSON.stringify(told)).not.toContain(added[0]?.actor.id);
  });

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
