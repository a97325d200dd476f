/** Several processes that share a journal and a wire: what a brain says at one is seen by the readers of the others. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Delta } from '../../src/journal/draft.ts';
import { follow } from '../../src/journal/follow.ts';
import { Live } from '../../src/journal/live.ts';
import type { LiveWire } from '../../src/journal/live-wire.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { eventually } from '../support/eventually.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';

type Listener = Parameters<LiveWire['onDelta']>[0];

/** The wires of so many processes: what is posted on one comes out of the others. */
function wires(count: number) {
  const posted: Delta[] = [];
  const ends = Array.from({ length: count }, () => new Set<Listener>());
  const all = ends.map(
    (own): LiveWire => ({
      post(sessionId, delta) {
        posted.push(delta);
        for (const end of ends) if (end !== own) for (const listener of end) listener(sessionId, delta);
      },
      onDelta(listener) {
        own.add(listener);
        return () => void own.delete(listener);
      },
    }),
  );
  return { all, posted, listening: () => ends.reduce((sum, { size }) => sum + size, 0) };
}

const opened: { lives: readonly Live[]; store: SqliteStore }[] = [];
afterEach(() => {
  for (const { lives, store } of opened.splice(0)) {
    for (const live of lives) live.close();
    store.close();
  }
});

async function begin() {
  const store = openSqlite({ path: ':memory:' });
  const { journal } = store;
  const { all, posted, listening } = wires(3);
  let heads = 0;
  const counted = {
    read: (...args: Parameters<typeof journal.read>) => journal.read(...args),
    head: (id: SessionId) => ((heads += 1), journal.head(id)),
    onHint: (listener: Parameters<typeof journal.onHint>[0]) => journal.onHint(listener),
  };
  const lives = all.map((wire) => new Live({ journal: counted, wire }));
  opened.push({ lives, store });
  const [here, there, elsewhere] = lives as [Live, Live, Live]; // three were made
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  /** A follower with deltas that has caught up. */
  const followed = async (live: Live) => {
    const following = follow(
      { journal, live },
      { sessionId: id, after: await journal.head(id), deltas: true },
    );
    expect((await following.next()).value?.kind).toBe('caughtUp');
    return following;
  };
  const say = (live: Live, offset: number, text: string) => live.delta(id, { callId: 'c1', offset, text });
  const texts = (live: Live) => live.draftsOf(id).map(({ text }) => text);
  return {
    ...{ journal, id, here, there, elsewhere, posted, listening },
    followed,
    say,
    texts,
    heads: () => heads,
  };
}

describe('a delta', () => {
  it('is seen by readers of every process, and posted once', async () => {
    const { here, there, elsewhere, followed, say, posted } = await begin();
    const followers = [await followed(here), await followed(there), await followed(elsewhere)];
    const waiting = followers.map((one) => one.next());

    say(here, 0, 'Hello');

    for (const one of waiting)
      expect((await one).value).toEqual({ kind: 'delta', callId: 'c1', offset: 0, text: 'Hello' });
    expect(posted).toEqual([{ callId: 'c1', offset: 0, text: 'Hello' }]);
    for (const one of followers) await one.return?.();
  });

  it('costs a process nothing where nobody reads its session (LIVE-4)', async () => {
    const { here, there, id, say, heads } = await begin();
    say(here, 0, 'Hello');
    const before = heads();

    there.delta(newId('session'), { callId: 'c1', offset: 7, text: 'of a message that began elsewhere' });
    say(here, 5, ', world');

    expect(there.headOf(id)).toBeUndefined();
    expect(there.draftsOf(id)).toEqual([]);
    expect(heads()).toBe(before);
  });

  it('of a message that began before anyone read it there is not shown there; of the next message it is', async () => {
    const { here, there, followed, say, texts, id } = await begin();
    say(here, 0, 'Hello');
    const following = await followed(there);
    say(here, 5, ', world');
    expect(texts(there)).toEqual([]);
    expect(texts(here)).toEqual(['Hello, world']);

    here.delta(id, { callId: 'c2', offset: 0, text: 'Next' });

    expect((await following.next()).value).toEqual({ kind: 'delta', callId: 'c2', offset: 0, text: 'Next' });
    await following.return?.();
  });

  it('starts the message again where its call is made again, also by another process', async () => {
    const { here, there, elsewhere, followed, say, texts } = await begin();
    const following = await followed(there);
    say(here, 0, 'First try, cut');

    say(elsewhere, 0, 'Second');
    say(elsewhere, 6, ' try');

    expect(texts(there)).toEqual(['Second try']);
    await following.return?.();
  });

  it('is forgotten everywhere when its message lands, and brings nothing back when it comes after it', async () => {
    const { here, there, followed, say, texts, journal, id } = await begin();
    const following = await followed(there);
    say(here, 0, 'Hel');

    await journal.append(id, { decide: appending(spoken('Hello', 'c1')) });
    await eventually('the event', async () => (await following.next()).value?.kind === 'events');
    say(here, 0, 'Hello');

    expect(texts(there)).toEqual([]);
    await following.return?.();
  });

  it('keeps no tail once the last reader there has gone, though the message never lands (LIVE-4)', async () => {
    const { here, there, followed, say, id } = await begin();
    const following = await followed(there);
    say(here, 0, 'Hel');

    await following.return?.();

    expect(there.headOf(id)).toBeUndefined();
    expect(here.headOf(id), 'its own process keeps the draft for those who come').toBe(0);
  });
});

describe('a process that ends', () => {
  it('stops listening to the wire', async () => {
    const { here, there, elsewhere, listening } = await begin();
    expect(listening()).toBe(3);

    for (const live of [here, there, elsewhere]) live.close();

    expect(listening()).toBe(0);
  });
});
