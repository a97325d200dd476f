/**
 * One life of a server: the parts of processes/parts.ts and processes/units.ts over a line to the shared store. It starts, and
 * is killed or stops; the next life on its machine is another owner.
 */
import type { Server } from 'node:http';
import { Access } from '../../src/access/access.ts';
import { verifyToken } from '../../src/access/token.ts';
import { createUnitDoor } from '../../src/api/unit/unit-endpoint.ts';
import { Live } from '../../src/journal/live.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { startServices } from '../../src/kernel/service.ts';
import { Agents } from '../../src/sessions/agents.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { Sessions } from '../../src/sessions/sessions.ts';
import { Heartbeat } from '../../src/supervisor/lease.ts';
import { Owners } from '../../src/supervisor/owners.ts';
import { Spares } from '../../src/supervisor/spares.ts';
import { Supervisor } from '../../src/supervisor/supervisor.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { logPlaceOf } from '../../src/supervisor/log-place.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import type { Rates } from './faults.ts';
import { SimLauncher, type ToolRuns } from './machine.ts';
import type { ModelService } from './model.ts';
import { SimNode } from './node.ts';
import { NO_DELETIONS } from '../support/deletions.ts';
import type { SharedStore } from './shared-store.ts';
import { type Archive, type Disk, Workspaces } from './workspaces.ts';
import type { World } from './world.ts';
import { ORGANISATION } from './organisation.ts';

/** The servers of an installation share it. */
export const SIGNING_KEY = Buffer.alloc(32, 7);

export interface ServerPorts {
  readonly world: World;
  readonly store: SharedStore;
  readonly service: ModelService;
  readonly archive: Archive;
  readonly disk: Disk;
  readonly owner: string;
  readonly skewMs: number;
  readonly rates: () => Rates;
  readonly slotsMax: number;
  readonly spares: number;
  readonly idleMs: number;
  readonly backgroundMs: number;
  readonly isForgetful: boolean;
  readonly toolRuns: ToolRuns;
  readonly assigned: (token: string) => void;
  /** A brain makes a model call. */
  readonly asked: (sessionId: SessionId, epoch: number, server: SimNode) => void;
  readonly wrote: (sessionId: SessionId, epoch: number, firstSeq: number) => void;
}

export class SimServer {
  readonly node: SimNode;
  readonly owner: string;
  readonly launcher: SimLauncher;
  readonly sessions: Sessions;
  readonly runs: SessionRuns;
  readonly journal: SessionJournal;
  readonly live: Live;
  /** Takes requests of users. */
  isOpen = false;
  /** Its end has been asked for. */
  isEnding = false;
  readonly #ports: ServerPorts;
  readonly #releases: (() => unknown)[] = [];
  readonly #door: Server;
  readonly #workbench: Workbench;
  readonly #workspaces: Workspaces;
  readonly #agents: Agents;
  readonly #owners: Owners;

  constructor(ports: ServerPorts) {
    const { world, store, owner, rates } = ports;
    this.#ports = ports;
    this.owner = owner;
    this.node = new SimNode(owner);
    this.node.skewMs = ports.skewMs;
    const line = store.lineOf(this.node);
    const clock = world.clockOf(this.node);
    const logger = world.loggerOf(this.node);
    this.journal = line.journal;
    this.#owners = new Owners(line.owners, clock);
    const none = undefined as never; // the sessions of a rehearsal have no credentials
    this.#agents = new Agents({
      agents: line.agents,
      credentials: none,
      clock,
      organisation: ORGANISATION,
    });
    this.sessions = new Sessions({
      journal: line.journal,
      sessions: line.sessions,
      deletions: NO_DELETIONS,
      agents: this.#agents,
      credentials: none,
      clock,
      chance: world.chance,
      serverKeys: new Set(),
      organisation: ORGANISATION,
    });
    this.runs = new SessionRuns(line);
    this.live = new Live({ journal: line.journal, logger, scheduler: world.schedulerOf(this.node) });
    this.#workspaces = new Workspaces({
      archive: ports.archive,
      disk: ports.disk,
      owner,
      clock,
      isForgetful: ports.isForgetful,
      placeOf: async (sessionId) => logPlaceOf(await this.runs.get(sessionId)),
      isAlive: async (other) => (await this.#owners.alive()).includes(other),
      ask: (what, work) => store.call(this.node, what, work),
      unsaved: (sessionId, error) => logger.warn('workspace not saved', { sessionId, error }),
    });
    this.launcher = new SimLauncher({
      world,
      server: this.node,
      door: () => this.#door,
      logger,
      rates,
      workspaces: this.#workspaces,
      toolRuns: ports.toolRuns,
      assigned: ports.assigned,
      wrote: ports.wrote,
    });
    const log = new WorkspaceLog({ sessions: this.runs, journal: this.journal, owner });
    this.#workbench = new Workbench({ launcher: this.launcher, log, clock, logger, chance: world.chance });
    const access = this.#access();
    this.#door = createUnitDoor({
      access,
      sessions: this.runs,
      useCasesOf: () => ({ agents: this.#agents }),
      journal: this.journal,
      live: this.live,
      logger,
      tools: this.#workbench,
      model: (request, response, sessionId) => {
        const unit = verifyToken(String(request.headers.authorization).slice('Bearer '.length), {
          signingKey: SIGNING_KEY,
          now: 0,
          firstOrganisation: ORGANISATION.id,
        });
        if (unit?.kind === 'unit') ports.asked(sessionId, unit.epoch, this.node);
        return ports.service.serve({ node: this.node, sessions: this.runs }, request, response, sessionId);
      },
    });
  }

  /** Rejects with Outage when the store does not answer: then its keeper starts it again. */
  async start(): Promise<void> {
    const { world, owner, slotsMax, idleMs, backgroundMs } = this.#ports;
    const clock = world.clockOf(this.node);
    const logger = world.loggerOf(this.node);
    const { chance } = world;
    const ports = { clock, logger, chance };
    const heartbeat = new Heartbeat({ owners: this.#owners, ...ports }, owner);
    await heartbeat.beat();
    this.#releases.push(startServices([heartbeat], ports));
    this.#releases.push(() => this.live.close());
    const spares = new Spares({ launcher: this.launcher, ...ports }, this.#ports.spares);
    this.#releases.push(() => this.#workbench.close());
    const supervisor = new Supervisor({
      ...ports,
      sessions: this.runs,
      journal: this.journal,
      store: this.#ports.store.lineOf(this.node).sessions,
      deletions: NO_DELETIONS,
      owners: this.#owners,
      access: this.#access(),
      spares,
      workbench: this.#workbench,
      launcher: this.launcher,
      owner,
      slotsMax,
      idleMs,
      backgroundMs,
      draftOf: (sessionId, callId) => this.live.messageOf(sessionId, callId),
    });
    this.#releases.push(startServices([spares, supervisor, this.#workspaces], ports));
    this.isOpen = true;
  }

  /** As the scope of processes/control-plane.ts: in the reverse order of the start. */
  async stop(): Promise<void> {
    this.isEnding = true;
    this.isOpen = false;
    for (const release of this.#releases.splice(0).toReversed()) await release();
  }

  kill(): void {
    this.isEnding = true;
    this.isOpen = false;
    this.node.kill();
  }

  #access(): Access {
    const keys = undefined as never; // units have tokens
    return new Access({
      keys,
      tokenGenerations: keys,
      clock: this.#ports.world.clockOf(this.node),
      signingKey: SIGNING_KEY,
      firstOrganisation: ORGANISATION.id,
    });
  }
}
