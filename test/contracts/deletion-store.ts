/** What every DeletionStore must keep, with the journal and the records that it deletes from: DELETE-1 to DELETE-4. */
import { afterEach, describe, expect, it } from 'vitest';
import type { TokenGenerationStore } from '../../src/access/token-generation-store.ts';
import { SessionGone, SessionNotFound } from '../../src/journal/faults.ts';
import type { Hint } from '../../src/journal/journal.ts';
import { must } from '../../src/kernel/assert.ts';
import { newId, type SessionId, turnIdOf } from '../../src/kernel/id.ts';
import { BODY_INLINE_BYTES_MAX } from '../../src/kernel/limit.ts';
import type { DeletionStore, Tombstone } from '../../src/sessions/deletion-store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionOrigin } from '../../src/sessions/session.ts';
import { eventually } from '../support/eventually.ts';
import { OURS } from '../support/organisation.ts';
import { appending, ManualClock, nothing, originOf, spoken } from '../support/session-log.ts';
import type { JournalPlatform, OpenJournal } from './journal.ts';

type OpenStore = OpenJournal & {
  readonly deletions: DeletionStore;
  readonly tokenGenerations: TokenGenerationStore;
};

export interface DeletionPlatform extends JournalPlatform {
  open(
    options: Parameters<JournalPlatform['open']>[0],
  ): Promise<OpenStore & { reopen?(): Promise<OpenStore> }>;
  /** All that is stored, as it lies there; absent where nobody can look. */
  readonly stored?: ((store: OpenStore) => Promise<string>) | undefined;
}

const BY = { kind: 'human', id: 'key_1' } as const;
const HELLO = { kind: 'send', text: 'hello', mode: 'steer', actor: BY } as const satisfies Command;

