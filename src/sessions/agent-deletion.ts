/**
 * The use case of deleting an agent (docs/adr/0027-retention.md).
 *
 * AGENT-1 Once a deletion has been answered, no session of the agent is started. A start and a deletion that cross are put in order by the
 *    store: either the session was there, and the deletion met it, or it is refused, and nothing of it stays.
 * AGENT-2 A deleted agent has its id for ever, for the sessions that it had: they rest, are read and go on with the revision they were started
 *    with. Its name is free for another agent.
 * AGENT-3 While a session of it is queued or running it is deleted by force only: those sessions are archived then, which ends their turns. Each
 *    has an entry of its own in the audit log, as if it had been archived by itself (AUDIT-2): by whom, and with which agent.
 */
import type { Clock } from '../kernel/clock.ts';
import type { AgentId, Organisation, SessionId } from '../kernel/id.ts';
import { parseKey } from '../kernel/request-hash.ts';
import type { Actor } from '../journal/event.ts';
import { SessionGone, SessionNotFound } from '../journal/faults.ts';
import type { Audits } from '../journal/journal.ts';
import type { Agent } from './agent.ts';
import type { AgentStore } from './agent-store.ts';
import { AgentInUse, AgentNotFound } from './faults.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';

export interface DeleteAgent {
  readonly id: AgentId;
  readonly force?: boolean | undefined;
  readonly actor: Actor;
  /** What each session that is archived with it leaves in the audit log. */
  readonly archives?: Audits<Session> | undefined;
  /** Not needed: what is deleted stays so. */
  readonly idempotencyKey?: string | undefined;
}

export interface AgentDeletionPorts {
  readonly agents: Pick<AgentStore, 'delete'>;
  /** Of the same organisation. */
  readonly sessions: Pick<Sessions, 'list' | 'archive'>;
  readonly clock: Clock;
  readonly organisation: Pick<Organisation, 'id'>;
}

/** Sessions that are archived at a time: their appends share commits. */
const ARCHIVED_AT_ONCE_MAX = 50;

/** `replayed` when it was deleted before. Throws InvalidInput, AgentNotFound, AgentInUse. */
export async function deleteAgent(
  ports: AgentDeletionPorts,
  { id, force = false, actor, archives, idempotencyKey }: DeleteAgent,
): Promise<{ readonly agent: Agent; readonly replayed: boolean }> {
  parseKey('idempotencyKey', idempotencyKey);
  const { agents, clock, organisation } = ports;
  const done = await agents.delete(organisation.id, id, { at: clock.now(), force });
  if (done === undefined) throw new AgentNotFound();
  if (done.kind === 'inUse') throw new AgentInUse(id, done.sessionId); // AGENT-3
  // Also when it was deleted before: whoever was to archive them then may have been stopped.
  if (force) await archiveAll(ports, id, { actor, archives });
  const { agent, replayed } = done;
  return { agent, replayed };
}

type Archiving = Pick<DeleteAgent, 'actor' | 'archives'>;

/** AGENT-3. They end, since none is added any more (AGENT-1); one that rested and is woken meanwhile is one of them. */
async function archiveAll({ sessions }: AgentDeletionPorts, agentId: AgentId, by: Archiving): Promise<void> {
  for (const status of ['queued', 'running'] as const) {
    for (;;) {
      const found = await sessions.list({ status, agentId }, { limit: ARCHIVED_AT_ONCE_MAX });
      await Promise.all(found.map(({ session }) => archive(sessions, session.id, by)));
      if (found.length < ARCHIVED_AT_ONCE_MAX) break;
    }
  }
}

async function archive(
  sessions: Pick<Sessions, 'archive'>,
  sessionId: SessionId,
  { actor, archives }: Archiving,
): Promise<void> {
  try {
    await sessions.archive(sessionId, actor, undefined, archives);
  } catch (error) {
    if (!(error instanceof SessionNotFound || error instanceof SessionGone)) throw error; // it runs no more
  }
}
