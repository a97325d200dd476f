/** The inbox over HTTP and sockets, as docs/inbox.md shows it. */
import { readFileSync } from 'node:fs';
import { type Client, createClient } from 'graphql-ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { eventIdOf, type SessionId } from '../../src/kernel/id.ts';
import { must } from '../../src/kernel/assert.ts';
import { type Answer, Door, ROOT_KEY, said } from '../support/door.ts';
import { eventually } from '../support/eventually.ts';
import { called, requested, waitForPeople } from '../support/waiting.ts';

const DOC = readFileSync(new URL('../../docs/inbox.md', import.meta.url), 'utf8');
const SAMPLES = [...DOC.matchAll(/```graphql\n([^]*?)```/g)].map(([, text]) => text ?? '');
const [LIST = '', CLAIM = '', RELEASE = '', FOLLOW = ''] = SAMPLES;

let door: Door;
const clients: Client[] = [];
beforeEach(async () => {
  door = await Door.open();
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.dispose();
  await door.close();
});

/** One whose turn has ended with a question. */
async function asking(): Promise<SessionId> {
  const { sessionId } = await running();
  const { session, head } = await door.runs.get(sessionId);
  await door.record(sessionId, said('Which one?'));
  await door.store.journal.append(sessionId, {
    decide: ({ turn }) => ({
      kind: 'append',
      events: [
        {
          type: 'turn.completed',
          actor: { kind: 'agent' },
          turnId: turn?.id,
          body: {
            number: session.turnCount,
            outcome: 'needs_input',
            resultEventId: eventIdOf(sessionId, head + 1),
          },
        },
      ],
    }),
  });
  return sessionId;
}

async function running(): Promise<{ readonly sessionId: SessionId }> {
  agents += 1;
  const model = 'anthropic/claude-sonnet-5';
  const { agent } = await door.agents.create({ name: `inbox ${agents}`, model, prompt: 'x' });
  const { session } = await door.sessions.start({ agent: agent.id, input: 'x', actor: { kind: 'human' } });
  await door.beginTurn(session.id);
  return { sessionId: session.id };
}
let agents = 0;

async function waiting(): Promise<SessionId> {
  const { sessionId } = await running();
  await waitForPeople(door.store.journal, sessionId);
  return sessionId;
}

function clientOf(bearer = ROOT_KEY): Client {
  const connectionParams = { authorization: `Bearer ${bearer}` };
  const client = createClient({
    url: door.socketUrl,
    webSocketImpl: WebSocket,
    connectionParams,
    retryAttempts: 0,
  });
  clients.push(client);
  return client;
}

/** A list as docs/inbox.md says that clients keep it. */
function follow(client: Client, variables: Record<string, unknown> = {}, query = FOLLOW) {
  const list = new Map<string, readonly Answer[]>();
  const frames: Answer[] = [];
  const failures: unknown[] = [];
  const stop = client.subscribe<Answer>(
    { query, variables },
    {
      next: ({ data, errors }) => {
        if (errors !== undefined) failures.push(errors);
        if (!data) return;
        frames.push(data.inboxChanged);
        for (const { sessionId, requests } of data.inboxChanged.changes)
          if (requests.length > 0) list.set(sessionId, requests);
          else list.delete(sessionId);
      },
      error: (error) => failures.push(error),
      complete: () => undefined,
    },
  );
  const caughtUp = () =>
    eventually('it is caught up', () => frames.at(-1)?.isCaughtUp === true || failures[0]);
  return { list, frames, failures, stop, caughtUp, cursor: () => frames.at(-1)?.cursor as string };
}

