/** The live end of the logs: deltas, and the one stream that a fan-out shares. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { NewEvent, RecordedEvent } from '../../src/journal/event.ts';
import { type Follow, follow } from '../../src/journal/follow.ts';
import type { Hint } from '../../src/journal/journal.ts';
import type { LiveFrame } from '../../src/journal/live-tail.ts';
import { SessionGone, SessionNotFound } from '../../src/journal/faults.ts';
import { Live } from '../../src/journal/live.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';
import { eventually } from '../support/eventually.ts';
import { OURS } from '../support/organisation.ts';
import { appending, nothing, originOf, spoken } from '../support/session-log.ts';

const opened: { live: Live; store: SqliteStore }[] = [];
afterEach(() => {
  for (const { live, store } of opened.splice(0)) {
    live.close();
    store.close();
  }
});

/** What Live needs of a journal, to change a part of it. */
function ports(journal: SessionJournal): ConstructorParameters<typeof Live>[0]['journal'] {
  return {
    read: (...args) => journal.read(...args),
    head: (id) => journal.head(id),
    onHint: (listener) => journal.onHint(listener),
  };
}

async function begin() {
  const store = openSqlite({ path: ':memory:' });
  const live = new Live({ journal: store.journal });
  opened.push({ live, store });
  const { journal } = store;
  const { id } = (await store.sessions.create(originOf(), nothing)).session;
  const append = (...events: readonly NewEvent[]) => journal.append(id, { decide: appending(...events) });
  /** A follower with deltas that has caught up. */
  const followed = async () => {
    const following = follow(
      { journal, live },
      { sessionId: id, after: await journal.head(id), deltas: true },
    );
    expect((await following.next()).value?.kind).toBe('caughtUp');
    return { following, next: async () => brief((await following.next()).value) };
  };
  const say = (offset: number, text: string, callId = 'c1') => live.delta(id, { callId, offset, text });
  const think = (offset: number, text: string, callId = 'c1') =>
    live.delta(id, { callId, kind: 'thinking', offset, text });
  const { deletions } = store;
  return { journal, deletions, live, id, append, followed, say, think };
}

describe('a session that is gone', () => {
  /** A follower that has caught up, on a journal that forgets the session as often as `goneFor` says. */
  async function followerOf(goneFor: number) {
    const { journal, id, append } = await begin();
    let left = 0;
    let looks = 0;
    const live = new Live({
      journal: {
        ...ports(journal),
        head: (session) => {
          looks += 1;
          left -= 1;
          return left >= 0 ? Promise.reject(new SessionNotFound(session)) : journal.head(session);
        },
      },
      pollMs: 5,
    });
    const following = follow({ journal, live }, { sessionId: id, after: 0, deltas: true });
    expect((await following.next()).value?.kind).toBe('caughtUp');
    left = goneFor;
    return { live, following, append, looks: () => looks };
  }

  it('proves LIVE-5: ends its followers with SessionNotFound', async () => {
    const { live, following } = await followerOf(Infinity);

    await expect(following.next()).rejects.toBeInstanceOf(SessionNotFound);
    live.close();
  });

  it('for one look only goes on: a store may be behind for a moment', async () => {
    const { live, following, append, looks } = await followerOf(1);
    const before = looks();
    await eventually('a look after it', () => looks() > before + 2);
    await append(spoken('there'));

    expect((await following.next()).value).toMatchObject({ kind: 'events', head: 1 });
    live.close();
  });
});

