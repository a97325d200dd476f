/**
 * The audit entry of what is appended to a session (AUDIT-2): who asked for it, and what of the session differs after it. The journal writes it
 * with the append (journal/journal.ts, AppendRequest.audit).
 */
import type { Principal } from '../src/access/principal.ts';
import {
  type AskedChange,
  type AuditActor,
  differences,
  type Settlement,
  type Shown,
} from '../src/audit/entry.ts';
import type { Audits } from '../src/journal/journal.ts';
import { derivedId } from '../src/kernel/id.ts';
import { limitsInForce, type Session } from '../src/sessions/session.ts';
import type { Context } from './context.ts';

export function askedBy({ principal, requestId, from, audit }: Context, action: string): AskedChange {
  const { organisationId } = principal;
  return { organisationId, at: audit.now(), action, actor: auditActorOf(principal), requestId, from };
}

/** `more`: what the entry shows besides, of how it was asked for. */
export function auditsOf({ audit }: Context, asked: AskedChange, more: Shown = {}): Audits<Session> {
  return ({ before, after, firstSeq, lastSeq, replayed }) => {
    const settlement: Settlement = {
      outcome: replayed === true ? 'replayed' : 'done',
      target: { kind: 'session', id: after.id },
      ...appended(firstSeq === 1 ? undefined : shownSession(before), after, { firstSeq, lastSeq, ...more }),
    };
    return audit.entry(asked, settlement, derivedId('auditEntry', after.id, firstSeq));
  };
}

export function shownSession(session: Session): Shown {
  const { status, agentId, agentRevision, model, credentialId, turn, waits } = session;
  const limits = limitsInForce(session);
  const claims = waits?.claims?.map(({ requestId, assignee, expiresAt }) => ({
    requestId,
    assignee,
    expiresAt,
  }));
  return { status, agentId, agentRevision, model, credentialId, limits, claims, stopping: turn?.stopping };
}

function appended(
  before: Shown | undefined,
  after: Session,
  seqs: Shown,
): Pick<Settlement, 'before' | 'after'> {
  const differing = differences(before, shownSession(after));
  return { ...differing, after: { ...differing.after, ...seqs } };
}

function auditActorOf(principal: Principal): AuditActor {
  return principal.kind === 'key'
    ? { kind: 'key', id: principal.keyId, name: principal.name }
    : { kind: 'client', id: principal.sessionId };
}
