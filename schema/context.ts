/**
 * What a resolver may use: who asks, and the use cases of the organisation for which it is asked (ORGANISATION-1). One object per operation; it
 * holds no state of its own. The journal knows no organisations: what is read of a log comes after its session was looked up.
 */
import type { AuditLog } from '../src/audit/audit-log.ts';
import type { Origin } from '../src/audit/entry.ts';
import type { Access } from '../src/access/access.ts';
import type { Organisations } from '../src/access/organisations.ts';
import { authorize, type Action } from '../src/access/policy.ts';
import type { ClientPrincipal, Principal } from '../src/access/principal.ts';
import type { Actor } from '../src/journal/event.ts';
import type { Audits } from '../src/journal/journal.ts';
import type { Live } from '../src/journal/live.ts';
import type { SessionId } from '../src/kernel/id.ts';
import type { Reading } from './reading.ts';
import type { Session } from '../src/sessions/session.ts';
import type { SessionJournal } from '../src/sessions/session-store.ts';
import type { UseCases, UseCasesOf } from '../src/sessions/use-cases.ts';
import type { LogBudget } from './log-budget.ts';

/** The use cases behind the schema, the same for every operation. */
export interface SchemaPorts {
  readonly access: Access;
  readonly organisations: Organisations;
  readonly useCasesOf: UseCasesOf;
  readonly journal: SessionJournal;
  readonly live: Live;
  readonly audit: AuditLog;
}

export interface Context extends Omit<SchemaPorts, 'useCasesOf'>, UseCases {
  readonly principal: Principal;
  readonly budget: LogBudget;
  /** Shown with a masked defect, and logged with its cause. */
  readonly requestId: string;
  /** What the operation may still read. */
  readonly reading: Reading;
  /** Where the request came from, for the audit log. */
  readonly from: Origin;
  /** Of a mutation that is a command of a session: what the append is given (AUDIT-2, auditing.ts). */
  readonly audits?: Audits<Session> | undefined;
  /** Aborts when the client has gone; set over HTTP. */
  readonly signal?: AbortSignal | undefined;
  /** Goes on under a token that was renewed; set on a socket, which takes the place of the one that it was opened with. */
  readonly renewed?: ((principal: ClientPrincipal) => void) | undefined;
  /** Calls back, with the reason, when who asks may ask no more (ACCESS-2). Answers what ends the watch. Set over HTTP; a socket is closed as a whole. */
  readonly onRevoked?: ((end: (why: string) => void) => () => void) | undefined;
}

/** What the door adds to its ports for one operation. */
type Asked = Pick<
  Context,
  'principal' | 'budget' | 'requestId' | 'reading' | 'from' | 'signal' | 'renewed' | 'onRevoked'
>;

export function contextOf<T extends Asked>(
  { access, organisations, useCasesOf, journal, live, audit }: SchemaPorts,
  asked: T,
): Context & T {
  const useCases = useCasesOf(asked.principal.organisationId);
  return { access, organisations, journal, live, audit, ...useCases, ...asked };
}

/** Throws Forbidden or SessionNotFound, as the policy says. */
export function permit(context: Context, action: Action, sessionId?: SessionId): void {
  authorize(context.principal, action, sessionId);
}

/** For a field of something that the caller was let read: of which session it is was looked at there. Throws Forbidden. */
export function permitField({ principal }: Context, action: Action): void {
  authorize(principal, action, principal.kind === 'client' ? principal.sessionId : undefined);
}

/** Before a client token writes into its session. Throws RateLimited (TOKEN-7). */
export function spend({ access, principal }: Context, what: 'message' | 'cancel' | 'renewal'): void {
  if (principal.kind === 'client') access.clientTokens.take(principal, what);
}

/** The author of what this caller writes. */
export function actorOf({ principal }: Context): Actor {
  if (principal.kind !== 'key') return { kind: 'human' };
  return { kind: 'human', id: principal.keyId, display: principal.name };
}
