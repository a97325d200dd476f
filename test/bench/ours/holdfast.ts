/**
 * Ours without the supervisor: the real store, use cases and doors in one process, and sessions that run as if a brain
 * held them. What is measured is the server's own work; brains would take the processor from it.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Access } from '../../../src/access/access.ts';
import { AuditLog } from '../../../src/audit/audit-log.ts';
import { Organisations } from '../../../src/access/organisations.ts';
import type { NewEvent } from '../../../src/journal/event.ts';
import { Live } from '../../../src/journal/live.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import type { SessionId, TurnId } from '../../../src/kernel/id.ts';
import { jsonLogger } from '../../../src/kernel/logger.ts';
import { openSecretFiles } from '../../../src/platform/local/secret-store.ts';
import { openMongo } from '../../../src/platform/mongo/store.ts';
import { openSqlite } from '../../../src/platform/sqlite/store.ts';
import type { SessionJournal } from '../../../src/sessions/session-store.ts';
import { SessionRuns } from '../../../src/sessions/session-runs.ts';
import { useCasesOver } from '../../../src/sessions/use-cases.ts';
import { sampleEvent } from '../sample-events.ts';

export const KEY = 'key-of-the-benchmark-0123456789';
const SIGNING_KEY_BYTES = 32;
/** As large as an append may be, and enough of them at once that they share commits. */
const FILL_APPEND_EVENTS = 100;
const FILL_IN_FLIGHT = 10;

/** A session whose turn runs, and what a brain of it would present. */
export interface RunningSession {
  readonly sessionId: SessionId;
  readonly turnId: TurnId;
  readonly epoch: number;
  readonly token: string;
  readonly head: number;
}

export type Holdfast = Awaited<ReturnType<typeof openHoldfast>>;

/** On SQLite in the folder, or on the MongoDB database of the URI. */
export async function openHoldfast(folder: string, uri?: string) {
  const clock = systemClock;
  const logger = jsonLogger('warn', (line) => process.stderr.write(line));
  const mongo = uri === undefined ? undefined : await openMongo({ uri, clock, logger });
  const store = mongo ?? openSqlite({ path: join(folder, 'holdfast.db'), clock });
  const { journal } = store;
  const secrets = await openSecretFiles(join(folder, 'secrets'), join(folder, 'keys', 'master.key'));
  const { first: firstOrganisation } = store.organisations;
  const signingKey = randomBytes(SIGNING_KEY_BYTES);
  const access = new Access({ ...store, clock, signingKey, firstOrganisation });
  await access.ensureKey(KEY);
  const useCasesOf = useCasesOver({ ...store, secrets, clock, serverKeys: new Set(), firstOrganisation });
  const { agents, sessions } = useCasesOf(firstOrganisation);
  await agents.create({ name: 'bench', model: 'rehearsal/echo', prompt: 'You are measured.' });
  const runs = new SessionRuns(store);
  const live = new Live({ journal, wire: mongo?.channel, logger });
  const organisations = new Organisations({ organisations: store.organisations, clock });
  const audit = new AuditLog({ audit: store.audit, clock });
  const ports = { access, audit, organisations, useCasesOf, sessions, runs, journal, live, logger };
  const close = async (): Promise<void> => {
    live.close();
    await store.close();
  };
  return { ports, close };
}

export async function startRunning({ ports }: Holdfast): Promise<RunningSession> {
  const { sessions, runs, access } = ports;
  const { session } = await sessions.start({ agent: 'bench', input: 'Go.', actor: { kind: 'human' } });
  const { id: sessionId } = session;
  const { epoch } = (await runs.supervise(sessionId, { kind: 'takeLease', owner: 'bench' })).state;
  const { state, lastSeq } = await runs.write(sessionId, epoch, undefined, { kind: 'beginTurn' });
  if (state.turn === undefined) throw new Error('The turn did not begin.');
  return {
    sessionId,
    turnId: state.turn.id,
    epoch,
    token: access.mintUnitToken(session, sessionId, epoch),
    head: lastSeq,
  };
}

/** Appends `count` sample events, many at once. */
export async function fill(
  { ports }: Holdfast,
  { sessionId, turnId }: RunningSession,
  count: number,
): Promise<void> {
  await inFlight(FILL_IN_FLIGHT, Math.ceil(count / FILL_APPEND_EVENTS), async (index) => {
    const from = index * FILL_APPEND_EVENTS;
    const length = Math.min(FILL_APPEND_EVENTS, count - from);
    await append(
      ports.journal,
      sessionId,
      Array.from({ length }, (_, at) => sampleEvent(from + at, turnId)),
    );
  });
}

export async function append(
  journal: SessionJournal,
  sessionId: SessionId,
  events: readonly NewEvent[],
): Promise<void> {
  await journal.append(sessionId, { decide: () => ({ kind: 'append', events }) });
}

/** Calls `work` for 0 to count - 1, `width` at a time. */
export async function inFlight(
  width: number,
  count: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
