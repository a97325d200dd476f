/** Followers with a filter pay for their history as lists do: the store looks for what passes, and the event loop goes round. */
import { createClient } from 'graphql-ws';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { cursorOf } from '../../src/journal/cursor.ts';
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

it.each([
  ['a socket', overSocket],
  ['SSE', overSse],
])(
  'over %s what does not pass stays in the store, and what passes comes once and in order',
  async (_how, framesOf) => {
    const door = await Door.open();
    const id = await door.session();
    await door.beginTurn(id);
    for (let left = 2 * SCAN_EVENTS_MAX; left > 0; left -= APPEND_EVENTS_MAX) {
      const events = Array.from({ length: Math.min(left, APPEND_EVENTS_MAX) }, () => spoken('x'));
      await door.store.journal.append(id, { decide: appending(...events) });
    }
    await door.complete(id);
    await door.store.journal.append(id, { decide: appending(said('last')) });
    const head = await door.store.journal.head(id);
    const { journal } = door.store;
    const rounds: number[] = [];
    let handed = 0;
    let round = 0;
    let going = true;
    const count = (): void => {
      round += 1;
      if (going) setImmediate(count);
    };
    const [scan, read] = [journal.scan.bind(journal), journal.read.bind(journal)];
    journal.scan = async (...args) => {
      rounds.push(round);
      const scanned = await scan(...args);
      handed += scanned.events.length;
      return scanned;
    };
    journal.read = async (...args) => {
      const events = await read(...args);
      handed += events.length;
      return events;
    };
    count();

    const query = `subscription { sessionEvents(sessionId: "${id}", filter: { types: ["turn.started", "turn.completed"] }) {
    __typename ... on EventBatch { cursor events { seq type } } ... on CaughtUp { cursor } } }`;
    const frames = await framesOf(door, query, (frame) => frame.__typename === 'CaughtUp');
    going = false;

    const events = frames.flatMap((frame) => frame.events ?? []);
    expect(events.map(({ type }: Answer) => type)).toEqual(['turn.started', 'turn.completed']);
    expect(frames.at(-1)).toEqual({ __typename: 'CaughtUp', cursor: cursorOf(id, head) });
    expect(handed).toBe(2);
    expect(new Set(rounds).size).toBeGreaterThanOrEqual(head / SCAN_EVENTS_MAX);
    await door.close();
  },
);
