/** What every InboxStore must keep: who waits, and what of that has changed. */
import { afterEach, describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import type { InboxStore, WaitsChange } from '../../src/sessions/inbox-store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionOrigin } from '../../src/sessions/session.ts';
import { waitsOf } from '../../src/sessions/waits.ts';
import { OURS } from '../support/organisation.ts';
import { ManualClock, nothing, originOf } from '../support/session-log.ts';
import type { JournalPlatform, OpenJournal } from './journal.ts';

type OpenStore = OpenJournal & { readonly inbox: InboxStore; readonly deletions: DeletionStore };

export interface InboxPlatform extends JournalPlatform {
  open(
    options: Parameters<JournalPlatform['open']>[0],
  ): Promise<OpenStore & { reopen?(): Promise<OpenStore> }>;
}

const HUMAN = { kind: 'human', id: 'key_1' } as const;
const HELLO: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: HUMAN };

export function inboxStoreContract(platform: InboxPlatform): void {
  describe(`the inbox store contract on ${platform.name}`, () => {
    const open: OpenStore[] = [];
    const clock = new ManualClock();
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({ clock });
      open.push(store);
      const command = async (id: SessionId, ...commands: readonly Command[]): Promise<void> => {
        for (const one of commands)
          await store.journal.append(id, { decide: (session) => decide(session, one) });
      };
      const create = async (given: Partial<SessionOrigin> = {}): Promise<SessionId> =>
        (await store.sessions.create(originOf(given), nothing)).session.id;
      /** One that has asked something, at a time of its own. */
      const asks = async (given: Partial<SessionOrigin> = {}): Promise<SessionId> => {
        const id = await create(given);
        clock.set(clock.now() + 1_000);
        await command(id, HELLO, { kind: 'beginTurn' });
        await store.journal.append(id, {
          decide: ({ turn }) => ({
            kind: 'append',
            events: [
              {
                type: 'turn.completed',
                actor: { kind: 'agent' },
                turnId: turn?.id,
                body: { outcome: 'needs_input', durationMs: 1, modelCalls: 0 } as never,
              },
            ],
          }),
        });
        return id;
      };
      const answer = (id: SessionId) =>
        command(id, { kind: 'send', text: 'yes', mode: 'steer', actor: HUMAN });
      const waiting = async (organisationId = OURS.id, limit = 9) =>
        (await store.inbox.waiting(organisationId, { limit })).map(({ session }) => session.id);
      const changes = async (place: number, organisationId = OURS.id): Promise<readonly WaitsChange[]> =>
        store.inbox.changes(organisationId, { limit: 99, after: { place: place - store.inbox.overlap } });
      return { ...store, store, command, create, asks, answer, waiting, changes };
    }

    it('proves INBOX-2: lists who waits, the oldest first, in pages, and nobody else', async () => {
      const { inbox, asks, answer, waiting, create } = await begin();
      await create();
      const [one, two, three] = [await asks(), await asks(), await asks()] as const;
      const foreign = await asks({ organisationId: newId('organisation') });

      expect(await waiting()).toEqual([one, two, three]);
      const [first] = await inbox.waiting(OURS.id, { limit: 1 });
      const since = must(waitsOf(must(first, 'one waits').session)[0], 'it waits').since;
      const rest = await inbox.waiting(OURS.id, { limit: 9, from: { since, id: one } });
      expect(rest.map(({ session }) => session.id)).toEqual([one, two, three]);
      expect((await inbox.waiting(OURS.id, { limit: 9, agentId: newId('agent') })).length).toBe(0);

      await answer(two);

      expect(await waiting()).toEqual([one, three]);
      expect(await waiting()).not.toContain(foreign);
    });

    it('proves INBOX-3: tells each change once, at its newest, and none of who never waited', async () => {
      const { inbox, asks, answer, changes, create, command } = await begin();
      expect(await inbox.newest(OURS.id)).toBe(0);
      await command(await create(), { kind: 'send', text: 'hello', mode: 'steer', actor: HUMAN });
      expect(await changes(0)).toEqual([]);
      const one = await asks();
      const two = await asks();
      const before = await inbox.newest(OURS.id);
      const known = new Map((await changes(0)).map(({ sessionId, seq }) => [sessionId, seq]));
      expect([...known.keys()]).toEqual([one, two]);

      await answer(one);

      const after = (await changes(before)).filter(({ sessionId, seq }) => known.get(sessionId) !== seq);
      expect(after.map(({ sessionId }) => sessionId)).toEqual([one]);
      expect(await inbox.newest(OURS.id)).toBeGreaterThanOrEqual(before);
      await command(two, {
        kind: 'claimRequest',
        requestId: 'nothing',
        seconds: 60,
        now: 1,
        actor: HUMAN,
      }).catch(() => undefined);
      expect((await changes(0)).find(({ sessionId }) => sessionId === two)?.seq).toBe(known.get(two));
    });

    it('proves INBOX-3: pages through changes without leaving one out', async () => {
      const { inbox, asks } = await begin();
      const ids = [await asks(), await asks(), await asks(), await asks()];
      const found: SessionId[] = [];
      let after: { place: number; id?: SessionId } = { place: 0 };
      for (;;) {
        const [next] = await inbox.changes(OURS.id, { limit: 1, after });
        if (next === undefined) break;
        found.push(next.sessionId);
        after = { place: next.place, id: next.sessionId };
      }
      expect(found.toSorted()).toEqual(ids.toSorted());
    });

    it('proves INBOX-3: a deletion is a change of what waited, and of nothing else', async () => {
      const { asks, create, changes, deletions, waiting } = await begin();
      const [one, never] = [await asks(), await create()];
      const foreign = await asks({ organisationId: newId('organisation') });
      for (const id of [one, never])
        await deletions.begin({ id, organisationId: OURS.id, deletedAt: clock.now(), deletedBy: HUMAN });
      await deletions.begin({ id: foreign, organisationId: OURS.id, deletedAt: 1, deletedBy: HUMAN });

      expect(await waiting()).toEqual([]);
      expect((await changes(0)).map(({ sessionId, seq }) => [sessionId, seq])).toEqual([[one, undefined]]);
      await deletions.finish([one, never]);
      expect((await changes(0)).map(({ sessionId }) => sessionId)).toEqual([one]);
    });

    it.runIf(platform.lasting)('proves INBOX-3: places go on after a restart', async () => {
      const opened = await begin();
      const one = await opened.asks();
      const before = await opened.inbox.newest(OURS.id);
      open.splice(open.indexOf(opened.store), 1);
      const again = must(await (opened.store as { reopen?(): Promise<OpenStore> }).reopen?.(), 'it lasts');
      open.push(again);

      await again.journal.append(one, {
        decide: (session) => decide(session, { kind: 'send', text: 'yes', mode: 'steer', actor: HUMAN }),
      });

      const after = await again.inbox.changes(OURS.id, {
        limit: 9,
        after: { place: before - again.inbox.overlap },
      });
      expect(after.map(({ sessionId }) => sessionId)).toEqual([one]);
      if (again.inbox.overlap === 0) expect(after[0]?.place).toBeGreaterThan(before);
      expect(await again.inbox.waiting(OURS.id, { limit: 9 })).toEqual([]);
    });
  });
}
