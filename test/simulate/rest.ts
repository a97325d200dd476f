/** What holds once users and faults have stopped and time has passed: of every session, its record and its readers. */
import { isDeepStrictEqual } from 'node:util';
import type { SessionId } from '../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../src/kernel/limit.ts';
import type { RecordedEvent } from '../../src/journal/event.ts';
import type { Session } from '../../src/sessions/session.ts';
import { wantsBrain } from '../../src/sessions/lifecycle.ts';
import type { Fleet } from './fleet.ts';
import type { Follower } from './follower.ts';
import type { Log, SessionLog } from './log.ts';
import type { StorePorts } from './shared-store.ts';
import type { World } from './world.ts';

export interface RestPorts {
  readonly world: World;
  readonly log: Log;
  readonly store: StorePorts;
  readonly followers: readonly Follower[];
  readonly fleet: Fleet;
  /** Whether a command was really run. */
  readonly hasRun: (sessionId: SessionId, callId: string) => boolean;
}

export async function checkRest({ world, log, store, followers, fleet, hasRun }: RestPorts): Promise<void> {
  for (const [sessionId, written] of log.sessions) {
    const { session, rules } = written;
    if (wantsBrain(session))
      world.violate('no session is stuck', `${sessionId} is ${session.status} at rest, ${leaseOf(session)}`);
    rules.rest();
    for (const event of written.events) if (event.type === 'tool.result') checkResult(world, event, hasRun);
    if (session.lease !== undefined)
      world.violate('every lease ends', `${sessionId} is ${session.status}, ${leaseOf(session)}`);
    await checkStored(world, store, sessionId, written);
  }
  const { sessionIds: wanted } = await store.sessions.wanted({ limit: PAGE_EVENTS_MAX });
  if (wanted.length > 0) world.violate('what is wanted is what the records say', wanted.join(', '));
  for (const { isCaughtUp, sessionId, read } of followers)
    if (!isCaughtUp) world.violate('FOLLOW-1 complete', `a follower of ${sessionId} stopped at ${read}`);
  if (fleet.working.length > 0) world.violate('a brain ends with its work', fleet.working.join(', '));
  for (const sessionId of fleet.held) world.violate('a workspace rests with its session', sessionId);
  if (!fleet.isUp) world.violate('servers come back', 'one is not up at rest');
}

/** A result says what happened: nobody is told that a command did not run which did, nor the other way round. */
function checkResult(
  world: World,
  { sessionId, seq, body }: RecordedEvent,
  hasRun: RestPorts['hasRun'],
): void {
  const result = JSON.parse(body) as { tool: string; callId: string; outcome: string; output: string }; // event-catalog.ts
  if (result.tool !== 'bash') return;
  const ran = hasRun(sessionId, result.callId);
  const saysRun = result.outcome === 'ok' || result.outcome === 'timed_out';
  const saysNot = result.outcome === 'failed' && result.output.includes('could not be run');
  if ((saysRun && !ran) || (saysNot && ran))
    world.violate('a result says what happened', `${sessionId} seq ${seq} ${body}`);
}

/** What the store answers is what was seen being committed, and the record is origin and events folded. */
async function checkStored(
  world: World,
  store: StorePorts,
  sessionId: SessionId,
  written: SessionLog,
): Promise<void> {
  const events: RecordedEvent[] = [];
  for (;;) {
    const page = await store.journal.read(sessionId, { after: events.length, limit: PAGE_EVENTS_MAX });
    if (page.length === 0) break;
    events.push(...page);
  }
  if (!isDeepStrictEqual(plain(events), plain(written.events)))
    world.violate('what was committed stays', `${sessionId} reads otherwise`);
  const entry = await store.sessions.get(sessionId);
  if (entry?.head !== written.events.length)
    world.violate('JOURNAL-3 atomic', `${sessionId}: head ${entry?.head}`);
  if (!isDeepStrictEqual(plain(entry?.session), plain(written.session)))
    world.violate('the record is the fold of the log', `${sessionId}: ${JSON.stringify(entry?.session)}`);
  const turns = await store.sessions.turns(sessionId, { limit: PAGE_EVENTS_MAX });
  if (turns.length !== written.rules.turn)
    world.violate('each turn has a record', `${sessionId}: ${turns.length}`);
}

function leaseOf({ lease, epoch, retryAt }: Session): string {
  return `lease of ${lease?.owner ?? 'nobody'}, epoch ${epoch}${retryAt === undefined ? '' : `, retry at ${retryAt}`}`;
}

/** Without fields that are undefined. */
function plain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}