describe('the list', () => {
  it('says what waits and since when, with the question and the input', async () => {
    const [asks, waits] = [await asking(), await waiting()];

    const { inbox } = await door.ask(LIST);

    const byKind = inbox.nodes.toSorted((one: Answer, other: Answer) => (one.kind > other.kind ? -1 : 1)); // of one millisecond
    expect(byKind).toMatchObject([
      {
        kind: 'QUESTION',
        question: 'Which one?',
        session: { id: asks, status: 'AWAITING_INPUT' },
        input: null,
      },
      {
        id: 'waits',
        kind: 'APPROVAL',
        tool: 'bash',
        input: { of: 'waits' },
        session: { id: waits },
        claim: null,
      },
    ]);
    expect(inbox.pageInfo).toEqual({ hasNextPage: false, endCursor: expect.any(String) });
    const all = '{ inbox { nodes { id claim { apiKeyId } } } }';
    expect((await door.ask(all)).inbox.nodes).toHaveLength(3);
    await door.sessions.send({ sessionId: asks, text: 'this', actor: { kind: 'human' } });
    expect((await door.ask(all)).inbox.nodes.map(({ id }: Answer) => id)).toEqual(['waits', 'held']);
  });

  it('has pages that leave nothing out, and filters', async () => {
    const ids = [await waiting(), await asking(), await waiting()];
    const found: string[] = [];
    for (let after: string | undefined, more = true; more; ) {
      const query =
        'query ($after: String) { inbox(first: 1, after: $after) { nodes { id session { id } } pageInfo { hasNextPage endCursor } } }';
      const { inbox } = await door.ask(query, { after });
      found.push(...inbox.nodes.map(({ session }: Answer) => session.id));
      after = inbox.pageInfo.endCursor;
      more = inbox.pageInfo.hasNextPage;
    }
    expect(found.length).toBe(5);
    expect(ids.map((id) => found.lastIndexOf(id) - found.indexOf(id))).toEqual([1, 0, 1]);

    const count = async (filter: object): Promise<number> =>
      (await door.ask('query ($filter: InboxFilter) { inbox(filter: $filter) { nodes { id } } }', { filter }))
        .inbox.nodes.length;
    expect(await count({ kinds: ['QUESTION'] })).toBe(1);
    expect(await count({ kinds: ['CLIENT'] })).toBe(0);
    expect(await count({ sessionId: ids[0] })).toBe(2);
    expect(await count({ claimed: true })).toBe(2);
    expect(await count({ claimedBy: 'key_other' })).toBe(2);
    expect(await count({ claimedBy: 'nobody' })).toBe(0);
    await expect(door.ask('{ inbox(after: "x") { nodes { id } } }')).rejects.toThrow('INVALID_INPUT');
  });
});

describe('a claim', () => {
  it('proves INBOX-1: is refused while somebody else has it, renewed, replayed and let go', async () => {
    const sessionId = await waiting();
    const other = await door.grantKey(['sessions:read', 'sessions:write']);
    const variables = { sessionId, requestId: 'waits' };

    expect((await door.ask(CLAIM, variables)).claimRequest).toMatchObject({ replayed: false });

    const refused = (await door.ask(CLAIM, variables, other)).claimRequest;
    expect(refused).toMatchObject({
      code: 'ALREADY_CLAIMED',
      by: 'ann',
      until: expect.stringMatching(/^20/),
    });
    expect((await door.ask(CLAIM, variables)).claimRequest.session.id).toBe(sessionId);
    expect((await door.ask(RELEASE, variables, other)).releaseRequest.replayed).toBe(false);
    expect((await door.ask(CLAIM, variables, other)).claimRequest.session.id).toBe(sessionId);
    const gone = await door.ask(CLAIM, { sessionId, requestId: 'never' });
    expect(gone.claimRequest).toMatchObject({ code: 'REQUEST_GONE' });
  });

  it('is the same once under its idempotency key, and refuses the key for another one', async () => {
    const sessionId = await waiting();
    const query = CLAIM.replace('requestId: ID!)', 'requestId: ID!, $key: String)').replace(
      'seconds: 900 }',
      'seconds: 900 }, idempotencyKey: $key',
    );
    const claim = async (requestId: string) =>
      (await door.ask(query, { sessionId, requestId, key: 'k' })).claimRequest;
    expect(await claim('waits')).toMatchObject({ replayed: false });
    expect(await claim('waits')).toMatchObject({ replayed: true });
    expect(await claim('held')).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });
});

