/** One server's supervisor on a store that others share, with processes that are played: they do nothing until they are ended. */
import { randomBytes } from 'node:crypto';
import { Access } from '../../src/access/access.ts';
import type { Hint } from '../../src/journal/journal.ts';
import { type Clock, systemClock } from '../../src/kernel/clock.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import { startServices } from '../../src/kernel/service.ts';
import type { DeletionStore } from '../../src/sessions/deletion-store.ts';
import type { SessionJournal, SessionStore } from '../../src/sessions/session-store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { Heartbeat } from '../../src/supervisor/lease.ts';
import type { Ended, Launcher } from '../../src/supervisor/launcher.ts';
import type { OwnerStore } from '../../src/supervisor/owner-store.ts';
import { Owners } from '../../src/supervisor/owners.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import { OURS } from '../support/organisation.ts';

export interface PlayedStore {
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
  readonly deletions: DeletionStore;
  readonly owners: OwnerStore;
}

export type Question = 'append' | 'get' | 'wanted' | 'heartbeats' | 'beat';

export interface PlayedServerOptions {
  readonly slotsMax?: number;
  readonly idleMs?: number;
  readonly hasRoom?: () => Promise<boolean>;
  readonly clock?: Clock;
  /** `bare`: as of a writer that does not say whom they concern. */
  readonly hints?: 'as told' | 'bare' | 'off';
  /** Before the store is asked: it may take long, or throw. */
  readonly before?: (question: Question) => Promise<void> | void;
}

export interface PlayedServer {
  readonly sessions: SessionRuns;
  /** Brains that have a session, in the order of their start. */
  readonly brains: readonly { readonly end: () => void }[];
  /** How often the store was asked. */
  readonly asked: Record<Question, number>;
  stop(): Promise<void>;
}

export async function playedServer(
  store: PlayedStore,
  owner: string,
  options: PlayedServerOptions = {},
): Promise<PlayedServer> {
  const { slotsMax = 4, idleMs = 60_000, clock = systemClock, hints = 'as told', before, hasRoom } = options;
  const asked: Record<Question, number> = { append: 0, get: 0, wanted: 0, heartbeats: 0, beat: 0 };
  const ask = async <T>(question: Question, answer: () => Promise<T>): Promise<T> => {
    asked[question] += 1;
    await before?.(question);
    return answer();
  };
  const told = (listener: (hint: Hint) => void, { sessionId, head, concerns }: Hint): void => {
    if (hints !== 'off') listener({ sessionId, head, concerns: hints === 'bare' ? undefined : concerns });
  };
  const journal: SessionJournal = {
    append: (...args) => ask('append', () => store.journal.append(...args)),
    read: (...args) => store.journal.read(...args),
    scan: (...args) => store.journal.scan(...args),
    readBody: (...args) => store.journal.readBody(...args),
    head: (id) => store.journal.head(id),
    onHint: (listener) => store.journal.onHint((hint) => told(listener, hint)),
  };
  const records: SessionStore = {
    create: (...args) => store.sessions.create(...args),
    get: (id) => ask('get', () => store.sessions.get(id)),
    list: (...args) => store.sessions.list(...args),
    turns: (...args) => store.sessions.turns(...args),
    turn: (...args) => store.sessions.turn(...args),
    wanted: (wish) => ask('wanted', () => store.sessions.wanted(wish)),
    waiting: (...args) => store.sessions.waiting(...args),
  };
  const owners = new Owners(
    {
      beat: (name) => ask('beat', () => store.owners.beat(name)),
      heartbeats: () => ask('heartbeats', () => store.owners.heartbeats()),
      retire: (name) => store.owners.retire(name),
    },
    clock,
  );
  const unused = undefined as never; // nobody starts a session or brings a key here
  const sessions = new SessionRuns({ journal, sessions: records });
  const stage = new Stage();
  const access = new Access({
    keys: unused,
    tokenGenerations: unused,
    clock,
    signingKey: randomBytes(32),
    firstOrganisation: OURS.id,
  });
  const spares = new Spares({ launcher: stage, clock, logger }, 0);
  const log = new WorkspaceLog({ sessions, journal, owner });
  const workbench = new Workbench({ launcher: stage, log, clock, logger });
  const supervisor = new Supervisor({
    ...{
      sessions,
      journal,
      store: records,
      deletions: store.deletions,
      owners,
      access,
      spares,
      workbench,
      launcher: stage,
      clock,
      logger,
    },
    ...{ owner, slotsMax, idleMs, backgroundMs: 0, hasRoom, draftOf: () => undefined },
  });
  const heartbeat = new Heartbeat({ owners, clock, logger }, owner);
  await heartbeat.beat();
  const stops = [
    startServices([heartbeat], { clock, logger }),
    startServices([supervisor], { clock, logger }),
  ];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).toReversed()) await end();
  };
  return { sessions, brains: stage.brains, asked, stop };
}

class Stage implements Launcher {
  readonly brains: { readonly end: () => void }[] = [];

  async launchBrain(): ReturnType<Launcher['launchBrain']> {
    const { promise: ended, resolve } = Promise.withResolvers<Ended>();
    const end = (): void => resolve({ code: 1, signal: null, stderr: '' });
    return { pid: 1, ended, assign: () => void this.brains.push({ end }), stop: async () => end() };
  }

  launchHands(): ReturnType<Launcher['launchHands']> {
    return Promise.reject(new Error('No tool is used here.'));
  }

  async checkpoint(): Promise<boolean> {
    return true;
  }

  async rest(): Promise<void> {}

  async told(): Promise<void> {}

  async forget(): Promise<boolean> {
    return true;
  }

  async sessions(): Promise<readonly []> {
    return [];
  }
}
