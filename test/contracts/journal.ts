/** What every Journal must keep: JOURNAL-1 to JOURNAL-4 of journal/journal.ts here, JOURNAL-5 and JOURNAL-6 in journal-ends.ts. */
import { afterEach, describe, expect, it } from 'vitest';
import { EpochStale, SessionNotFound } from '../../src/journal/faults.ts';
import type { Hint } from '../../src/journal/journal.ts';
import { pagesBack } from '../../src/journal/pages-back.ts';
import { must } from '../../src/kernel/assert.ts';
import { InvalidInput } from '../../src/kernel/fault.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import {
  APPEND_EVENTS_MAX,
  APPEND_KEY_CHARS_MAX,
  BODY_BYTES_MAX,
  PAGE_BYTES_MAX,
  PAGE_EVENTS_MAX,
} from '../../src/kernel/limit.ts';
import { TurnOver } from '../../src/sessions/faults.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { eventually } from '../support/eventually.ts';
import { appending, ManualClock, nothing, originOf, spoken } from '../support/session-log.ts';
import { journalEndsContract } from './journal-ends.ts';
import { journalScanContract } from './journal-scan.ts';

export interface OpenJournal {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  close(): Promise<void>;
}

export interface JournalPlatform {
  readonly name: string;
  /** Whether `reopen` is there: the data outlives its process. */
  readonly lasting: boolean;
  /** An empty one; `caps` are those of JOURNAL-6. */
  open(options: {
    readonly clock: ManualClock;
    readonly caps?: { readonly eventsMax?: number; readonly bytesMax?: number };
  }): Promise<
    OpenJournal & { /** Closes, and opens the same data again. */ reopen?(): Promise<OpenJournal> }
  >;
}

type Caps = NonNullable<Parameters<JournalPlatform['open']>[0]['caps']>;

/** Opens journals of a platform for one suite, and closes them after each test. */
export function journals(platform: JournalPlatform) {
  const open: OpenJournal[] = [];
  const clock = new ManualClock();
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close();
  });

  /** A journal with one session. */
  async function begin(caps?: Caps) {
    const store = await platform.open({ clock, ...(caps === undefined ? {} : { caps }) });
    open.push(store);
    const { session } = await store.sessions.create(originOf(), nothing);
    const reopen = async () => {
      const again = must(await store.reopen?.(), 'a lasting platform can be opened again');
      open.splice(open.indexOf(store), 1, again);
      return again;
    };
    return { journal: store.journal, sessions: store.sessions, id: session.id, reopen };
  }
  return { begin, clock };
}

