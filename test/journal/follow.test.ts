/** What a follower is told and when it ends; that it misses nothing (FOLLOW-1) is test/contracts/follow.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Follow, follow } from '../../src/journal/follow.ts';
import { Live } from '../../src/journal/live.ts';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';

const opened: { live: Live; store: SqliteStore }[] = [];
afterEach(() => {
  for (const { live, store } of opened.splice(0)) {
    live.close();
    store.close();
  }
});

function open() {
  const store = openSqlite({ path: ':memory:' });
  const live = new Live({ journal: store.journal });
  opened.push({ live, store });
  const { journal } = store;
  const write = async (id: SessionId, count: number) => {
    const events = Array.from({ length: count }, (_, index) => spoken(`event ${index}`, newId('event')));
    return (await journal.append(id, { decide: appending(...events) })).lastSeq;
  };
  const create = async () => (await store.sessions.create(originOf(), nothing)).session.id;
  return { journal, live, write, create };
}

describe('a follower', () => {
  it('is told once that it has caught up, at the head of that time, before what comes later', async () => {
    const { journal, live, write, create } = open();
    const id = await create();
    await write(id, 3);
    const following = follow({ journal, live }, { sessionId: id, after: 1, deltas: false });

    const frames = [(await following.next()).value, (await following.next()).value];
    await write(id, 1);
    frames.push((await following.next()).value);
    await write(id, 1);
    frames.push((await following.next()).value);

    expect(frames.map(brief)).toEqual([
      'events 2-3 of 3',
      'caught up at 3',
      'events 4-4 of 4',
      'events 5-5 of 5',
    ]);
    await following.return?.();
  });

  it('is given nothing beyond the head that the live end has reached, whatever the journal has by then (FOLLOW-1)', async () => {
    const { journal, live, write, create } = open();
    const id = await create();
    await write(id, 5);
    /** Has grown between the question for its head and the one for its events. */
    const grown = {
      read: journal.read.bind(journal),
      head: () => Promise.resolve(3),
      onHint: () => () => undefined,
    };
    const behind = new Live({ journal: grown });
    opened.push({ live: behind, store: openSqlite({ path: ':memory:' }) });
    const following = follow({ journal, live: behind }, { sessionId: id, after: 1, deltas: false });

    expect(brief((await following.next()).value)).toBe('events 2-3 of 3');
    expect(brief((await following.next()).value)).toBe('caught up at 3');
    await following.return?.();
    expect(live.headOf(id)).toBeUndefined();
  });

  it('with a cursor beyond the head waits for what comes after that cursor', async () => {
    const { journal, live, write, create } = open();
    const id = await create();
    await write(id, 2);
    const following = follow({ journal, live }, { sessionId: id, after: 5, deltas: false });

    expect(brief((await following.next()).value)).toBe('caught up at 5');
    const next = following.next();
    await write(id, 2);
    await write(id, 3);

    expect(brief((await next).value)).toBe('events 6-7 of 7');
    await following.return?.();
  });

  it('ends at once while it waits: by return, by its signal, and when the server closes', async () => {
    const { journal, live, create } = open();
    const id = await create();
    const stop = new AbortController();
    const request = { sessionId: id, after: 0, deltas: true };
    const all = [
      follow({ journal, live }, request),
      follow({ journal, live }, request, stop.signal),
      follow({ journal, live }, request),
    ] as const;
    for (const one of all) expect(brief((await one.next()).value)).toBe('caught up at 0');
    const parked = all.map((one) => one.next());

    await all[0].return?.();
    stop.abort();
    expect(await Promise.all(parked.slice(0, 2))).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(live.headOf(id), 'the third still holds the tail').toBe(0);
    live.close();

    expect(await parked[2]).toEqual({ done: true, value: undefined });
    expect(live.headOf(id)).toBeUndefined();
  });

  it('leaves nothing behind: a session without readers has no tail', async () => {
    const { journal, live, write, create } = open();
    const id = await create();
    for await (const frame of follow({ journal, live }, { sessionId: id, after: 0, deltas: true })) {
      if (frame.kind === 'caughtUp') await write(id, 1);
      if (frame.kind === 'events') break;
    }

    expect(live.headOf(id)).toBeUndefined();
  });

  it('of an unknown session is told so at the first step', async () => {
    const { journal, live } = open();
    const following = follow({ journal, live }, { sessionId: newId('session'), after: 0, deltas: false });

    await expect(following.next()).rejects.toBeInstanceOf(SessionNotFound);
    expect(await following.next()).toEqual({ done: true, value: undefined });
  });

  it('once caught up reads from memory: a hundred followers cost the store nothing', async () => {
    const { journal, live, write, create } = open();
    const id = await create();
    let reads = 0;
    const counted = {
      read: (...args: Parameters<typeof journal.read>) => ((reads += 1), journal.read(...args)),
      scan: (...args: Parameters<typeof journal.scan>) => ((reads += 1), journal.scan(...args)),
    };
    const followers = Array.from({ length: 100 }, () =>
      follow({ journal: counted, live }, { sessionId: id, after: 0, deltas: false }),
    );
    for (const one of followers) await one.next();

    for (let count = 0; count < 5; count += 1) {
      await write(id, 3);
      for (const one of followers) expect(brief((await one.next()).value)).toMatch(/^events/);
    }

    expect(reads).toBe(0);
    for (const one of followers) await one.return?.();
  });
});

function brief(frame: Follow | undefined): string {
  switch (frame?.kind) {
    case 'events':
      return `events ${frame.events[0]?.seq}-${frame.events.at(-1)?.seq} of ${frame.head}`;
    case 'caughtUp':
      return `caught up at ${frame.seq}`;
    case 'delta':
    case 'thinking':
      return `${frame.kind} ${frame.callId} ${frame.offset} ${frame.text}`;
    case undefined:
      return 'end';
  }
}
