/** J7: whatever readers, writers and hints do, a follower gets every event after its cursor exactly once and in order. */
import { afterEach, describe, expect, it } from 'vitest';
import { type Follow, follow } from '../../src/journal/follow.ts';
import type { RecordedEvent } from '../../src/journal/event.ts';
import type { Hint } from '../../src/journal/journal.ts';
import { Live } from '../../src/journal/live.ts';
import { SessionNotFound } from '../../src/journal/faults.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';
import { type Random, randomOf } from '../support/random.ts';

const POLL_MS = 5;

/** How hints arrive: as sent, never, twice, without or with older events, late and in any order, or all that by chance. */
const HINTS = ['on', 'off', 'doubled', 'bare', 'overlapping', 'late', 'by chance'] as const;
type Hints = (typeof HINTS)[number];

const opened: { live: Live; store: SqliteStore }[] = [];
afterEach(() => {
  for (const { live, store } of opened.splice(0)) {
    live.close();
    store.close();
  }
});

function open(hints: Hints = 'on', random: Random = randomOf(1), pollMs: number = POLL_MS) {
  const store = openSqlite({ path: ':memory:' });
  const live = new Live({ journal: unreliable(store.journal, hints, random), pollMs });
  opened.push({ live, store });
  const { journal } = store;
  const write = async (id: SessionId, count: number) => {
    const events = Array.from({ length: count }, (_, index) => spoken(`event ${index}`, newId('event')));
    return (await journal.append(id, { decide: appending(...events) })).lastSeq;
  };
  const create = async () => (await store.sessions.create(originOf(), nothing)).session.id;
  return { journal, live, write, create };
}

function unreliable(
  journal: SessionJournal,
  hints: Hints,
  random: Random,
): ConstructorParameters<typeof Live>[0]['journal'] {
  const before = new Map<SessionId, readonly RecordedEvent[]>();
  const deliver: Record<Exclude<Hints, 'by chance'>, (hint: Hint, listener: (hint: Hint) => void) => void> = {
    on: (hint, listener) => listener(hint),
    off: () => undefined,
    doubled: (hint, listener) => {
      listener(hint);
      listener(hint);
    },
    bare: ({ sessionId, head }, listener) => listener({ sessionId, head }),
    overlapping: ({ sessionId, head, events = [] }, listener) => {
      listener({ sessionId, head, events: [...(before.get(sessionId) ?? []), ...events] });
    },
    late: (hint, listener) => void setTimeout(listener, random.below(4), hint),
  };
  return {
    read: (...args) => journal.read(...args),
    head: (id) => journal.head(id),
    onHint: (listener) =>
      journal.onHint((hint) => {
        const how =
          hints === 'by chance'
            ? random.pick(['on', 'off', 'doubled', 'bare', 'overlapping', 'late'] as const)
            : hints;
        deliver[how](hint, listener);
        before.set(hint.sessionId, hint.events ?? []);
      }),
  };
}

/** Follows from `after` to `until`, dropping out and coming back at its cursor as chance will; answers the seqs it got. */
async function readOn(
  ports: Parameters<typeof follow>[0],
  sessionId: SessionId,
  { after, until, random }: { after: number; until: number; random: Random },
): Promise<readonly number[]> {
  const seqs: number[] = [];
  let cursor = after;
  while (cursor < until) {
    let caughtUp = 0;
    const stop = new AbortController();
    const following = follow(ports, { sessionId, after: cursor, deltas: false }, stop.signal);
    const steps = 1 + random.below(6);
    for (let step = 0; step < steps && cursor < until; step += 1) {
      const { value: frame } = await following.next();
      if (frame === undefined) throw new Error('A follow ended by itself.');
      if (frame.kind === 'caughtUp') {
        expect(frame.seq).toBe(cursor);
        caughtUp += 1;
        expect(caughtUp).toBe(1);
      }
      if (frame.kind !== 'events') continue;
      expect(frame.head).toBeGreaterThanOrEqual(frame.events.at(-1)?.seq ?? Number.POSITIVE_INFINITY);
      seqs.push(...frame.events.map(({ seq }) => seq));
      cursor = seqs.at(-1) ?? cursor;
    }
    if (random.below(2) === 0) stop.abort();
    await following.return?.();
  }
  return seqs;
}

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index);
}

describe.each(HINTS)('with hints %s', (hints) => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));

  it(`gives everybody everything once and in order, over random appends and readers (SEED=${seed})`, async () => {
    const random = randomOf(seed);
    const { journal, live, write, create } = open(hints, random);
    const ids = [await create(), await create()];
    for (const id of ids) for (let burst = 0; burst < 4; burst += 1) await write(id, 1 + random.below(90));

    const all = ids.map(async (id) => {
      const bursts = Array.from({ length: 40 }, () => 1 + random.below(12));
      const until = bursts.reduce((sum, count) => sum + count, await journal.head(id));
      const writing = (async () => {
        for (const count of bursts) {
          await write(id, count);
          if (random.below(3) === 0) await new Promise((resolve) => setTimeout(resolve, random.below(4)));
        }
      })();
      const readers = Array.from({ length: 8 }, async () => {
        const after = random.below(300);
        const seqs = await readOn({ journal, live }, id, { after, until, random });
        expect(seqs).toEqual(range(after + 1, until));
      });
      await Promise.all([writing, ...readers]);
    });

    await Promise.all(all);
  });

  it('goes on from every cursor of a log that grows meanwhile', async () => {
    const { journal, live, write, create } = open(hints);
    const id = await create();
    await write(id, 120);

    const readers = range(0, 120).map(async (after) => {
      const seqs: number[] = [];
      for await (const frame of follow({ journal, live }, { sessionId: id, after, deltas: true })) {
        if (frame.kind === 'events') seqs.push(...frame.events.map(({ seq }) => seq));
        if (seqs.at(-1) === 160) break;
      }
      expect(seqs).toEqual(range(after + 1, 160));
    });
    for (let burst = 0; burst < 20; burst += 1) await write(id, 2);

    await Promise.all(readers);
  });
});

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
      return `delta ${frame.callId} ${frame.offset} ${frame.text}`;
    case undefined:
      return 'end';
  }
}