export function journalContract(platform: JournalPlatform): void {
  journalEndsContract(platform);
  const scanned = journals(platform);
  journalScanContract(platform.name, () => scanned.begin());
  describe(`the journal contract on ${platform.name}`, () => {
    const { begin, clock } = journals(platform);

    it('JOURNAL-1 numbers the events of a session from 1 without gaps', async () => {
      const { journal, id } = await begin();

      const first = await journal.append(id, { decide: appending(spoken('a'), spoken('b')) });
      const second = await journal.append(id, { decide: appending(spoken('c')) });

      expect(first).toMatchObject({ firstSeq: 1, lastSeq: 2, replayed: false });
      expect(second).toMatchObject({ firstSeq: 3, lastSeq: 3, replayed: false });
      const events = await journal.read(id, { after: 0, limit: 10 });
      expect(events.map(({ seq, body }) => [seq, JSON.parse(body).text])).toEqual([
        [1, 'a'],
        [2, 'b'],
        [3, 'c'],
      ]);
      expect(await journal.head(id)).toBe(3);
    });

    it('JOURNAL-1 stays dense when 200 appends to 20 sessions arrive at once, and each gets its own seqs', async () => {
      const { journal, sessions } = await begin();
      const ids = await Promise.all(
        Array.from({ length: 20 }, async () => (await sessions.create(originOf(), nothing)).session.id),
      );

      const appended = await Promise.all(
        Array.from({ length: 200 }, async (_, index) => {
          const id = ids[index % 20] as SessionId; // 20 ids
          const { firstSeq } = await journal.append(id, {
            decide: appending(spoken(`n${index}`), spoken('second')),
          });
          return { id, index, firstSeq };
        }),
      );

      for (const id of ids) {
        const events = await journal.read(id, { after: 0, limit: PAGE_EVENTS_MAX });
        expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
        for (const own of appended.filter((one) => one.id === id)) {
          expect(JSON.parse(events[own.firstSeq - 1]?.body ?? '{}').text).toBe(`n${own.index}`);
        }
      }
    });

    it('JOURNAL-1 answers each append of a crowd that is larger than any one commit', async () => {
      const { journal, id } = await begin();

      const all = await Promise.all(
        Array.from({ length: 2_500 }, (_, index) =>
          journal.append(id, { decide: appending(spoken(`${index}`)) }),
        ),
      );

      expect(all.map(({ firstSeq }) => firstSeq)).toEqual(
        Array.from({ length: 2_500 }, (_, index) => index + 1),
      );
      expect(await journal.head(id)).toBe(2_500);
    });

    it('says in its hints whom the record concerns: the owner of the lease, nobody while it rests, else everybody', async () => {
      const { journal, id } = await begin();
      const concerns: (Hint['concerns'] | 'everybody')[] = [];
      const end = journal.onHint((hint) => concerns.push(hint.concerns ?? 'everybody'));
      const commands: readonly Command[] = [
        { kind: 'send', text: 'hi', mode: 'steer', actor: { kind: 'human' } },
        { kind: 'takeLease', owner: 'me' },
        { kind: 'beginTurn' },
        { kind: 'completeTurn', outcome: 'error', failure: { code: 'X', message: 'x' } },
        { kind: 'releaseLease', owner: 'me' },
        { kind: 'archive', actor: { kind: 'human' } },
      ];
      for (const command of commands)
        await journal.append(id, { decide: (session) => decide(session, command) });
      await eventually('all hints', () => concerns.length >= commands.length);
      end();

      const mine = { kind: 'owner', owner: 'me' };
      expect(concerns).toEqual(['everybody', mine, mine, mine, { kind: 'nobody' }, 'everybody']);
    });

    it('JOURNAL-2 hints each durable append once, with its events, which can be read by then', async () => {
      const { journal, id } = await begin();
      const hints: Hint[] = [];
      const reads: Promise<unknown>[] = [];
      const end = journal.onHint((hint) => {
        hints.push(hint);
        reads.push(
          journal.read(hint.sessionId, { after: 0, limit: 100 }).then((events) => events.at(-1)?.seq),
        );
      });

      await journal.append(id, { decide: appending(spoken('a')) });
      await eventually('a hint', () => hints.length > 0);
      end();
      expect(await Promise.all(reads)).toEqual([1]); // before the next append, which a slow read may see as well
      await journal.append(id, { decide: appending(spoken('b')) });

      expect(hints.map(({ sessionId, head }) => ({ sessionId, head }))).toEqual([{ sessionId: id, head: 1 }]);
      if (hints[0]?.events !== undefined)
        expect(hints[0].events).toEqual(await journal.read(id, { after: 0, limit: 1 }));
    });

    it('JOURNAL-3 lands the events and the record together', async () => {
      const { journal, sessions, id } = await begin();

      const { state } = await journal.append(id, {
        decide: (session) =>
          decide(session, { kind: 'send', text: 'hello', mode: 'steer', actor: { kind: 'human' } }),
      });

      expect(state).toMatchObject({ status: 'queued', pending: { count: 1, fromSeq: 1, toSeq: 1 } });
      expect(await sessions.get(id)).toEqual({ session: state, head: 1 });
    });

    it('JOURNAL-3 writes nothing of an append that is refused, and its neighbours land (COMMIT-2)', async () => {
      const { journal, id } = await begin();

      const results = await Promise.allSettled([
        journal.append(id, { decide: appending(spoken('a')) }),
        journal.append(id, { decide: () => ({ kind: 'refuse', fault: new TurnOver() }) }),
        journal.append(id, { decide: appending(spoken('x'), spoken('y'.repeat(BODY_BYTES_MAX))) }),
        journal.append(id, {
          decide: appending(...Array.from({ length: APPEND_EVENTS_MAX + 1 }, () => spoken('z'))),
        }),
        journal.append(id, {
          decide: () => {
            throw new Error('a defect in a decision');
          },
        }),
        journal.append(id, {
          key: 'k'.repeat(APPEND_KEY_CHARS_MAX + 1),
          decide: appending(spoken('long key')),
        }),
        journal.append(id, { decide: appending(spoken('b')) }),
      ]);

      expect(
        results.map((result) => (result.status === 'fulfilled' ? result.value.firstSeq : result.reason)),
      ).toEqual([
        1,
        expect.any(TurnOver),
        expect.any(InvalidInput),
        expect.any(InvalidInput),
        new Error('a defect in a decision'),
        expect.any(InvalidInput),
        2,
      ]);
      const events = await journal.read(id, { after: 0, limit: 10 });
      expect(events.map(({ body }) => JSON.parse(body).text)).toEqual(['a', 'b']);
    });

    it('answers an append that decides on nothing without writing', async () => {
      const { journal, id } = await begin();
      await journal.append(id, { decide: appending(spoken('a')) });

      expect(await journal.append(id, { decide: nothing })).toMatchObject({
        firstSeq: 2,
        lastSeq: 1,
        replayed: false,
      });
      expect(await journal.head(id)).toBe(1);
    });

    it('decides each append on the record as the one before it left it', async () => {
      const { journal, id } = await begin();
      const send = () =>
        journal.append(id, {
          decide: (session) =>
            decide(session, { kind: 'send', text: 'hi', mode: 'queue', actor: { kind: 'human' } }),
        });

      const all = await Promise.all(Array.from({ length: 30 }, send));

      expect(all.map(({ state }) => state.pending?.count)).toEqual(
        Array.from({ length: 30 }, (_, index) => index + 1),
      );
    });

    it('JOURNAL-4 refuses a writer whose epoch has been replaced, and writes nothing', async () => {
      const { journal, id } = await begin();
      const lease = (epoch: number) =>
        appending({ type: 'brain.started', actor: { kind: 'system' }, body: { epoch, owner: 'owner' } });
      await journal.append(id, { decide: lease(1) });
      await journal.append(id, { epoch: 1, decide: appending(spoken('mine')) });
      await journal.append(id, { decide: lease(2) });

      const stale = journal.append(id, { epoch: 1, decide: appending(spoken('late')) });

      await expect(stale).rejects.toMatchObject({ code: 'EPOCH_STALE', epoch: 1, current: 2 });
      await expect(stale).rejects.toBeInstanceOf(EpochStale);
      expect(await journal.head(id)).toBe(3);
    });

    it('reads pages that end at the limit, at the largest page, and at its bytes', async () => {
      const { journal, id } = await begin();
      await journal.append(id, {
        decide: appending(...Array.from({ length: 150 }, (_, index) => spoken(`${index}`))),
      });
      await journal.append(id, {
        decide: appending(...Array.from({ length: 60 }, () => spoken('x'.repeat(30_000)))),
      });

      expect(await journal.read(id, { after: 10, limit: 5 })).toHaveLength(5);
      expect(await journal.read(id, { after: 0, limit: 1_000 })).toHaveLength(PAGE_EVENTS_MAX);
      const large = await journal.read(id, { after: 150, limit: 100 });
      expect(large[0]?.seq).toBe(151);
      expect(large.reduce((sum, { body }) => sum + body.length, 0)).toBeLessThanOrEqual(PAGE_BYTES_MAX);
      expect(large.length).toBeGreaterThan(30);
      expect(await journal.read(id, { after: 210, limit: 5 })).toEqual([]);
      expect(await journal.read(id, { after: 999, limit: 5 })).toEqual([]);
    });

    it('is read back from its end without a gap, wherever its pages end', async () => {
      const { journal, id } = await begin();
      for (let count = 0; count < 3; count += 1) {
        const sizes = Array.from({ length: 60 }, (_, at) => (at % 20 === 0 ? 10 : 25_000));
        await journal.append(id, { decide: appending(...sizes.map((size) => spoken('x'.repeat(size)))) });
      }
      const read = (after: number, to: number) => journal.read(id, { after, limit: to - after });
      const seqs = async (from: number, to: number): Promise<readonly number[]> => {
        const found: number[] = [];
        for await (const page of pagesBack(read, { from, to })) found.push(...page.map(({ seq }) => seq));
        return found;
      };

      const all = Array.from({ length: 180 }, (_, at) => 180 - at);
      expect(await seqs(1, 180)).toEqual(all);
      expect(await seqs(7, 175)).toEqual(all.slice(5, -6));
      expect(await seqs(9, 8)).toEqual([]);
    });

    it('gives back what was written: actor, turn, level and time, which never goes backwards', async () => {
      const { journal, sessions, id } = await begin();
      const turnId = newId('turn');
      const actor = { kind: 'human', id: 'u1', display: 'Ada "♥"' } as const;
      const start = clock.now();
      clock.set(start + 1_000);
      await journal.append(id, { decide: appending({ ...spoken('a'), actor, turnId, level: 'progress' }) });
      clock.set(start - 5_000);
      await journal.append(id, { decide: appending(spoken('b')) });
      const born = await sessions.create(originOf({ createdAt: start }), appending(spoken('first')));

      const [first, second] = await journal.read(id, { after: 0, limit: 2 });
      expect(first).toEqual({
        sessionId: id,
        seq: 1,
        at: start + 1_000,
        type: 'agent.message',
        level: 'progress',
        actor,
        turnId,
        body: '{"callId":"call","text":"a"}',
        spilledBytes: undefined,
      });
      expect(second).toMatchObject({ at: start + 1_000, level: 'user', actor: { kind: 'agent' } });
      expect((await journal.read(born.session.id, { after: 0, limit: 1 }))[0]?.at).toBe(start);
    });

    it('says that there is no such session', async () => {
      const { journal } = await begin();
      const id = newId('session');

      await expect(journal.append(id, { decide: nothing })).rejects.toBeInstanceOf(SessionNotFound);
      await expect(journal.read(id, { after: 0, limit: 1 })).rejects.toBeInstanceOf(SessionNotFound);
      await expect(journal.head(id)).rejects.toBeInstanceOf(SessionNotFound);
      expect(await journal.readBody(id, 1)).toBeUndefined();
    });
  });
}