describe('a session that was deleted', () => {
  it('proves LIVE-5: ends its followers by the hint alone, and keeps nothing of what its brain still says', async () => {
    const { journal, id, append, deletions } = await begin();
    const live = new Live({ journal: ports(journal), pollMs: 1e9 });
    await append(spoken('one'));
    const following = follow({ journal, live }, { sessionId: id, after: 1, deltas: true });
    expect((await following.next()).value?.kind).toBe('caughtUp');
    const tail = live.hold(id, () => undefined);
    live.delta(id, { callId: 'c1', offset: 0, text: 'half' });
    expect((await following.next()).value).toMatchObject({ kind: 'delta', text: 'half' });
    const next = following.next();

    await deletions.begin({ id, organisationId: OURS.id, deletedAt: 1, deletedBy: { kind: 'system' } });

    await expect(next).rejects.toBeInstanceOf(SessionGone);
    live.delta(id, { callId: 'c2', offset: 0, text: 'still' });
    expect(live.draftsOf(id)).toEqual([]);
    expect(tail.eventsAfter(0)).toBeUndefined();
    live.close();
  });
});

describe('messages that are being written', () => {
  it('reach a follower piece by piece, and in larger pieces when it is slow', async () => {
    const { followed, say } = await begin();
    const { following, next } = await followed();
    const waiting = next();

    say(0, 'He');
    expect(await waiting).toBe('c1 0 He');
    say(2, 'll');
    say(4, 'o');
    say(4, 'o');

    expect(await next()).toBe('c1 2 llo');
    await following.return?.();
  });

  it('give the text so far to somebody who joins in the middle, then the rest, then the event alone (LIVE-3)', async () => {
    const { append, followed, say, live, id } = await begin();
    say(0, 'Hello');
    say(5, ', wor');
    const { following, next } = await followed();

    expect(await next()).toBe('c1 0 Hello, wor');
    const rest = next();
    say(10, 'ld');
    expect(await rest).toBe('c1 10 ld');
    await append(spoken('Hello, world', 'c1'));
    expect(await next()).toBe('agent.message');
    expect(live.draftsOf(id)).toEqual([]);

    const later = await followed();
    const nothingMore = later.next();
    say(12, '!');
    await append(spoken('next', 'c2'));
    expect(await nothingMore, 'a delta that comes too late brings nothing back').toBe('agent.message');
    await following.return?.();
    await later.following.return?.();
  });

  it('start again at offset 0 when the call is made again', async () => {
    const { followed, say } = await begin();
    const { following, next } = await followed();
    say(0, 'First try');
    expect(await next()).toBe('c1 0 First try');

    say(0, 'Second');
    expect(await next()).toBe('c1 0 Second');
    say(6, ' try');
    expect(await next()).toBe('c1 6  try');
    await following.return?.();
  });

  it('skip what would leave a gap, and take of an overlap what is new', async () => {
    const { say, live, id } = await begin();
    say(3, 'no beginning');
    expect(live.draftsOf(id)).toEqual([]);

    say(0, 'abc');
    say(5, 'gap');
    say(2, 'cde');

    expect(live.draftsOf(id)).toMatchObject([{ callId: 'c1', text: 'abcde' }]);
  });

  it('are forgotten when their call, their turn or their brain ends, with and without readers (LIVE-3)', async () => {
    const { append, say, live, id } = await begin();
    const system = { kind: 'system' } as const;
    const ends: readonly NewEvent[] = [
      { type: 'model.completed', actor: system, body: { callId: 'c0', stopReason: 'end_turn' } },
      { type: 'turn.completed', actor: system, body: { number: 1, outcome: 'canceled' } },
      {
        type: 'brain.lost',
        actor: system,
        body: { epoch: 1, reason: 'x', attempt: 1, attemptMax: 3, retryInMs: 1 },
      },
    ];
    for (const [index, end] of ends.entries()) {
      say(0, 'text', `c${index}`);
      expect(live.draftsOf(id)).toHaveLength(1);
      await append(end);
      expect(live.draftsOf(id)).toEqual([]);
      expect(live.headOf(id), 'nobody needs the tail any more').toBeUndefined();
    }
  });

  it('are written again when their call is: by the next brain after a crash, or as a call of another model', async () => {
    const { append, followed, say, live, id } = await begin();
    const { following } = await followed();
    const system = { kind: 'system' } as const;
    const again: readonly NewEvent[] = [
      { type: 'brain.started', actor: system, body: { epoch: 2, owner: 'x' } },
      { type: 'model.started', actor: system, body: { callId: 'c1', inputToSeq: 1, model: 'other' } },
    ];
    for (const start of again) {
      say(0, 'Hel');
      await append({
        type: 'agent.message',
        actor: system,
        body: { callId: 'c1', text: 'Hel', aborted: true },
      });
      say(0, 'late');
      expect(live.draftsOf(id)).toEqual([]);
      await append(start);
      say(0, 'Hello');
      expect(live.draftsOf(id)).toMatchObject([{ text: 'Hello' }]);
    }
    await following.return?.();
  });

  it('are bounded: a few calls of a session, and not without end (LIVE-2)', async () => {
    const { say, live, id } = await begin();
    for (let call = 0; call < 20; call += 1) say(0, 'text', `c${call}`);
    expect(live.draftsOf(id).length).toBeLessThan(10);

    const piece = 'x'.repeat(64 * 1024);
    for (let count = 0; count < 40; count += 1) say(count * piece.length, piece, 'long');

    expect(live.draftsOf(id).some(({ callId }) => callId === 'long')).toBe(false);
  });

  it('are forgotten when their message lands before the journal has said how far it goes (LIVE-3)', async () => {
    const { journal, id, append } = await begin();
    const answer = Promise.withResolvers<void>();
    const slow = {
      ...ports(journal),
      head: (one: typeof id) => answer.promise.then(() => journal.head(one)),
    };
    const live = new Live({ journal: slow });
    live.delta(id, { callId: 'c1', offset: 0, text: 'Hel' });

    await append(spoken('Hello', 'c1'));
    expect(live.draftsOf(id)).toEqual([]);

    answer.resolve();
    live.close();
  });

  it('of an unknown session are dropped', async () => {
    const { live } = await begin();
    const id = newId('session');

    live.delta(id, { callId: 'c', offset: 0, text: 'text' });

    await eventually('nothing is kept', () => live.draftsOf(id).length === 0);
  });
});

