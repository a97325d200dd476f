/** An append and its audit entry on MongoDB, where they are two writes and a crash may come in between. */
import { expect, it } from 'vitest';
import type { AuditEntry } from '../../../src/audit/entry.ts';
import type { Appended, AppendRequest, Audits } from '../../../src/journal/journal.ts';
import { derivedId } from '../../../src/kernel/id.ts';
import { audited } from '../../../src/platform/mongo/journal/audited.ts';
import { newSession, type Session } from '../../../src/sessions/session.ts';
import { appending, originOf, spoken } from '../../support/session-log.ts';
import { OURS } from '../../support/organisation.ts';

const SESSION = newSession(originOf());
const AFTER: Session = { ...SESSION, status: 'queued' };
const audit: Audits<Session> = ({ before, after, firstSeq, replayed }) => ({
  id: derivedId('auditEntry', after.id, firstSeq),
  organisationId: OURS.id,
  at: 1,
  action: 'sendMessage',
  actor: { kind: 'key' },
  outcome: replayed === true ? 'replayed' : 'done',
  before: { status: before.status },
  after: { status: after.status },
});
const REQUEST: AppendRequest<Session> = { key: 'k', decide: appending(spoken('a')), audit };

it('proves AUDIT-2: the entry of an append is there before the append is answered, or it is not answered', async () => {
  const entries: AuditEntry[] = [];
  const steps: string[] = [];
  const store = {
    add: async (entry: AuditEntry) => {
      steps.push('entry');
      entries.push(entry);
    },
  };
  const append = async (request: AppendRequest<Session>): Promise<Appended<Session>> => {
    request.decide(SESSION, false);
    request.decide({ ...SESSION, status: 'running' }, false); // another writer was first
    steps.push('append');
    return { firstSeq: 5, lastSeq: 6, replayed: false, state: AFTER };
  };

  await audited(REQUEST, append, store);

  expect(steps).toEqual(['append', 'entry']);
  expect(entries).toEqual([
    expect.objectContaining({ before: { status: 'running' }, after: { status: 'queued' } }),
  ]);
  const full = { add: () => Promise.reject(new Error('The disk is full.')) };
  await expect(audited(REQUEST, append, full)).rejects.toThrow('full');
});

it('proves AUDIT-2: an entry that a crash kept back is written when the append is answered again, under the same id', async () => {
  const entries: AuditEntry[] = [];
  const store = { add: async (entry: AuditEntry) => void entries.push(entry) };
  const answered = (replayed: boolean, lastSeq: number) => async (): Promise<Appended<Session>> => {
    return { firstSeq: 5, lastSeq, replayed, state: AFTER };
  };

  await audited(REQUEST, answered(true, 5), store);
  await audited(REQUEST, answered(false, 5), store);
  await audited(REQUEST, answered(false, 4), store); // nothing was appended

  expect(entries.map(({ outcome }) => outcome)).toEqual(['replayed', 'done']);
  expect(new Set(entries.map(({ id }) => id)).size).toBe(1);
});
