/** The machines and the servers that live on them, one after the other; and what may befall them. */
import { LEASE_TTL_MS } from '../../src/kernel/limit.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import type { Rates, Strike } from './faults.ts';
import type { ToolRuns } from './machine.ts';
import { ModelService } from './model.ts';
import { SimNode } from './node.ts';
import { SimServer } from './server.ts';
import type { SharedStore } from './shared-store.ts';
import type { Archive, Disk } from './workspaces.ts';
import type { World } from './world.ts';

export interface FleetPorts {
  readonly world: World;
  readonly store: SharedStore;
  readonly rates: () => Rates;
  readonly skewsMs: readonly number[];
  /** A mutant (workspaces.ts). */
  readonly isForgetful: boolean;
  readonly toolRuns: ToolRuns;
  readonly assigned: (token: string) => void;
  readonly asked: (sessionId: SessionId, epoch: number, server: SimNode) => void;
  readonly wrote: (sessionId: SessionId, epoch: number, firstSeq: number) => void;
}

interface Machine {
  readonly name: string;
  readonly disk: Disk;
  skewMs: number;
  lives: number;
  server: SimServer | undefined;
}

/** A server that was not to be heard for less than this may be thought dead by nobody. */
const SURELY_MS = LEASE_TTL_MS + 10_000;
const SLOTS_MANY = 12;
const RESTART_MS = 1_000;

export class Fleet {
  readonly #ports: FleetPorts;
  readonly #machines: readonly Machine[];
  readonly #archive: Archive = new Map();
  readonly #service: ModelService;
  readonly #node = new SimNode('keeper');
  readonly #all = new Map<string, SimServer>();
  readonly #slotsMax: number;
  readonly #spares: number;
  readonly #idleMs: number;
  readonly #backgroundMs: number;
  #isEnding = false;

  constructor(ports: FleetPorts) {
    this.#ports = ports;
    this.#service = new ModelService(ports.world);
    const { dice } = ports.world;
    this.#slotsMax = dice.pick([1, 2, SLOTS_MANY]);
    this.#spares = dice.below(2);
    this.#idleMs = dice.pick([500, 3_000, 10_000]);
    this.#backgroundMs = dice.pick([1_000, 20_000]);
    this.#machines = ports.skewsMs.map((skewMs, at) => ({
      name: `m${at + 1}`,
      disk: new Map(),
      skewMs,
      lives: 0,
      server: undefined,
    }));
  }

  get servers(): readonly SimServer[] {
    return this.#machines.flatMap(({ server }) => server ?? []);
  }

  /** All of them serve, and none is deaf. */
  get isUp(): boolean {
    const { now } = this.#ports.world;
    return this.#machines.every(({ server }) => server?.isOpen === true && server.node.deafUntil <= now);
  }

  /** As many slots as there are ever sessions. */
  get hasRoom(): boolean {
    return this.#slotsMax === SLOTS_MANY;
  }

  /** Brains that have a session. */
  get working(): readonly string[] {
    return this.servers.flatMap(({ launcher }) => launcher.working);
  }

  /** Workspaces that a server which is up holds, though their sessions may sleep. */
  get held(): readonly SessionId[] {
    return [...this.#archive].flatMap(([sessionId, { holder }]) =>
      holder !== undefined && this.isUpAs(holder) ? sessionId : [],
    );
  }

  isUpAs(owner: string): boolean {
    return this.#all.get(owner)?.isOpen === true;
  }

  /** What this server would have to end by itself. */
  isLivingOn(hands: SimNode): boolean {
    return hands.alive && this.isLiving(hands.name.slice(0, hands.name.lastIndexOf('.')));
  }

  /** Whether that server has had no reason to be thought dead. */
  isLiving(owner: string): boolean {
    const { world, store } = this.#ports;
    const server = this.#all.get(owner);
    if (server === undefined || !server.isOpen) return false;
    return world.now > Math.max(server.node.deafUntil, store.awayUntil) + SURELY_MS;
  }

  start(): void {
    for (const machine of this.#machines) this.#boot(machine);
  }

  async stop(): Promise<void> {
    this.#isEnding = true;
    await Promise.all(this.servers.map((server) => server.stop()));
  }

  checkNothingRuns(): void {
    const { world } = this.#ports;
    for (const { owner, node, launcher } of this.servers) {
      if (launcher.brains.size > 0)
        world.violate('nothing outlives its server', `${owner}: ${launcher.brains.size} brains`);
      if (launcher.hands.size > 0)
        world.violate('nothing outlives its server', `${owner}: ${launcher.hands.size} hands`);
      if (node.waiting > 0) world.violate('nothing outlives its server', `${owner}: ${node.waiting} waits`);
    }
  }

  strike(strike: Exclude<Strike, { kind: 'store away' }>): void {
    const { world } = this.#ports;
    const machine = world.dice.pick(this.#machines);
    const { server } = machine;
    if (server === undefined || server.isEnding) return;
    switch (strike.kind) {
      case 'kill server':
        server.kill();
        this.#bootIn(machine, strike.backMs);
        return;
      case 'stop server':
        void server.stop().then(() => {
          server.node.kill();
          this.#bootIn(machine, strike.backMs);
        });
        return;
      case 'pause server':
        server.node.deafUntil = Math.max(server.node.deafUntil, world.now + strike.ms);
        return;
      case 'kill brain':
        pickOf([...server.launcher.brains], world)?.kill();
        return;
      case 'pause brain': {
        const brain = pickOf([...server.launcher.brains], world);
        if (brain !== undefined) brain.node.deafUntil = Math.max(brain.node.deafUntil, world.now + strike.ms);
        return;
      }
      case 'hang brain': {
        const brain = pickOf([...server.launcher.brains], world);
        if (brain !== undefined) brain.node.deafUntil = Infinity;
        return;
      }
      case 'mortal hands':
        server.launcher.handsDieUntil = world.now + strike.ms;
        return;
      case 'kill hands':
        pickOf([...server.launcher.hands], world)?.kill();
        return;
      case 'no launches':
        server.launcher.brokenUntil = world.now + strike.ms;
        return;
      case 'cut connections':
        for (const connection of server.launcher.connections) connection.cut();
        return;
      case 'set clock':
        machine.skewMs = strike.skewMs;
        server.node.skewMs = strike.skewMs;
    }
  }

  #bootIn(machine: Machine, ms: number): void {
    this.#ports.world.schedule(this.#node, ms, () => this.#boot(machine));
  }

  #boot(machine: Machine): void {
    if (this.#isEnding) return;
    const { world, store, rates, toolRuns, assigned, asked, wrote, isForgetful } = this.#ports;
    machine.lives += 1;
    const server = new SimServer({
      world,
      store,
      rates,
      service: this.#service,
      archive: this.#archive,
      disk: machine.disk,
      owner: `${machine.name}.${machine.lives}`,
      skewMs: machine.skewMs,
      slotsMax: this.#slotsMax,
      spares: this.#spares,
      idleMs: this.#idleMs,
      backgroundMs: this.#backgroundMs,
      isForgetful,
      toolRuns,
      assigned,
      asked,
      wrote,
    });
    machine.server = server;
    this.#all.set(server.owner, server);
    world.tell('fate', `${server.owner} starts`);
    server.start().catch((error: unknown) => {
      world.tell('fate', `${server.owner} does not start`, { error });
      server.kill();
      this.#bootIn(machine, RESTART_MS);
    });
  }
}

function pickOf<T>(values: readonly T[], { dice }: World): T | undefined {
  return values.length === 0 ? undefined : dice.pick(values);
}