describe('thinking', () => {
  it('is given apart from the message of its call, also to somebody who joins in the middle', async () => {
    const { followed, say, think, live, id } = await begin();
    think(0, 'Hm');
    think(2, ', so');
    say(0, 'Hel');
    const { following, next } = await followed();

    expect([await next(), await next()]).toEqual(['thinking c1 0 Hm, so', 'c1 0 Hel']);
    const rest = next();
    think(6, ' it is');
    expect(await rest).toBe('thinking c1 6  it is');
    expect(live.draftsOf(id, 'thinking')).toMatchObject([{ callId: 'c1', text: 'Hm, so it is' }]);
    expect(live.draftsOf(id)).toMatchObject([{ callId: 'c1', kind: 'message', text: 'Hel' }]);
    await following.return?.();
  });

  it('is over when the message of its call is in the log, also a message that was cut, and comes back by no late delta', async () => {
    const { append, followed, say, think, live, id } = await begin();
    const { following } = await followed();
    think(0, 'Hm');
    say(0, 'Hel');

    await append({
      type: 'agent.message',
      actor: { kind: 'agent' },
      body: { callId: 'c1', text: 'Hel', aborted: true },
    });
    think(2, ', so');
    think(0, 'Hm');

    expect([...live.draftsOf(id), ...live.draftsOf(id, 'thinking')]).toEqual([]);
    await following.return?.();
    expect(live.headOf(id), 'nobody needs the tail any more').toBeUndefined();
  });

  it('starts again with the call when its message was cut and the next brain makes it again', async () => {
    const { append, followed, say, think, live, id } = await begin();
    const { following } = await followed();
    think(0, 'Hm');
    say(0, 'Hel');
    expect(live.messageOf(id, 'c1')).toBe('Hel');
    const cut = { callId: 'c1', text: 'Hel', aborted: true };
    await append({ type: 'agent.message', actor: { kind: 'agent' }, body: cut });
    expect(live.messageOf(id, 'c1')).toBeUndefined();

    await append({ type: 'brain.started', actor: { kind: 'system' }, body: { epoch: 2, owner: 'o' } });
    think(0, 'Hm');
    say(0, 'Hello');

    expect(live.draftsOf(id, 'thinking').map(({ text }) => text)).toEqual(['Hm']);
    expect(live.draftsOf(id).map(({ text }) => text)).toEqual(['Hello']);
    expect(live.messageOf(id, 'c1')).toBe('Hello');
    await following.return?.();
  });

  it('that is too long to keep leaves the message alone', async () => {
    const { say, think, live, id } = await begin();
    const piece = 'x'.repeat(64 * 1024);
    say(0, 'Hel');
    for (let count = 0; count < 40; count += 1) think(count * piece.length, piece);
    say(3, 'lo');

    expect(live.draftsOf(id, 'thinking')).toEqual([]);
    expect(live.draftsOf(id)).toMatchObject([{ text: 'Hello' }]);
  });
});