describe('following', () => {
  it('proves INBOX-4: begins with all, goes on with what changes, and after a cut with what was missed', async () => {
    const [one, two] = [await waiting(), await asking()];
    const first = follow(clientOf());
    await first.caughtUp();
    expect([...first.list.keys()].toSorted()).toEqual([one, two].toSorted());

    const three = await waiting();
    await eventually('the third one is there', () => first.list.has(three));
    await door.ask(CLAIM, { sessionId: three, requestId: 'waits' });
    await eventually('its claim, too', () =>
      first.list.get(three)?.some(({ claim }: Answer) => claim?.assignee === 'ann'),
    );
    const after = first.cursor();
    first.stop();
    await door.sessions.send({ sessionId: two, text: 'this', actor: { kind: 'human' } });
    await door.sessions.delete(one, { kind: 'human' });
    const second = follow(clientOf(), { after });
    await second.caughtUp();

    const missed = second.frames.flatMap(({ changes }) => changes);
    const counts = new Map(missed.map(({ sessionId, requests }: Answer) => [sessionId, requests.length]));
    expect(counts).toEqual(
      new Map([
        [one, 0],
        [two, 0],
      ]),
    );
  });

  it('proves INBOX-5: cuts what waits into frames', async () => {
    const ids: SessionId[] = [];
    const big = 'x'.repeat(20_000);
    for (let count = 0; count < 30; count += 1) {
      const { sessionId } = await running();
      ids.push(sessionId);
      await door.store.journal.append(sessionId, {
        decide: ({ turn }) => {
          const request = requested('c', turn?.id) as Extract<
            ReturnType<typeof requested>,
            { type: 'tool.requested' }
          >;
          return {
            kind: 'append',
            events: [called('c', turn?.id), { ...request, body: { ...request.body, input: { big } } }],
          };
        },
      });
    }
    const followed = follow(clientOf());
    await followed.caughtUp();

    expect(followed.list.size).toBe(ids.length);
    expect(followed.frames.filter(({ changes }) => changes.length > 0).length).toBeGreaterThan(1);
    for (const frame of followed.frames) expect(JSON.stringify(frame).length).toBeLessThan(400_000);
  });

  it('proves INBOX-6, INBOX-2: what does not wait wakes nobody', async () => {
    const { inbox } = door.store;
    const followed = follow(clientOf());
    await followed.caughtUp();
    const [{ sessionId }, foreign] = [await running(), followed.frames.length];
    let reads = 0;
    const changes = inbox.changes.bind(inbox);
    const counted = inbox as { changes: typeof inbox.changes };
    counted.changes = (organisationId, page) => {
      if (page.limit < 100) reads += 1; // a follower; the look-out asks for more
      return changes(organisationId, page);
    };
    for (let count = 0; count < 500; count += 1) await door.record(sessionId, said(`${count}`));

    expect(reads).toBeLessThan(3);
    expect(followed.frames.length).toBe(foreign);
    await waitForPeople(door.store.journal, sessionId);
    await eventually('and what waits does', () => followed.list.has(sessionId));
  });

  it('is for API keys that may read, closes with 4403 when the key is revoked, and refuses other cursors', async () => {
    const sessionId = await waiting();
    const { token } = await door.access.mintClientToken(door, sessionId);
    for (const bearer of [token, await door.grantKey(['sessions:write'])]) {
      const refused = follow(clientOf(bearer));
      await eventually('it is refused', () => refused.failures[0]);
      expect(JSON.stringify(refused.failures)).toContain('FORBIDDEN');
      expect(refused.frames).toEqual([]);
    }
    const cursors = ['x', Buffer.from('inbox 99999999999999').toString('base64url')];
    for (const after of cursors) {
      const foreign = follow(clientOf(), { after });
      await eventually('it is refused', () => foreign.failures[0]);
      expect(JSON.stringify(foreign.failures)).toContain('INVALID_INPUT');
    }
    const key = must(
      (
        await door.ask(`mutation { createApiKey(input: { name: "seer", scopes: [SESSIONS_READ] }) {
      ... on CreateApiKeyPayload { apiKey { id } value } } }`)
      ).createApiKey,
      'it was made',
    );
    const followed = follow(clientOf(key.value));
    await followed.caughtUp();
    await door.ask('mutation ($id: ID!) { revokeApiKey(id: $id) { __typename } }', { id: key.apiKey.id });
    await eventually('it is closed', () => followed.failures[0]);
    expect(followed.failures[0]).toMatchObject({ code: 4403 });
  });
});
