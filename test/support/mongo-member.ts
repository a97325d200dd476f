/**
 * One of several processes of ours on one MongoDB database, with what a server has while none of its sessions runs: store, Live,
 * heartbeat and supervisor. It does what the test asks and says what it holds. `mongo-member.ts <uri>`
 */
import { randomBytes } from 'node:crypto';
import { Access } from '../../src/access/access.ts';
import { follow } from '../../src/journal/follow.ts';
import { Live } from '../../src/journal/live.ts';
import { systemClock as clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { startServices } from '../../src/kernel/service.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import type { Launcher } from '../../src/supervisor/launcher.ts';
import { Heartbeat } from '../../src/supervisor/lease.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { Owners } from '../../src/supervisor/owners.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import { answerParent } from '../bench/child.ts';
import { DriverWatch, watchedUri } from './driver-watch.ts';
import { appending, nothing, originOf, spoken } from './session-log.ts';
import { OURS } from './organisation.ts';

/** What the process costs and holds at this moment. */
export interface Holding {
  /** Connections to the server, those that watch it included. */
  readonly connections: number;
  /** Cursors that the server keeps for this process. */
  readonly cursors: number;
  readonly timers: number;
  readonly rssMib: number;
  readonly cpuMs: number;
  /** Commands so far, as `find session`. */
  readonly commands: Readonly<Record<string, number>>;
}

export interface Received {
  readonly events: number;
  /** Followers that have every event of their session up to the head that was asked for, each once and in order. */
  readonly complete: number;
  /** What came twice, too early or not at all. */
  readonly disorder: readonly string[];
}

/** At once: more would only fill the pool of connections, and those stay. */
const CREATING = 8;
const MIB = 1024 * 1024;

// Polls that the end cuts off would be a warning each.
const logger = jsonLogger('error', (line) => process.stderr.write(line));
const store = await openMongo({ uri: watchedUri(process.argv[2] ?? ''), logger });
const { journal, sessions: records } = store;
const owners = new Owners(store.owners);
const watch = new DriverWatch(store.database.client);
const live = new Live({ journal, wire: store.channel, logger });
const stop = new AbortController();
const stopServices = startServices(servicesOf(randomBytes(6).toString('hex')), { clock, logger });

const followers = new Map<SessionId, number>();
const disorder: string[] = [];
const latenciesMs: number[] = [];
let events = 0;

const commands = {
  create: async (count: number): Promise<readonly SessionId[]> => {
    const made: SessionId[] = [];
    const createSome = async (): Promise<void> => {
      while (made.length < count) {
        const origin = originOf({ createdAt: Date.now() });
        made.push(origin.id);
        await records.create(origin, nothing);
      }
    };
    await Promise.all(Array.from({ length: CREATING }, createSome));
    return made;
  },
  /** Resolves when all of them have caught up. */
  follow: async (ids: readonly SessionId[]): Promise<void> => {
    await Promise.all(ids.map((id) => new Promise<void>((resolve) => void followOne(id, resolve))));
  },
  /** `each` appends to each session, one after the other; all sessions at once. Answers how many seconds it took. */
  append: async ({ ids, each }: { ids: readonly SessionId[]; each: number }): Promise<number> => {
    const from = performance.now();
    await Promise.all(
      ids.map(async (id) => {
        for (let count = 0; count < each; count += 1)
          await journal.append(id, { decide: appending(spoken(String(now()))) });
      }),
    );
    return (performance.now() - from) / 1000;
  },
  received: async (head: number): Promise<Received> => ({
    events,
    complete: [...followers.values()].filter((seq) => seq === head).length,
    disorder,
  }),
  /** From before the append in the other process to the follower here. */
  latenciesMs: async (): Promise<readonly number[]> => latenciesMs.splice(0),
  isHearing: async (): Promise<boolean> => store.channel.isHearing,
  holding: async (): Promise<Holding> => ({
    connections: connections(),
    cursors: watch.openCursors,
    timers: process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    rssMib: Math.round(process.memoryUsage.rss() / MIB),
    cpuMs: Math.round((process.cpuUsage().user + process.cpuUsage().system) / 1000),
    commands: watch.counts,
  }),
};
export type MemberCommands = typeof commands;

answerParent(commands, async () => {
  stop.abort();
  live.close();
  await stopServices();
  await store.close();
});

async function followOne(sessionId: SessionId, caughtUp: () => void): Promise<void> {
  followers.set(sessionId, 0);
  try {
    for await (const frame of follow(
      { journal, live },
      { sessionId, after: 0, deltas: false },
      stop.signal,
    )) {
      if (frame.kind === 'caughtUp') caughtUp();
      if (frame.kind !== 'events') continue;
      for (const { seq, body } of frame.events) {
        const before = followers.get(sessionId) ?? 0;
        if (seq !== before + 1) disorder.push(`${sessionId}: ${seq} after ${before}`);
        followers.set(sessionId, seq);
        latenciesMs.push(now() - Number((JSON.parse(body) as { text: string }).text)); // append() wrote it
        events += 1;
      }
    }
  } catch (error) {
    disorder.push(`${sessionId}: ${String(error)}`);
  }
}

/** The same for all processes of a machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

/** Those that do not keep the process running count too. */
function connections(): number {
  if (process.report === undefined) return 0;
  Object.assign(process.report, { excludeNetwork: true }); // else it asks for the names of hosts; Node's types do not know it yet
  const { libuv } = process.report.getReport() as { libuv: readonly { type: string }[] }; // as Node documents it
  return libuv.filter(({ type }) => type === 'tcp').length;
}

/** The real ones. Nothing here wants a brain, so nothing is ever launched. */
function servicesOf(owner: string) {
  const refuse = (): Promise<never> => Promise.reject(new Error('No session here wants a brain.'));
  const launcher: Launcher = {
    launchBrain: refuse,
    launchHands: refuse,
    told: async () => undefined,
    checkpoint: () => Promise.resolve(true),
    rest: () => Promise.resolve(),
    forget: () => Promise.resolve(true),
    sessions: () => Promise.resolve([]),
  };
  const sessions = new SessionRuns({ journal, sessions: records });
  const access = new Access({
    ...store,
    clock,
    signingKey: randomBytes(32),
    firstOrganisation: OURS.id,
  });
  const spares = new Spares({ launcher, clock, logger }, 0);
  const workbench = new Workbench({
    launcher,
    log: new WorkspaceLog({ sessions, journal, owner }),
    clock,
    logger,
  });
  const ports = {
    sessions,
    journal,
    store: records,
    deletions: store.deletions,
    owners,
    access,
    spares,
    workbench,
    launcher,
    clock,
    logger,
  };
  return [
    new Heartbeat({ owners, clock, logger }, owner),
    new Supervisor({
      ...ports,
      owner,
      idleMs: 60_000,
      backgroundMs: 0,
      slotsMax: 4,
      draftOf: () => undefined,
    }),
  ];
}