describe('a shared stream', () => {
  it('goes on exactly where a follower that caught up left off', async () => {
    const { journal, live, id, append, say } = await begin();
    for (let count = 0; count < 230; count += 1) void append(spoken(`${count}`));
    const seqs: number[] = [];
    const take = (events: readonly RecordedEvent[]) => seqs.push(...events.map(({ seq }) => seq));
    const frames: LiveFrame[] = [];
    let end: (() => void) | undefined;

    for await (const frame of follow({ journal, live }, { sessionId: id, after: 0, deltas: false })) {
      if (frame.kind === 'events') take(frame.events);
      void append(spoken('meanwhile'));
      if (live.headOf(id) !== seqs.at(-1)) continue;
      end = live.subscribe(id, (one) => frames.push(one));
      break;
    }
    await append(spoken('a'), spoken('b'));
    say(0, 'typing');
    await append(spoken('last'));
    const head = await journal.head(id);
    end?.();
    await append(spoken('unseen'));

    for (const frame of frames) if (frame.kind === 'events') take(frame.events);
    expect(seqs).toEqual(Array.from({ length: head }, (_, index) => index + 1));
    expect(frames.filter(({ kind }) => kind === 'delta')).toEqual([
      { kind: 'delta', callId: 'c1', offset: 0, text: 'typing' },
    ]);
  });

  it('has no gaps when hints are lost, doubled or without events (CHANNEL-1, LIVE-1)', async () => {
    const { journal, id, append } = await begin();
    let count = 0;
    const live = new Live({
      journal: {
        ...ports(journal),
        onHint: (listener) =>
          journal.onHint((hint) => {
            count += 1;
            if (count % 3 === 1) listener(hint);
            if (count % 4 === 1) listener({ sessionId: hint.sessionId, head: hint.head });
          }),
      },
      pollMs: 5,
    });
    const seqs: number[] = [];
    const end = live.subscribe(id, (frame) => {
      if (frame.kind === 'events') seqs.push(...frame.events.map(({ seq }) => seq));
    });
    await eventually('the tail knows its head', () => live.headOf(id) !== undefined);

    for (let burst = 0; burst < 50; burst += 1) await append(spoken('x'), spoken('y'));

    await eventually('all of it', () => seqs.length >= 100);
    expect(seqs).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    end();
    expect(live.headOf(id)).toBeUndefined();
    live.close();
  });
});

