/** The record of a session of which nothing has been read yet, as a brain begins with it. */
import { derivedId } from '../kernel/id.ts';
import { newSession, type Session } from '../sessions/session.ts';
import type { Assignment } from '../sessions/unit-wire.ts';

/** The fold looks at the state only; the origin holds what a brain knows of it. */
export function unread(assignment: Assignment): Session {
  return newSession({
    id: assignment.sessionId,
    createdAt: 0,
    organisationId: derivedId('organisation', assignment.sessionId),
    agentId: derivedId('agent', assignment.sessionId),
    agentRevision: 1,
    model: assignment.plan.name,
    limits: assignment.limits,
    requestHash: '',
  });
}
