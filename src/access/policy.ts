/**
 * The one policy table: which principal may do what. A client token that names another session is told that there is
 * no such session, as a stranger would be (v3 contract: never 403 across tenants).
 */
import { Forbidden } from '../kernel/fault.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { SessionId } from '../kernel/id.ts';
import type { ClientScope, Principal } from './principal.ts';

export type Action =
  /** Agents, credentials, lists, starting, cancelling, archiving, minting tokens. */
  | 'manage'
  /** Events and messages of one session. */
  | 'read'
  /** Messages to one session. */
  | 'steer'
  /** The unit endpoint. */
  | 'work';

const SCOPE: Readonly<Record<'read' | 'steer', ClientScope>> = { read: 'read', steer: 'steer' };

/** Returns, or throws Forbidden or SessionNotFound. `sessionId` is what the action is about, if it is about one. */
export function authorize(principal: Principal, action: Action, sessionId?: SessionId): void {
  switch (principal.kind) {
    case 'key':
      if (action === 'work') throw new Forbidden('An API key does not open the unit endpoint.');
      return;
    case 'client':
      if (action !== 'read' && action !== 'steer') {
        throw new Forbidden('A client token may read and steer its session; this needs an API key.');
      }
      if (sessionId !== principal.sessionId) throw new SessionNotFound(sessionId ?? '');
      if (!principal.scopes.includes(SCOPE[action])) {
        throw new Forbidden(`This client token has no scope "${SCOPE[action]}".`);
      }
      return;
    case 'unit':
      if (action !== 'work') throw new Forbidden('A unit token opens the unit endpoint only.');
      return;
  }
}
