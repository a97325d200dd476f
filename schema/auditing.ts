/**
 * How a mutation says that it is audited, in the options of its field, and what may be shown of things. What is made of it:
 * audited-mutations.ts.
 */
import { createHash } from 'node:crypto';
import type { Shown, TargetKind } from '../src/audit/entry.ts';
import { limitsInForce, type Session } from '../src/sessions/session.ts';
import type { Context } from './context.ts';

interface Named {
  readonly id?: unknown;
  readonly sessionId?: unknown;
  readonly agentId?: unknown;
  readonly keyId?: unknown;
  readonly organisationId?: unknown;
}
export type Args = Named & { readonly input?: Named | null };

/** A change of the control plane: its entry is begun before, and settled before the answer (AUDIT-1). */
export interface ChangeAudit<Thing extends { readonly id: string }, Payload> {
  readonly target: TargetKind;
  /** Whose id the request names; left out: what its arguments name. */
  id?(args: Args, context: Context): string | undefined;
  /** As it is before; what it throws means that there is none. Left out: it is made now. */
  find?(context: Context, id: string): Promise<Thing>;
  /** As it is after, in the payload. Left out: it is gone. */
  changed?(payload: Payload, context: Context): Thing;
  /** The organisation that an operator names, when it is not its own: the log of that one has what was done, too. */
  elsewhere?(args: Args): unknown;
  /** What may be seen of it by whoever reads the audit log: no secret, no text of a prompt. */
  shown(thing: Thing): Shown;
}

/** Something is given out, and nothing else is stored: one entry, durable before the answer. */
export interface IssueAudit<Payload> {
  readonly target: TargetKind;
  after(payload: Payload): Shown;
}

export type Auditing =
  | { readonly kind: 'command' }
  // oxlint-disable-next-line typescript/no-explicit-any -- of each mutation another one: it was checked where it was declared
  | { readonly kind: 'change'; readonly of: ChangeAudit<any, any> }
  | { readonly kind: 'issue'; readonly of: IssueAudit<never> };

interface Audited {
  readonly extensions: { readonly auditing: Auditing };
}

/** For the options of a field whose resolver gives `context.audits` to the append (AUDIT-2). */
export function auditCommand(): Audited {
  return { extensions: { auditing: { kind: 'command' } } };
}

export function auditChange<Thing extends { readonly id: string }, Payload>(
  of: ChangeAudit<Thing, Payload>,
): Audited {
  return { extensions: { auditing: { kind: 'change', of } } };
}

export function auditIssue<Payload>(of: IssueAudit<Payload>): Audited {
  return { extensions: { auditing: { kind: 'issue', of } } };
}

/** What stands for a text that is not to be read here: whether two are the same can be seen, not what they say. */
export function shownText(text: string): Shown {
  return { bytes: Buffer.byteLength(text), sha256: createHash('sha256').update(text).digest('hex') };
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
