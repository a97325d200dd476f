/**
 * A machine on which servers live one after the other: it launches brains and hands as the local launcher does, but in memory.
 * The brain, the unit endpoint's client and the hands' server are the real ones. What lies on its disk outlives servers.
 */
import { type BrainPorts, runBrain } from '../../src/brain/turn-loop.ts';
import { unitEndpoint } from '../../src/brain/unit-endpoint.ts';
import type { Server } from 'node:http';
import type { SessionId } from '../../src/kernel/id.ts';
import type { Logger } from '../../src/kernel/logger.ts';
import {
  LaunchFailed,
  type Brain,
  type Ended,
  type Hands,
  type Launcher,
} from '../../src/supervisor/launcher.ts';
import type { LogPlace } from '../../src/hands/workspace-archive.ts';
import { simModel } from './model.ts';
import { SimHands } from './hands.ts';
import type { Rates } from './faults.ts';
import { SimNode } from './node.ts';
import { unitLine } from './unit-line.ts';
import type { Workspaces } from './workspaces.ts';
import type { World } from './world.ts';

/** How long a brain that was told to end has until it is killed (platform/local). */
const STOP_GRACE_MS = 2_000;
/** Hands that die may take those that would follow them along: a full disk, no memory. */
const NO_OTHERS_MS = 2_000;
const CLEAN: Ended = { code: 0, signal: null, stderr: '' };
const FAILED: Ended = { code: 1, signal: null, stderr: '' };
const KILLED: Ended = { code: null, signal: 'SIGKILL', stderr: '' };

/** A command is really run; answers what is called at its end. `files`: those in its workspace, unless another server has that by now. */
export type ToolRuns = (
  sessionId: SessionId,
  callId: string,
  hands: SimNode,
  files: ReadonlyMap<string, unknown> | undefined,
) => () => void;

export interface LauncherPorts {
  readonly world: World;
  readonly server: SimNode;
  readonly door: () => Server;
  readonly logger: Logger;
  readonly rates: () => Rates;
  readonly workspaces: Workspaces;
  readonly toolRuns: ToolRuns;
  readonly assigned: (token: string) => void;
  /** A brain was told that its append has landed. */
  readonly wrote: (sessionId: SessionId, epoch: number, firstSeq: number) => void;
}

export interface Running {
  readonly node: SimNode;
  kill(): void;
}

/** What one server launches. */
export class SimLauncher implements Launcher {
  readonly #ports: LauncherPorts;
  readonly brains = new Set<Running>();
  readonly hands = new Set<SimHands>();
  readonly connections = new Set<{ cut(): void }>();
  /** Nothing comes up until then. */
  brokenUntil = 0;
  /** Hands that are started until then do not last. */
  handsDieUntil = 0;
  #launched = 0;

  constructor(ports: LauncherPorts) {
    this.#ports = ports;
  }

