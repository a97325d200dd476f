/**
 * What a resolver may use: who asks, and the use cases of the organisation for which it is asked (ORGANISATION-1). One object per operation; it
 * holds no state of its own. The journal knows no organisations: what is read of a log comes after its session was looked up.
 */
import type { Access } from '../src/access/access.ts';
import { authorize, type Action } from '../src/access/policy.ts';
import type { Principal } from '../src/access/principal.ts';
import type { Actor } from '../src/journal/event.ts';
import type { Live } from '../src/journal/live.ts';
import type { SessionId } from '../src/kernel/id.ts';
import type { Reading } from './reading.ts';
import type { SessionJournal } from '../src/sessions/session-store.ts';
import type { UseCases, UseCasesOf } from '../src/sessions/use-cases.ts';
import type { LogBudget } from './log-budget.ts';

/** The use cases behind the schema, the same for every operation. */
export interface SchemaPorts {
  readonly access: Access;
  readonly useCasesOf: UseCasesOf;
  readonly journal: SessionJournal;
  readonly live: Live;
}

export interface Context extends Omit<SchemaPorts, 'useCasesOf'>, UseCases {
  readonly principal: Principal;
  readonly budget: LogBudget;
  /** Shown with a masked defect, and logged with its cause. */
  readonly requestId: string;
  /** What the operation may still read. */
  readonly reading: Reading;
  /** Aborts when the client has gone; set over HTTP. */
  readonly signal?: AbortSignal | undefined;
}

/** What the door adds to its ports for one operation. */
type Asked = Pick<Context, 'principal' | 'budget' | 'requestId' | 'reading' | 'signal'>;

export function contextOf<T extends Asked>(
  { access, useCasesOf, journal, live }: SchemaPorts,
  asked: T,
): Context & T {
  return { access, journal, live, ...useCasesOf(asked.principal.organisationId), ...asked };
}

/** Throws Forbidden or SessionNotFound, as the policy says. */
export function permit(context: Context, action: Action, sessionId?: SessionId): void {
  authorize(context.principal, action, sessionId);
}

/** The author of what this caller writes. */
export function actorOf({ principal }: Context): Actor {
  return principal.kind === 'key' ? { kind: 'human', id: principal.keyId } : { kind: 'human' };
}
