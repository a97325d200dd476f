/** What every SessionStore must tell of who waits: some of each organisation, whatever one has, and each one's queue in its order. */
import { afterEach, describe, expect, it } from 'vitest';
import { newId, type OrganisationId, type SessionId } from '../../src/kernel/id.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionOrigin } from '../../src/sessions/session.ts';
import {
  type SessionStore,
  type SupervisorWish,
  WANTED_ORGANISATIONS_MAX,
} from '../../src/sessions/session-store.ts';
import { OURS } from '../support/organisation.ts';
import { ManualClock, nothing, originOf } from '../support/session-log.ts';
import type { JournalPlatform, OpenJournal } from './journal.ts';

const HUMAN = { kind: 'human' } as const;
const HELLO: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: HUMAN };

export async function wantedOf(sessions: SessionStore, wish: SupervisorWish): Promise<readonly SessionId[]> {
  return (await sessions.wanted(wish)).sessionIds;
}

export function sessionQueueContract(platform: JournalPlatform): void {
  describe(`the queue of sessions on ${platform.name}`, () => {
    const open: OpenJournal[] = [];
    const clock = new ManualClock();
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({ clock });
      open.push(store);
      const { sessions } = store;
      const create = (given: Partial<SessionOrigin> = {}) => sessions.create(originOf(given), nothing);
      const command = async (id: SessionId, ...commands: readonly Command[]): Promise<void> => {
        for (const one of commands)
          await store.journal.append(id, { decide: (session) => decide(session, one) });
      };
      return { sessions, create, command };
    }

    it('proves ADMIT-3: shows some of each organisation, whatever one of them has', async () => {
      const { sessions, create, command } = await begin();
      const others = Array.from({ length: WANTED_ORGANISATIONS_MAX + 2 }, () => newId('organisation'));
      const many: SessionId[] = [];
      for (let count = 0; count < 12; count += 1) {
        clock.set(clock.now() + 1_000);
        many.push((await create()).session.id);
        await command(many[count] as SessionId, HELLO);
      }
      const owned = new Map<SessionId, OrganisationId>();
      for (const organisationId of others) {
        const { id } = (await create({ organisationId })).session;
        owned.set(id, organisationId);
        await command(id, HELLO);
      }

      const first = await sessions.wanted({ limit: 4 });
      const second = await sessions.wanted({ limit: 4, after: first.after });
      const all = [...first.sessionIds, ...second.sessionIds];
      expect(new Set(all).size).toBe(all.length);
      expect([...owned.keys()].filter((id) => !all.includes(id))).toEqual([]);
      expect(all.filter((id) => many.includes(id))).toEqual(many.slice(0, 1));
      expect(first.sessionIds).toHaveLength(WANTED_ORGANISATIONS_MAX);
      expect([first.after === undefined, second.after]).toEqual([false, undefined]);
    });

    it('shares what it shows between two organisations, and leaves out whom it is told to', async () => {
      const { sessions, create, command } = await begin();
      const other = newId('organisation');
      const mine: SessionId[] = [];
      const theirs: SessionId[] = [];
      for (let count = 0; count < 8; count += 1) {
        clock.set(clock.now() + 1_000);
        const isTheirs = count >= 6;
        const { id } = (await create(isTheirs ? { organisationId: other } : {})).session;
        (isTheirs ? theirs : mine).push(id);
        await command(id, HELLO);
      }

      const four = await wantedOf(sessions, { limit: 4 });
      expect(four.toSorted()).toEqual([...mine.slice(0, 2), ...theirs].toSorted());
      const except = mine.slice(0, 3);
      const next = await wantedOf(sessions, { limit: 4, except });
      expect(next.toSorted()).toEqual([...mine.slice(3, 5), ...theirs].toSorted());
    });

    it('knows who waits for a server in an organisation, in order, up to a number', async () => {
      const { sessions, create, command } = await begin();
      const ids: SessionId[] = [];
      for (let count = 0; count < 4; count += 1) {
        clock.set(clock.now() + 1_000);
        ids.push((await create()).session.id);
        await command(ids[count] as SessionId, HELLO);
      }
      const [taken, second, third, resting] = ids as [SessionId, SessionId, SessionId, SessionId]; // four were made
      await command((await create({ organisationId: newId('organisation') })).session.id, HELLO);
      await command(taken, { kind: 'takeLease', owner: 'o' });
      await command(resting, { kind: 'cancel', actor: HUMAN });

      expect(await sessions.waiting(OURS.id, 9)).toEqual([second, third]);
      expect(await sessions.waiting(OURS.id, 1)).toEqual([second]);
      await command(taken, { kind: 'beginTurn' }, { kind: 'releaseLease', owner: 'o' });
      expect((await sessions.waiting(OURS.id, 9)).toSorted()).toEqual([taken, second, third].toSorted());
    });
  });
}
