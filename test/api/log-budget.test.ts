/** What one operation may read of logs, over all of its lists (BUDGET-1), and when (BUDGET-2, TURNS-1). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LARGE_BYTES, OPERATION_LOG_BYTES_MAX, SCANS_MAX } from '../../schema/log-budget.ts';
import { eventIdOf, type SessionId } from '../../src/kernel/id.ts';
import { APPEND_EVENTS_MAX, BODY_BYTES_MAX, SCAN_EVENTS_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door, ROOT_KEY } from '../support/door.ts';
import { appending, spoken } from '../support/session-log.ts';

let door: Door;
let id: SessionId;
beforeEach(async () => {
  door = await Door.open();
  id = await door.session();
});
afterEach(() => door.close());

async function fill(count: number, text: string): Promise<void> {
  for (let left = count; left > 0; left -= APPEND_EVENTS_MAX) {
    const events = Array.from({ length: Math.min(left, APPEND_EVENTS_MAX) }, () => spoken(text));
    await door.store.journal.append(id, { decide: appending(...events) });
  }
}

const times = (count: number, of: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => of(at)).join(' ');

/** The text of the answer, and what it holds. */
async function asked(query: string): Promise<{ readonly bytes: number; readonly body: Answer }> {
  const response = await fetch(door.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_KEY}` },
    body: JSON.stringify({ query }),
  });
  const text = await response.text();
  return { bytes: Buffer.byteLength(text), body: JSON.parse(text) };
}

describe('lists of one operation', () => {
  it('proves BUDGET-2: read one after the other, and the event loop goes round in between', async () => {
    await fill(300, 'x'.repeat(1_000));
    const { journal } = door.store;
    const rounds: number[] = [];
    let round = 0;
    let going = true;
    const count = (): void => {
      round += 1;
      if (going) setImmediate(count);
    };
    const scan = journal.scan.bind(journal);
    const read = journal.read.bind(journal);
    journal.scan = (...args) => (rounds.push(round), scan(...args));
    journal.read = (...args) => (rounds.push(round), read(...args));
    count();

    const filtered = times(
      25,
      (at) =>
        `a${at}: events(first: 1, types: ["session.archived"]) { nodes { seq } pageInfo { hasNextPage } }`,
    );
    const plain = times(25, (at) => `b${at}: events(first: 200) { nodes { seq } }`);
    const { body } = await asked(`{ session(id: "${id}") { ... on Session { ${filtered} ${plain} } } }`);
    going = false;

    expect(body.errors).toBeUndefined();
    expect(body.data.session.a24).toEqual({ nodes: [], pageInfo: { hasNextPage: false } });
    expect(body.data.session.b24.nodes).toHaveLength(200);
    expect(rounds.length).toBeGreaterThanOrEqual(75);
    const inOneRound = Map.groupBy(rounds, (of) => of);
    expect(Math.max(...[...inOneRound.values()].map(({ length }) => length))).toBeLessThanOrEqual(2); // the first came before
  });

  it('proves TURNS-1: of many operations one whole body is read, and one large answer made, in a round', async () => {
    await fill(3, 'x'.repeat(LARGE_BYTES + 1));
    const { journal } = door.store;
    const { outgoing } = door.graphql;
    const reads: number[] = [];
    const answers: number[] = [];
    let round = 0;
    let going = true;
    const count = (): void => {
      round += 1;
      if (going) setImmediate(count);
    };
    const readBody = journal.readBody.bind(journal);
    const sent = outgoing.sent.bind(outgoing);
    journal.readBody = (...args) => (reads.push(round), readBody(...args));
    outgoing.sent = (bytes) => {
      if (bytes >= LARGE_BYTES) answers.push(round); // it is measured and written in the same round
      sent(bytes);
    };
    count();

    const query = `{ session(id: "${id}") { ... on Session { events(first: 5) { nodes { fullBody again: fullBody } } } } }`;
    await Promise.all(Array.from({ length: 8 }, () => asked(query)));
    going = false;

    expect([reads.length, answers.length]).toEqual([24, 8]);
    const inOneRound = Map.groupBy([...reads, ...answers], (of) => of);
    const crowded = [...inOneRound.values()].filter(({ length }) => length > 1);
    expect(crowded.length).toBeLessThanOrEqual(2); // the first came before, and whenever nobody waits one does
  });

  it('share their looks through the log: lists end with the cursor to go on from (BUDGET-1)', async () => {
    await fill(3 * SCAN_EVENTS_MAX, 'x');
    const list = (from: string): string =>
      `events(first: 1, types: ["session.archived"]${from}) { nodes { seq } pageInfo { hasNextPage endCursor } }`;
    const { journal } = door.store;
    const scan = journal.scan.bind(journal);
    let scans = 0;
    journal.scan = (...args) => ((scans += 1), scan(...args));

    const { body } = await asked(
      `{ session(id: "${id}") { ... on Session { ${times(40, (at) => `a${at}: ${list('')}`)} } } }`,
    );

    expect([scans, body.errors]).toEqual([SCANS_MAX, undefined]);
    const pages = Object.values<Answer>(body.data.session).map(({ pageInfo }) => pageInfo);
    expect(pages.every(({ hasNextPage }) => hasNextPage)).toBe(true);
    let [{ hasNextPage, endCursor }] = pages;
    for (let more = 0; hasNextPage && more < 3; more += 1) {
      const on = await asked(
        `{ session(id: "${id}") { ... on Session { ${list(`, after: "${endCursor}"`)} } } }`,
      );
      ({ hasNextPage, endCursor } = on.body.data.session.events.pageInfo);
    }
    expect(hasNextPage).toBe(false);
  });

  it('that could not even begin are refused by name (BUDGET-1)', async () => {
    for (let count = 0; count < SCANS_MAX; count += 1) await door.session();
    const list = 'events(first: 1, types: ["agent.message"]) { nodes { seq } }';

    const { body } = await asked(`{ sessions(first: ${SCANS_MAX + 1}) { nodes { ${list} } } }`);

    expect(body.errors[0].extensions.code).toBe('LOG_BUDGET_SPENT');
    const fewer = await asked(`{ sessions(first: ${SCANS_MAX}) { nodes { ${list} } } }`);
    expect(fewer.body.data.sessions.nodes).toHaveLength(SCANS_MAX);
  });

  it('share their bytes: a page ends early and goes on from its cursor, and what is answered has a bound (BUDGET-1)', async () => {
    await fill(260, 'x'.repeat(30_000));
    const head = await door.store.journal.head(id);
    const bodies = 'body b: body c: body ... on AgentMessage { text callId }';
    const seqs: number[] = [];
    let after = '';
    for (let pages = 0; pages < 9; pages += 1) {
      const from = after === '' ? '' : `, after: "${after}"`;
      const { bytes, body } = await asked(
        `{ session(id: "${id}") { ... on Session { events(first: 500${from}) { nodes { seq ${bodies} } pageInfo { hasNextPage endCursor } } } } }`,
      );
      expect(bytes).toBeLessThan(OPERATION_LOG_BYTES_MAX * 1.05);
      const { nodes, pageInfo } = body.data.session.events;
      seqs.push(...nodes.map(({ seq }: Answer) => seq));
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage) break;
    }
    expect(seqs).toEqual(Array.from({ length: head }, (_, at) => at + 1));

    const many = times(
      50,
      (at) => `a${at}: session(id: "${id}") { ... on Session { events(first: 100) { nodes { body } } } }`,
    );
    const { bytes, body } = await asked(`{ ${many} }`);
    expect(bytes).toBeLessThan(OPERATION_LOG_BYTES_MAX * 1.05);
    expect(body.errors.at(-1).extensions.code).toBe('LOG_BUDGET_SPENT');
  });

  it('whole bodies count with all their bytes, in lists and one by one; the largest can be read', async () => {
    await fill(1, 'x'.repeat(BODY_BYTES_MAX - 1_000));
    for (let count = 0; count < 7; count += 1) await fill(1, 'y'.repeat(BODY_BYTES_MAX / 2));
    const head = await door.store.journal.head(id);
    const one = await asked(
      `{ event(sessionId: "${id}", id: "${eventIdOf(id, head - 7)}") { ... on Event { seq fullBody b: fullBody c: fullBody d: fullBody } ... on Fault { code message } } }`,
    );
    const list = await asked(
      `{ session(id: "${id}") { ... on Session { events(first: 500) { nodes { seq fullBody b: fullBody } pageInfo { hasNextPage } } } } }`,
    );
    const many = await asked(
      `{ ${times(50, (at) => `a${at}: event(sessionId: "${id}", id: "${eventIdOf(id, head)}") { ... on Event { fullBody } }`)} }`,
    );

    expect(one.body.errors).toBeUndefined();
    expect([one.body.data.event.seq, one.bytes > 3 * BODY_BYTES_MAX]).toEqual([head - 7, true]);
    expect(list.body.data.session.events.pageInfo.hasNextPage).toBe(true);
    for (const { bytes } of [one, list, many]) expect(bytes).toBeLessThan(OPERATION_LOG_BYTES_MAX * 1.05);
    expect(many.body.errors.at(-1).extensions.code).toBe('LOG_BUDGET_SPENT');
  });

  it('read an agent once for all of their sessions', async () => {
    for (let count = 0; count < 20; count += 1) await door.session();
    const { agents } = door;
    const get = agents.get.bind(agents);
    let reads = 0;
    agents.get = (...args) => ((reads += 1), get(...args));

    const { body } = await asked(
      '{ a: sessions { nodes { agent { name } } } b: sessions { nodes { agent { name } } } }',
    );

    expect(body.data.a.nodes).toHaveLength(21);
    expect(body.data.b.nodes.at(-1)).toEqual({ agent: { name: 'door' } });
    expect(reads).toBe(1);
  });

  it('filter by type, level and turn, whatever every object has (constructor, __proto__)', async () => {
    await door.beginTurn(id);
    await fill(3, 'x');
    const { session } = await door.ask(
      `{ session(id: "${id}") { ... on Session { turn { id } all: events { nodes { type turnId } } } } }`,
    );
    const turnId = session.turn.id;
    const of = async (args: string): Promise<Answer> =>
      (
        await asked(
          `{ session(id: "${id}") { ... on Session { events(${args}) { nodes { type turnId } } } } }`,
        )
      ).body;

    const ofTurn = await of(`turnId: "${turnId}"`);
    expect(ofTurn.data.session.events.nodes).toEqual(
      session.all.nodes.filter((event: Answer) => event.turnId === turnId),
    );
    expect(ofTurn.data.session.events.nodes.length).toBeGreaterThan(0);
    expect((await of(`turnId: "${turnId}", types: ["agent.message"]`)).data.session.events.nodes).toEqual([]);
    expect((await of('turnId: "x"')).errors[0]).toMatchObject({ extensions: { code: 'INVALID_INPUT' } });
    for (const type of ['constructor', '__proto__', 'toString', 'hasOwnProperty', '']) {
      expect((await of(`types: ["${type}"]`)).errors[0]).toMatchObject({
        extensions: { code: 'INVALID_INPUT' },
      });
    }
  });
});