describe('what is kept of the last events (LIVE-2)', () => {
  /** Live over a journal that is empty, of which the test gives the hints. */
  function hinted() {
    let hint: ((hint: Hint) => void) | undefined;
    const live = new Live({
      journal: {
        read: async () => [],
        head: async () => 0,
        onHint: (listener) => {
          hint = listener;
          return () => undefined;
        },
      },
    });
    const grow = (sessionId: SessionId, from: number, to: number, body = '{}') => {
      const events = Array.from({ length: to - from }, (_, at) => eventOf(sessionId, from + at + 1, body));
      hint?.({ sessionId, head: to, events });
    };
    const held = async (sessionId: SessionId) => {
      const tail = live.hold(sessionId, () => undefined);
      await eventually('it has a head', () => tail.head === 0);
      return tail;
    };
    return { live, grow, held };
  }

  it('is bounded for each session, by number and by size; what is left is what comes before the head', async () => {
    const { live, grow, held } = hinted();
    const [many, large] = [await held(newId('session')), await held(newId('session'))];
    for (let from = 0; from < 2_000; from += 100) grow(many.sessionId, from, from + 100);
    grow(large.sessionId, 0, 8, bodyOf(200_000));

    expect(many.eventsAfter(1_000)).toBeUndefined();
    expect(many.eventsAfter(1_950)).toHaveLength(50);
    expect(large.eventsAfter(4)).toBeUndefined();
    expect(large.eventsAfter(6)).toHaveLength(2);
    expect([many.head, large.head]).toEqual([2_000, 8]);
    live.close();
  });

  it('is bounded over all sessions: the one that was fed longest ago forgets its events, not its head', async () => {
    const { live, grow, held } = hinted();
    const tails = await Promise.all(Array.from({ length: 200 }, () => held(newId('session'))));
    const body = bodyOf(500_000); // one text: only counted as many
    for (const { sessionId } of tails) grow(sessionId, 0, 1, body);

    const kept = tails.map((tail) => tail.eventsAfter(0) !== undefined);
    expect(kept[0]).toBe(false);
    expect(kept.at(-1)).toBe(true);
    expect(kept.filter(Boolean).length * body.length).toBeLessThanOrEqual(64 * 1024 * 1024);
    expect(kept).toEqual(kept.toSorted((a, b) => Number(a) - Number(b)));
    expect(tails.every(({ head }) => head === 1)).toBe(true);
    live.close();
  });
});

function bodyOf(chars: number): string {
  return JSON.stringify({ text: 'x'.repeat(chars) });
}

function eventOf(sessionId: SessionId, seq: number, body: string): RecordedEvent {
  const rest = { sessionId, seq, body, at: 1, level: 'user', actor: { kind: 'agent' } } as const;
  return { type: 'agent.message', ...rest };
}

describe('asking for lost hints', () => {
  it('costs a bounded number of look-ups each time, and comes round to every session', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const asked = new Map<SessionId, number>();
      const journal = {
        read: async () => [],
        head: async (id: SessionId) => Number(void asked.set(id, (asked.get(id) ?? 0) + 1)) || 0,
        onHint: () => () => undefined,
      };
      const live = new Live({ journal });
      const ids = Array.from({ length: 1_700 }, () => newId('session'));
      const ends = ids.map((id) => live.subscribe(id, () => undefined));
      await eventually('every head is known', () => ids.every((id) => live.headOf(id) === 0));
      asked.clear();

      const lookUps: number[] = [];
      for (let tick = 0; tick < 4; tick += 1) {
        const before = asked.size;
        vi.advanceTimersByTime(1_000);
        lookUps.push(asked.size - before);
      }

      expect(lookUps).toEqual([500, 500, 500, 200]);
      expect([...asked.values()].every((count) => count === 1)).toBe(true);
      for (const end of ends) end();
      live.close();
    } finally {
      vi.useRealTimers();
    }
  });
});

function brief(frame: Follow | undefined): string {
  if (frame?.kind === 'delta') return `${frame.callId} ${frame.offset} ${frame.text}`;
  if (frame?.kind === 'thinking') return `thinking ${frame.callId} ${frame.offset} ${frame.text}`;
  return frame?.kind === 'events' ? frame.events.map(({ type }) => type).join(' ') : `${frame?.kind}`;
}
