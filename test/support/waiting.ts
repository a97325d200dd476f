/** A running turn in which calls wait for people, beside one that runs: `waits`, and `held`, which somebody has claimed. */
import type { NewEvent } from '../../src/journal/event.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';

const AGENT = { kind: 'agent' } as const;
const SYSTEM = { kind: 'system' } as const;
const HOUR_MS = 3_600_000;

export async function waitForPeople(journal: SessionJournal, sessionId: SessionId): Promise<void> {
  await journal.append(sessionId, {
    decide: ({ turn }) => ({
      kind: 'append',
      events: [
        ...['runs', 'waits', 'held'].map((callId) => called(callId, turn?.id)),
        ...['waits', 'held'].map((callId) => requested(callId, turn?.id)),
        {
          type: 'request.claimed',
          actor: SYSTEM,
          turnId: turn?.id,
          body: {
            requestId: 'held',
            by: { id: 'key_other' },
            expiresAt: Date.now() + HOUR_MS,
            seconds: 3600,
          },
        },
      ],
    }),
  });
}

export function called(callId: string, turnId: NewEvent['turnId'], tool = 'bash'): NewEvent {
  const body = { callId, modelCallId: 'm', toolUseId: callId, tool, input: { of: callId } };
  return { type: 'tool.call', actor: AGENT, turnId, body };
}

export function requested(
  callId: string,
  turnId: NewEvent['turnId'],
  kind: 'approval' | 'client' = 'approval',
  tool = 'bash',
): NewEvent {
  const body = { callId, tool, kind, input: { of: callId } };
  return { type: 'tool.requested', actor: SYSTEM, turnId, body };
}
