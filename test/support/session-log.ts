/** Sessions and events for tests of the log: small, real, and told apart by their text. */
import type { NewEvent } from '../../src/journal/event.ts';
import type { Decision } from '../../src/journal/journal.ts';
import { type AgentId, newId, type SessionId } from '../../src/kernel/id.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { SqliteStore } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { SessionOrigin } from '../../src/sessions/session.ts';
import { OURS } from './organisation.ts';

/** Time that only the test moves. */
export class ManualClock implements Clock {
  #now: number;

  constructor(now = 1_763_800_000_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  monotonicNow(): number {
    return this.#now;
  }

  set(now: number): void {
    this.#now = now;
  }

  sleep(): Promise<void> {
    return Promise.reject(new Error('Nothing in these tests sleeps.'));
  }
}

export const SOME_AGENT: AgentId = newId('agent');

export function originOf(given: Partial<SessionOrigin> = {}): SessionOrigin {
  return {
    id: newId('session'),
    organisationId: OURS.id,
    createdAt: 1_763_800_000_000,
    agentId: SOME_AGENT,
    agentRevision: 1,
    model: 'anthropic/test',
    limits: {},
    requestHash: 'hash',
    ...given,
  };
}

export function nothing(): Decision {
  return { kind: 'nothing' };
}

export function appending(...events: readonly NewEvent[]): () => Decision {
  return () => ({ kind: 'append', events });
}

/** An event that the fold has no rule for. */
export function spoken(text: string, callId = 'call'): NewEvent {
  return { type: 'agent.message', actor: { kind: 'agent' }, body: { callId, text } };
}

/** A session with one message that waits, as the door would have started it. */
export async function queuedSession(
  { sessions }: Pick<SqliteStore, 'sessions'>,
  given: Partial<SessionOrigin> = {},
): Promise<SessionId> {
  const origin = originOf({ createdAt: Date.now(), model: 'rehearsal/echo', ...given });
  const hello: Command = { kind: 'send', text: 'hello', mode: 'steer', actor: { kind: 'human' } };
  await sessions.create(origin, (session) => decide(session, hello));
  return origin.id;
}
