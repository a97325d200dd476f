/** What every AuditStore must keep, and every journal of the entries that its appends are given. */
import { afterEach, describe, expect, it } from 'vitest';
import { AuditLog } from '../../src/audit/audit-log.ts';
import type { AuditStore } from '../../src/audit/audit-store.ts';
import type { AuditEntry } from '../../src/audit/entry.ts';
import type { Audits } from '../../src/journal/journal.ts';
import { derivedId, newId } from '../../src/kernel/id.ts';
import type { Session } from '../../src/sessions/session.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { OURS } from '../support/organisation.ts';
import { appending, ManualClock, nothing, originOf, spoken } from '../support/session-log.ts';

interface OpenAudit {
  readonly audit: AuditStore;
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  close(): Promise<void>;
}

export interface AuditPlatform {
  readonly name: string;
  open(options: object): Promise<OpenAudit>;
}

const ACTOR = { kind: 'key', id: newId('apiKey') } as const;
const FAR = { limit: 100 };

export function auditStoreContract(platform: AuditPlatform): void {
  describe(`the audit store contract on ${platform.name}`, () => {
    const open: OpenAudit[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one.close();
    });

    async function begin() {
      const store = await platform.open({});
      open.push(store);
      return store;
    }
    const entryOf = (given: Partial<AuditEntry> = {}): AuditEntry => ({
      id: newId('auditEntry'),
      organisationId: OURS.id,
      at: 1,
      action: 'updateAgent',
      actor: ACTOR,
      outcome: 'begun',
      ...given,
    });

    it('proves AUDIT-4: keeps an entry as it was added, and the first of what came of it', async () => {
      const { audit } = await begin();
      const entry = entryOf({ from: { address: '::1', userAgent: 'test "quoted" ✓' }, requestId: 'r' });
      const after = { 'a.b': 1, $set: null, list: [{}] }; // names that a database may keep for itself
      const target = { kind: 'agent', id: newId('agent') } as const;

      await audit.add(entry);
      await audit.add({ ...entry, action: 'other', outcome: 'done' });
      expect(await audit.list(OURS.id, FAR)).toEqual([entry]);
      await audit.settle(entry.id, { outcome: 'done', target, after });
      await audit.settle(entry.id, { outcome: 'failed', code: 'LATER' });
      await audit.settle(newId('auditEntry'), { outcome: 'done' });

      expect(await audit.list(OURS.id, FAR)).toEqual([{ ...entry, outcome: 'done', target, after }]);
    });

    it('lists the entries of one organisation, newest first, from a place on', async () => {
      const { audit } = await begin();
      const all = [3, 1, 2, 2, 2].map((at) => entryOf({ at }));
      const other = entryOf({ organisationId: newId('organisation') });
      await Promise.all([...all, other].map((entry) => audit.add(entry)));
      const order = all.toSorted((a, b) => b.at - a.at || (a.id < b.id ? 1 : -1));

      const first = await audit.list(OURS.id, { limit: 2 });

      expect(first).toEqual(order.slice(0, 2));
      expect(await audit.list(OURS.id, { limit: 9, before: first[1] })).toEqual(order.slice(2));
      expect(await audit.list(other.organisationId, FAR)).toEqual([other]);
      expect(await audit.list(newId('organisation'), FAR)).toEqual([]);
    });

    it('looks through the log for what passes a filter, and says how far it came', async () => {
      const { audit } = await begin();
      const log = new AuditLog({ audit, clock: new ManualClock() });
      const rare = entryOf({ at: 0, action: 'rare' });
      const often = Array.from({ length: 2_100 }, (_, at) => entryOf({ at: at + 1 }));
      await Promise.all([rare, ...often].map((entry) => audit.add(entry)));
      let turns = 0;
      const turn = async (): Promise<void> => void (turns += 1);
      const page = { limit: 1 };

      const looked = await log.list(OURS.id, { action: 'rare' }, page, turn);

      expect(looked).toMatchObject({ entries: [], lookedTo: { at: 101 } });
      expect(turns).toBe(20);
      expect(await log.list(OURS.id, { action: 'rare' }, { ...page, before: looked.lookedTo }, turn)).toEqual(
        { entries: [rare] },
      );
      const { entries } = await log.list(OURS.id, { since: 3, until: 6 }, FAR, turn);
      expect(entries.map(({ at }) => at)).toEqual([5, 4, 3]);
      const last = entries.at(-1);
      expect((await log.list(OURS.id, { until: 6 }, { ...FAR, before: last }, turn)).entries).toHaveLength(3);
      expect((await log.list(OURS.id, { actorId: 'nobody', since: 2_000 }, FAR, turn)).entries).toEqual([]);
    });

    it('proves AUDIT-2: an append has its entry, and one that appends nothing has none', async () => {
      const { audit, journal, sessions } = await begin();
      const made: unknown[] = [];
      const audits: Audits<Session> = ({ before, after, firstSeq, lastSeq }) => {
        made.push([before.id, before.status]);
        const id = derivedId('auditEntry', after.id, firstSeq);
        return entryOf({ id, outcome: 'done', after: { status: after.status, firstSeq, lastSeq } });
      };
      const origin = originOf();
      const human = { kind: 'human' } as const;
      const hello = {
        type: 'user.message',
        actor: human,
        body: { text: 'hello', mode: 'steer' },
      } as const;
      const listed = async () => (await audit.list(OURS.id, FAR)).map(({ after }) => after);

      await sessions.create(origin, appending(hello), audits);
      await sessions.create(origin, appending(hello), audits);
      expect(await listed()).toEqual([{ status: 'queued', firstSeq: 1, lastSeq: 1 }]);
      const two = { key: 'k', decide: appending(spoken('a'), spoken('b')), audit: audits };
      await journal.append(origin.id, two);
      await journal.append(origin.id, two);
      await journal.append(origin.id, { decide: nothing, audit: audits });
      await journal.append(origin.id, { decide: appending(spoken('c')) });
      const refused = { epoch: 7, decide: appending(spoken('d')), audit: audits };
      await expect(journal.append(origin.id, refused)).rejects.toMatchObject({ code: 'EPOCH_STALE' });

      const places = (await listed()).map((after) => [after?.['firstSeq'], after?.['lastSeq']]);
      expect(places.toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
        [1, 1],
        [2, 3],
      ]);
      expect(made.slice(0, 2)).toEqual([
        [origin.id, 'idle'],
        [origin.id, 'queued'],
      ]);
    });
  });
}