export function deletionStoreContract(platform: DeletionPlatform): void {
  describe(`the deletion store contract on ${platform.name}`, () => {
    const open: OpenStore[] = [];
    const clock = new ManualClock();
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({ clock });
      open.push(store);
      const create = async (given: Partial<SessionOrigin> = {}) =>
        (await store.sessions.create(originOf(given), nothing)).session.id;
      return { ...store, store, create };
    }

    const stone = (id: SessionId, given: Partial<Tombstone> = {}): Tombstone => ({
      id,
      organisationId: OURS.id,
      deletedAt: clock.now(),
      deletedBy: BY,
      ...given,
    });

    /** All steps, as supervisor/erasure.ts takes them. */
    async function eraseAll(deletions: DeletionStore): Promise<readonly SessionId[]> {
      const found: SessionId[] = [];
      for (;;) {
        const ids = await deletions.pending({ limit: 3, after: found.at(-1) });
        if (ids.length === 0) return found;
        found.push(...ids);
        for (let left = ids; left.length > 0; ) {
          const erased = new Set(await deletions.erase(left));
          left = left.filter((id) => !erased.has(id));
        }
        await deletions.finish(ids);
      }
    }

    it('proves DELETE-1 and DELETE-2: what is being deleted is gone for every reader and writer of its own, and was never there for others', async () => {
      const { deletions, sessions, journal, create } = await begin();
      const [id, other] = [await create({ key: 'natural' }), newId('organisation')];
      await journal.append(id, { key: 'k', decide: (session) => decide(session, HELLO) });

      const begun = await deletions.begin(stone(id));

      expect(begun).toEqual({ tombstone: stone(id), replayed: false });
      for (const look of [
        () => journal.append(id, { decide: appending(spoken('x')) }),
        () => journal.append(id, { key: 'k', decide: nothing }),
        () => journal.append(id, { epoch: 1, organisationId: OURS.id, decide: nothing }),
        () => journal.read(id, { after: 0, limit: 1 }),
        () => journal.scan(id, { after: 0, to: 9, limit: 1, filter: { level: 'user' } }),
        () => journal.readBody(id, 1),
        () => journal.head(id),
        () => sessions.get(id),
        () => sessions.get(id, OURS.id),
        () => sessions.turns(id, { limit: 9 }, OURS.id),
        () => sessions.turn(id, turnIdOf(id, 1), OURS.id),
        () => sessions.create(originOf({ id }), nothing),
      ])
        await expect(look()).rejects.toBeInstanceOf(SessionGone);
      await expect(
        journal.append(id, { organisationId: other, key: 'k', decide: nothing }),
      ).rejects.toBeInstanceOf(SessionNotFound);
      expect(await sessions.get(id, other)).toBeUndefined();
      expect(await sessions.turns(id, { limit: 9 }, other)).toEqual([]);
      expect(await sessions.turn(id, turnIdOf(id, 1), other)).toBeUndefined();
      expect(await sessions.list(OURS.id, {}, { limit: 9 })).toEqual([]);
      expect(await sessions.list(OURS.id, { key: 'natural' }, { limit: 9 })).toEqual([]);
      expect((await sessions.wanted({ limit: 9 })).sessionIds).toEqual([]);
    });

    it('proves DELETE-1: the natural key is free, the id is not', async () => {
      const { deletions, sessions, create } = await begin();
      const id = await create({ key: 'natural' });
      await deletions.begin(stone(id));

      const again = await sessions.create(originOf({ key: 'natural' }), nothing);

      expect(again).toMatchObject({ created: true, session: { key: 'natural' } });
      expect(again.session.id).not.toBe(id);
      await eraseAll(deletions);
      await expect(sessions.create(originOf({ id }), nothing)).rejects.toBeInstanceOf(SessionGone);
    });

    it('proves DELETE-1: appends land before the tombstone, or are told that it is gone; none is lost in between', async () => {
      const { deletions, journal, create } = await begin();
      const id = await create();
      const heads: number[] = [];
      const end = journal.onHint(({ events = [] }) => heads.push(...events.map(({ seq }) => seq)));

      const appends = Array.from({ length: 40 }, (_, index) => index);
      const settled = Promise.allSettled([
        ...appends.slice(20).map(() => journal.append(id, { decide: appending(spoken('a')) })),
        deletions.begin(stone(id)),
        ...appends.slice(20).map(() => journal.append(id, { decide: appending(spoken('b')) })),
      ]);

      const outcomes = await settled;
      end();
      const landed = outcomes.flatMap((one) =>
        one.status === 'fulfilled' && one.value && 'firstSeq' in one.value ? [one.value.firstSeq] : [],
      );
      const refused = outcomes.flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
      expect(landed.length + refused.length).toBe(40);
      for (const fault of refused) expect(fault).toBeInstanceOf(SessionGone);
      expect(landed.toSorted((a, b) => a - b)).toEqual(landed.map((_, at) => at + 1));
      expect(heads.toSorted((a, b) => a - b)).toEqual(landed.toSorted((a, b) => a - b)); // told of what was answered
    });

    it('answers the first deletion again, also when many ask at once, and nothing to another organisation', async () => {
      const { deletions, create } = await begin();
      const id = await create();
      const first = stone(id);

      const all = await Promise.all(
        Array.from({ length: 8 }, (_, at) => deletions.begin({ ...first, deletedAt: first.deletedAt + at })),
      );
      clock.set(clock.now() + 1_000);
      const later = await deletions.begin(stone(id, { deletedBy: { kind: 'system' } }));

      expect(all.filter((one) => one?.replayed === false)).toHaveLength(1);
      expect(new Set([...all, later].map((one) => one?.tombstone.deletedAt)).size).toBe(1);
      expect(later).toMatchObject({ replayed: true, tombstone: { deletedBy: BY } });
      const other = newId('organisation');
      expect(await deletions.begin(stone(id, { organisationId: other }))).toBeUndefined();
      expect(await deletions.begin(stone(await create(), { organisationId: other }))).toBeUndefined();
      expect(await deletions.begin(stone(newId('session')))).toBeUndefined();
    });

    it('proves RETENTION-4: deletes one that stands as it was seen, and keeps one that was woken since', async () => {
      const { deletions, sessions, journal, create } = await begin();
      const standing = async (id: SessionId) => {
        const { status, statusAt } = must(await sessions.get(id), 'it was created').session;
        return { status, statusAt };
      };
      const [rests, woken, ended] = [await create(), await create(), await create()];
      const seen = await Promise.all([rests, woken, ended].map(standing));
      await journal.append(woken, { decide: (session) => decide(session, HELLO) });
      const archive = { kind: 'archive', actor: { kind: 'human' } } as const;
      await journal.append(ended, { decide: (session) => decide(session, archive) });

      expect(await deletions.begin(stone(woken), seen[1])).toBeUndefined();
      expect(await deletions.begin(stone(ended), seen[2])).toBeUndefined();
      expect(await deletions.begin(stone(rests), seen[0])).toEqual({
        tombstone: stone(rests),
        replayed: false,
      });

      expect(await standing(woken)).toMatchObject({ status: 'queued' });
      expect(await deletions.begin(stone(woken), await standing(woken))).toMatchObject({ replayed: false });
      expect(await deletions.begin(stone(rests), seen[0]), 'again').toMatchObject({ replayed: true });
      expect(await deletions.pending({ limit: 9 })).not.toContain(ended);
    });

    it('hints that it is gone, once it is', async () => {
      const { deletions, sessions, journal, create } = await begin();
      const id = await create();
      const hints: Hint[] = [];
      const seen: Promise<unknown>[] = [];
      const end = journal.onHint((hint) => {
        hints.push(hint);
        seen.push(sessions.get(id).catch((error: unknown) => error));
      });

      await deletions.begin(stone(id));
      await eventually('the hint', () => hints.length > 0);
      end();

      expect(hints).toMatchObject([{ sessionId: id, gone: true }]);
      expect((await Promise.all(seen))[0]).toBeInstanceOf(SessionGone);
    });

    it('proves DELETE-3 and DELETE-4: erases log, bodies, turns and keys in steps, and leaves others and the tombstone', async () => {
      const { tokenGenerations, deletions, sessions, journal, create, store } = await begin();
      const [gone, stays] = [
        await create({ metadata: { m: 'MARK-gone' }, key: 'MARK-gone-key' }),
        await create({ metadata: { m: 'MARK-stays' } }),
      ];
      for (const [id, mark] of [
        [gone, 'MARK-gone'],
        [stays, 'MARK-stays'],
      ] as const) {
        for (let turn = 0; turn < 3; turn += 1) {
          await journal.append(id, {
            key: `${mark}-${turn}`,
            decide: (session) => decide(session, { ...HELLO, text: mark }),
          });
          await journal.append(id, { decide: (session) => decide(session, { kind: 'beginTurn' }) });
          await journal.append(id, {
            decide: appending(...Array.from({ length: 90 }, () => spoken(mark))),
          });
          await journal.append(id, {
            decide: appending(spoken(`${mark}${'x'.repeat(2 * BODY_INLINE_BYTES_MAX)}`)),
          });
          const failure = { code: 'X', message: mark };
          await journal.append(id, {
            decide: (session) => decide(session, { kind: 'completeTurn', outcome: 'error', failure }),
          });
        }
      }
      await tokenGenerations.raise(OURS.id, gone);
      const before = await journal.read(stays, { after: 0, limit: 100 });
      await deletions.begin(stone(gone));
      expect(await deletions.pending({ limit: 9 })).toEqual([gone]);

      expect(await eraseAll(deletions)).toEqual([gone]);
      await deletions.overwrite();

      expect(await deletions.pending({ limit: 9 })).toEqual([]);
      expect(await deletions.tombstone(gone, OURS.id)).toEqual(stone(gone));
      expect(await deletions.tombstone(gone, newId('organisation'))).toBeUndefined();
      expect(await journal.read(stays, { after: 0, limit: 100 })).toEqual(before);
      expect(await journal.readBody(stays, 93)).toContain('MARK-stays');
      expect(await sessions.turns(stays, { limit: 9 })).toHaveLength(3);
      expect(
        await journal.append(stays, { key: 'MARK-stays-1', decide: appending(spoken('no')) }),
      ).toMatchObject({ replayed: true });
      await expect(sessions.get(gone)).rejects.toBeInstanceOf(SessionGone);
      expect(await tokenGenerations.generationsOf([gone]), 'revoked tokens stay revoked').toEqual([1]);
      if (platform.stored === undefined) return;
      const stored = await platform.stored(store);
      expect(stored).toContain('MARK-stays');
      expect(stored).not.toContain('MARK-gone');
      expect(stored.split(gone).length - 1, 'its tombstone and the number of its tokens name it').toBe(2);
    });

    it('proves DELETE-3: what was cut off is pending after a restart, and any step may be done again', async () => {
      const { deletions, journal, create, reopen } = await begin();
      const ids: SessionId[] = [];
      for (let count = 0; count < 5; count += 1) {
        const id = await create();
        await journal.append(id, { decide: appending(...Array.from({ length: 30 }, () => spoken('x'))) });
        await deletions.begin(stone(id));
        ids.push(id);
      }
      const sorted = ids.toSorted();
      await deletions.erase(sorted.slice(0, 1));
      const again = (await reopen?.()) ?? { deletions };
      if ('close' in again) open.splice(0, 1, again);

      expect(await again.deletions.pending({ limit: 9 })).toEqual(sorted);
      expect(await again.deletions.pending({ limit: 2, after: sorted[1] })).toEqual(sorted.slice(2, 4));
      expect(await again.deletions.erase(sorted.slice(0, 2))).toEqual(sorted.slice(0, 2));
      await Promise.all([eraseAll(again.deletions), eraseAll(again.deletions)]);
      await again.deletions.finish(sorted);
      expect(await again.deletions.erase(sorted)).toEqual(sorted);
      expect(await again.deletions.pending({ limit: 9 })).toEqual([]);
    });

    it('deletes a session whose newest append is not stored yet, and one that never had an event', async () => {
      const { deletions, journal, create } = await begin();
      const [empty, busy] = [await create(), await create()];
      const append = journal.append(busy, { decide: appending(spoken('x')) }).catch(() => undefined); // or it is gone
      const marked = await Promise.all([deletions.begin(stone(busy)), deletions.begin(stone(empty))]);
      await append;

      expect(marked.map((one) => one?.replayed)).toEqual([false, false]);
      expect((await eraseAll(deletions)).toSorted()).toEqual([empty, busy].toSorted());
    });
  });
}
