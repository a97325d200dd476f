/** Followers with a filter pay for their history as lists do: the store looks for what passes, and the event loop goes round. */
import { createClient } from 'graphql-ws';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { cursorOf } from '../../src/journal/cursor.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { APPEND_EVENTS_MAX, SCAN_EVENTS_MAX } from '../../src/kernel/limit.ts';
import { type Answer, Door, ROOT_KEY, said } from '../support/door.ts';
import { appending, spoken } from '../support/session-log.ts';

type Frames = (door: Door, query: string, until: (frame: Answer) => boolean) => Promise<readonly Answer[]>;

const overSocket: Frames = async (door, query, until) => {
  const connectionParams = { authorization: `Bearer ${ROOT_KEY}` };
  const client = createClient({ url: door.socketUrl, webSocketImpl: WebSocket, connectionParams });
  const frames: Answer[] = [];
  for await (const { data } of client.iterate<Answer>({ query })) {
    frames.push(data?.['sessionEvents']);
    if (until(frames.at(-1))) break;
  }
  await client.dispose();
  return frames;
};

const overSse: Frames = async (door, query, until) => {
  const headers = {
    authorization: `Bearer ${ROOT_KEY}`,
    accept: 'text/event-stream',
    'content-type': 'application/json',
  };
  const request = { method: 'POST', headers, body: JSON.stringify({ query }) };
  const response = await fetch(door.url, request);
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += Buffer.from(chunk).toString();
    const frames = [...text.matchAll(/^data: (\{.*\})$/gm)].map(
      ([, json]) => JSON.parse(json ?? '').data.sessionEvents,
    );
    if (frames.some(until)) return frames; // leaving the loop ends the request
  }
  return [];
};

const WAYS: readonly [string, Frames][] = [
  ['a socket', overSocket],
  ['SSE', overSse],
];

/** A session with a turn of so many events, and something said after it. */
async function longSession(door: Door, events: number): Promise<SessionId> {
  const id = await door.session();
  await door.beginTurn(id);
  for (let left = events; left > 0; left -= APPEND_EVENTS_MAX) {
    const spoke = Array.from({ length: Math.min(left, APPEND_EVENTS_MAX) }, () => spoken('x'));
    await door.store.journal.append(id, { decide: appending(...spoke) });
  }
  await door.complete(id);
  await door.store.journal.append(id, { decide: appending(said('last')) });
  return id;
}

/** Rounds of the event loop, until it is told to end. */
function countRounds(): { readonly round: number; end(): void } {
  let round = 0;
  let going = true;
  const count = (): void => {
    round += 1;
    if (going) setImmediate(count);
  };
  count();
  return {
    get round() {
      return round;
    },
    end() {
      going = false;
    },
  };
}

const followed = (id: SessionId): string =>
  `subscription { sessionEvents(sessionId: "${id}", filter: { types: ["turn.started", "turn.completed"] }) {
    __typename ... on EventBatch { cursor events { seq type } } ... on CaughtUp { cursor } } }`;
const isCaughtUp = (frame: Answer): boolean => frame.__typename === 'CaughtUp';

it.each(WAYS)(
  'over %s many that catch up take turns with their looks (proves BUDGET-2)',
  async (_how, framesOf) => {
    const door = await Door.open();
    const id = await longSession(door, 2 * SCAN_EVENTS_MAX);
    const { journal } = door.store;
    const scan = journal.scan.bind(journal);
    const rounds = countRounds();
    const looks: number[] = [];
    journal.scan = (...args) => {
      looks.push(rounds.round);
      return scan(...args);
    };
    const all = await Promise.all(Array.from({ length: 8 }, () => framesOf(door, followed(id), isCaughtUp)));
    rounds.end();

    for (const frames of all) expect(isCaughtUp(frames.at(-1))).toBe(true);
    expect(looks.length).toBeGreaterThanOrEqual(24);
    expect(new Set(looks).size).toBeGreaterThan(looks.length * 0.8); // our count may fall on either side of a turn
    await door.close();
  },
);

it.each(WAYS)(
  'over %s what does not pass stays in the store, and what passes comes once and in order',
  async (_how, framesOf) => {
    const door = await Door.open();
    const id = await longSession(door, 2 * SCAN_EVENTS_MAX);
    const head = await door.store.journal.head(id);
    const { journal } = door.store;
    const rounds: number[] = [];
    let handed = 0;
    const counted = countRounds();
    const [scan, read] = [journal.scan.bind(journal), journal.read.bind(journal)];
    journal.scan = async (...args) => {
      rounds.push(counted.round);
      const scanned = await scan(...args);
      handed += scanned.events.length;
      return scanned;
    };
    journal.read = async (...args) => {
      const events = await read(...args);
      handed += events.length;
      return events;
    };
    const frames = await framesOf(door, followed(id), isCaughtUp);
    counted.end();

    const events = frames.flatMap((frame) => frame.events ?? []);
    expect(events.map(({ type }: Answer) => type)).toEqual(['turn.started', 'turn.completed']);
    expect(frames.at(-1)).toEqual({ __typename: 'CaughtUp', cursor: cursorOf(id, head) });
    expect(handed).toBe(2);
    expect(new Set(rounds).size).toBeGreaterThanOrEqual(head / SCAN_EVENTS_MAX);
    await door.close();
  },
);