  async launchBrain(): Promise<Brain> {
    const { world, server } = this.#ports;
    const { clock } = this.#here();
    this.#launched += 1;
    const pid = this.#launched;
    const node = new SimNode(`${server.name}.brain${pid}`, server);
    await clock.sleep(world.dice.between(10, 400));
    if (this.#isBroken) throw new LaunchFailed('no brain', { isShortage: true });
    const { promise: ended, resolve } = Promise.withResolvers<Ended>();
    const stop = new AbortController();
    const end = (how: Ended): void => {
      if (!node.alive) return;
      node.kill();
      this.brains.delete(running);
      world.schedule(server, world.dice.between(0.1, 5), () => resolve(how)); // its parent hears of it
    };
    const running = { node, kill: () => end(KILLED) };
    this.brains.add(running);
    return {
      pid,
      ended,
      assign: (token) => {
        this.#ports.assigned(token);
        world.schedule(node, world.dice.between(0.1, 5), () => {
          void this.#work(node, token, stop.signal).then(end);
        });
      },
      stop: async () => {
        world.schedule(node, world.dice.between(0.1, 2), () => {
          stop.abort();
          if (!this.#isWorking.has(node)) end(CLEAN);
        });
        const late = new AbortController();
        void clock.sleep(STOP_GRACE_MS, late.signal).then(() => {
          if (!late.signal.aborted) end(KILLED);
        });
        await ended;
        late.abort();
      },
    };
  }

  async launchHands(sessionId: SessionId, signal?: AbortSignal): Promise<Hands> {
    const { world, server, workspaces, toolRuns } = this.#ports;
    const { clock } = this.#here();
    const workspace = await workspaces.open(sessionId, signal);
    await clock.sleep(world.dice.between(10, 300));
    if (signal?.aborted === true || this.#isBroken) throw new LaunchFailed('no hands', { isShortage: true });
    this.#launched += 1;
    const hands = new SimHands({
      world,
      server,
      node: new SimNode(`${server.name}.hands${this.#launched}`, server),
      pid: this.#launched,
      workspace,
      toolRuns: (callId, node) => {
        const files = workspaces.isHeldHere(sessionId) ? workspace.kept : undefined;
        return toolRuns(sessionId, callId, node, files);
      },
    });
    this.hands.add(hands);
    if (world.now < this.handsDieUntil)
      world.schedule(hands.node, world.dice.between(5, 400), () => {
        if (world.dice.hits(0.3)) this.brokenUntil = Math.max(this.brokenUntil, world.now + NO_OTHERS_MS);
        hands.kill();
      });
    void hands.ended.then(() => this.hands.delete(hands));
    return hands;
  }

  told(sessionId: SessionId): Promise<void> {
    return this.#ports.workspaces.told(sessionId);
  }

  checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean> {
    return this.#ports.workspaces.checkpoint(sessionId, place);
  }

  rest(sessionId: SessionId, place?: LogPlace): Promise<void> {
    return this.#ports.workspaces.rest(sessionId, place);
  }

  forget(sessionId: SessionId): Promise<boolean> {
    return this.#ports.workspaces.forget(sessionId);
  }

  sessions(): Promise<readonly SessionId[]> {
    return Promise.resolve(this.#ports.workspaces.sessions);
  }

  readonly #isWorking = new Set<SimNode>();

  /** Brains that have a session. */
  get working(): readonly string[] {
    return [...this.#isWorking].flatMap(({ alive, name }) => (alive ? name : []));
  }

  /** What processes/brain.ts does. */
  async #work(node: SimNode, token: string, signal: AbortSignal): Promise<Ended> {
    const { world, server, door, rates } = this.#ports;
    this.#isWorking.add(node);
    const clock = world.clockOf(node);
    const logger = world.loggerOf(node);
    const http = unitLine({ world, brain: node, server, door: door(), rates, open: this.connections });
    try {
      const unit = unitEndpoint({ http, clock, chance: world.chance }, token);
      const assignment = await unit.assignment(signal);
      const { sessionId, epoch } = assignment;
      const append: typeof unit.append = async (...request) => {
        const appended = await unit.append(...request);
        const { firstSeq, lastSeq, replayed } = appended;
        if (!replayed && firstSeq <= lastSeq) this.#ports.wrote(sessionId, epoch, firstSeq);
        return appended;
      };
      const ports: BrainPorts = {
        unit: { ...unit, append },
        model: simModel({ http, token }),
        clock,
        logger,
      };
      const pace = { firstMs: 500, ceilingMs: 20_000, random: world.chance.random };
      await runBrain(ports, assignment, signal, { retryPace: pace });
      return CLEAN;
    } catch (error) {
      if (signal.aborted || (error instanceof Error && 'final' in error && error.final === true))
        return CLEAN;
      logger.warn('brain failed', { error });
      return FAILED;
    }
  }

  get #isBroken(): boolean {
    const { world, rates } = this.#ports;
    return world.now < this.brokenUntil || world.dice.hits(rates().dropped);
  }

  #here() {
    const { world, server } = this.#ports;
    return { clock: world.clockOf(server) };
  }
}
