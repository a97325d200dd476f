/**
 * One history, all of it decided by its seed: servers on one store, brains, hands, a model, users and followers, and what goes
 * wrong among them for a while. Then faults and users stop, time passes, and everything must have come to rest as promised.
 */
import { verifyToken } from '../../src/access/token.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { wantsBrain } from '../../src/sessions/lifecycle.ts';
import { Agents } from '../../src/sessions/agents.ts';
import { diceOf } from './dice.ts';
import { Fleet } from './fleet.ts';
import { CALM, type Plan, planOf, type Strike } from './faults.ts';
import { Follower } from './follower.ts';
import { Log } from './log.ts';
import type { ToolRuns } from './machine.ts';
import { SimNode } from './node.ts';
import { checkRest } from './rest.ts';
import { SIGNING_KEY } from './server.ts';
import { SharedStore, type StoreMutant } from './shared-store.ts';
import type { OpenedStore, StoreKind } from './store-kinds.ts';
import { User } from './users.ts';
import { World } from './world.ts';
import { ORGANISATION } from './organisation.ts';

export type Mutant = StoreMutant | 'forgotten results';

export interface HistoryOptions {
  readonly seed: number;
  readonly store: StoreKind;
  /** Each request to the store in a step of its own: what two stores are compared by. */
  readonly isStill?: boolean | undefined;
  /** Clocks of machines differ by up to this much, and are set anew. Default: 0. */
  readonly skewMsMax?: number | undefined;
  readonly mutant?: Mutant | undefined;
}

export interface History {
  readonly seed: number;
  readonly world: World;
  readonly log: Log;
  readonly sessions: number;
  readonly events: number;
  readonly toolRuns: number;
  readonly virtualMs: number;
  /** Log and record of each session, in the order of their start. */
  readonly canonical: readonly string[];
}

const SERVERS = 2;
const ACTIVE_MS = 60_000;
/** Pauses, restarts, the lease of a dead server and the retry after a loss are over by then. */
const CALM_MS = 140_000;
const REST_MS = 600_000;
/** What was thought to be over stays over. */
const SETTLED_MS = 20_000;
/** Of rest that something came into: what was on its way comes once. */
const ROUNDS_MAX = 3;
/** Commands of a turn that has ended have so long, and whoever ends them. */
const COMMANDS_END_MS = 15_000;
/** A brain that hangs in its turn is found out by nothing else. */
const TURN_SECONDS = 120;
const STOP_MS = 60_000;
const LAST_MS = 60_000;

export async function runHistory(options: HistoryOptions): Promise<History> {
  const world = new World(options.seed);
  const unhandled = (error: unknown): void =>
    world.violate('no rejection is left alone', String(error instanceof Error ? error.stack : error));
  process.on('unhandledRejection', unhandled);
  const stage = new Stage(world, options);
  try {
    await stage.open();
    await stage.play();
    return await stage.result();
  } finally {
    process.off('unhandledRejection', unhandled);
    await stage.close();
  }
}

class Stage {
  readonly #world: World;
  readonly #options: HistoryOptions;
  readonly #log: Log;
  readonly #store: SharedStore;
  readonly #fleet: Fleet;
  readonly #plan: Plan;
  readonly #fate = new SimNode('fate');
  readonly #users: User[] = [];
  readonly #followers: Follower[] = [];
  readonly #toolRuns = new Map<string, number>();
  /** Commands that run, and where. */
  readonly #commands = new Map<string, SimNode>();
  readonly #assigned = new Set<string>();
  #opened: OpenedStore | undefined;

  constructor(world: World, options: HistoryOptions) {
    const { seed, skewMsMax = 0, mutant, isStill = false } = options;
    this.#world = world;
    this.#options = options;
    const weather = { activeMs: ACTIVE_MS, servers: SERVERS, skewMsMax };
    this.#plan = planOf(diceOf(seed, 'plan'), weather);
    this.#log = new Log(world, this.#plan.eventsMax);
    const storeMutant = mutant === 'forgotten results' ? undefined : mutant;
    const { rates } = this.#plan;
    this.#store = new SharedStore(world, { log: this.#log, rates, mutant: storeMutant, isStill });
    this.#fleet = new Fleet({
      world,
      store: this.#store,
      rates: () => this.#store.rates,
      skewsMs: this.#plan.skewsMs,
      isForgetful: mutant === 'forgotten results',
      toolRuns: (...run) => this.#toolRan(...run),
      assigned: (token) => this.#assign(token),
      asked: (...call) => this.#log.asked(...call),
      wrote: (...append) => this.#log.wrote(...append),
    });
    this.#log.turnEnded = (sessionId, number) => this.#turnEnded(sessionId, number);
    this.#log.isLiving = (owner) => this.#fleet.isLiving(owner);
  }

  async open(): Promise<void> {
    const { store, isStill = false } = this.#options;
    const scheduler = isStill ? undefined : this.#world.schedulerOf(this.#store.node);
    this.#opened = await store({
      clock: this.#store.clock,
      scheduler,
      caps: { eventsMax: this.#plan.eventsMax },
    });
    this.#store.use(this.#opened);
    const none = undefined as never; // the model of a rehearsal needs no credential
    const agents = new Agents({
      agents: this.#opened.agents,
      credentials: none,
      clock: this.#store.clock,
      organisation: ORGANISATION,
    });
    await agents.create({
      name: 'sim',
      model: 'rehearsal/echo',
      prompt: 'Be brief.',
      limits: { turnSeconds: TURN_SECONDS },
      idempotencyKey: 'sim',
    });
  }

  async play(): Promise<void> {
    const world = this.#world;
    const { dice } = world;
    this.#fleet.start();
    for (const { atMs, strike } of this.#plan.strikes)
      world.schedule(this.#fate, atMs, () => this.#strike(strike));
    const count = 1 + dice.below(4);
    for (let number = 1; number <= count; number += 1) {
      const user = new User({
        world,
        log: this.#log,
        servers: () => this.#fleet.servers,
        rates: () => this.#store.rates,
        number,
        started: (sessionId) => this.#follow(sessionId),
      });
      this.#users.push(user);
      void user.run(1 + dice.below(3));
    }
    await world.run(ACTIVE_MS);
    world.tell('fate', 'the faults end');
    this.#store.rates = CALM;
    for (const user of this.#users) user.stop();
    if (!(await world.run(CALM_MS, () => this.#isAtRest()))) this.#checkServed();
    // A message that was on its way to a server that hung wakes a session that was thought to be over.
    for (let round = 0; round === 0 || (round < ROUNDS_MAX && !this.#isAtRest()); round += 1) {
      await world.run(REST_MS, () => this.#isAtRest());
      await world.run(SETTLED_MS);
    }
    if (world.violation !== undefined) return;
    await checkRest({
      world,
      log: this.#log,
      store: this.#store.ports,
      followers: this.#followers,
      hasRun: (sessionId, callId) => this.#toolRuns.has(`${sessionId} ${callId}`),
      fleet: this.#fleet,
    });
    for (const user of this.#users) user.check();
    await this.#end();
  }

  async result(): Promise<History> {
    const logs = [...this.#log.sessions.values()];
    const canonical = logs.map(({ events, session }) =>
      JSON.stringify({
        events: events.map(({ seq, at, type, level, body, turnId }) => [seq, at, type, level, body, turnId]),
        session,
      }),
    );
    const events = logs.reduce((sum, log) => sum + log.events.length, 0);
    return {
      seed: this.#options.seed,
      world: this.#world,
      log: this.#log,
      sessions: logs.length,
      events,
      toolRuns: this.#toolRuns.size,
      virtualMs: this.#world.now,
      canonical,
    };
  }

  async close(): Promise<void> {
    await this.#opened?.close();
  }

  #isAtRest(): boolean {
    if (this.#users.some(({ isBusy }) => isBusy) || !this.#fleet.isUp) return false;
    for (const { session } of this.#log.sessions.values()) {
      if (wantsBrain(session)) return false;
      if (session.lease !== undefined) return false;
    }
    if (this.#fleet.held.length > 0) return false; // what could not be saved is tried again after a while
    return this.#followers.every(({ isCaughtUp }) => isCaughtUp);
  }

  /** Where there is room and nothing goes wrong any more, what waits has been taken. */
  #checkServed(): void {
    if (!this.#fleet.hasRoom) return;
    for (const [sessionId, { session, statusSince }] of this.#log.sessions) {
      const waits = wantsBrain(session) && this.#world.now - statusSince > CALM_MS / 2;
      if (waits && !this.#fleet.isUpAs(session.lease?.owner ?? ''))
        this.#world.violate('a server that has room takes what waits', `${sessionId} is ${session.status}`);
    }
  }

  /** Servers stop in order; what they began ends with them. */
  async #end(): Promise<void> {
    const world = this.#world;
    for (const follower of this.#followers) follower.close();
    const stopped = this.#fleet.stop();
    let isStopped = false;
    void stopped.then(() => (isStopped = true));
    if (!(await world.run(STOP_MS, () => isStopped)))
      return world.violate('a server ends when it is told to', 'it does not');
    await world.run(LAST_MS);
    this.#fleet.checkNothingRuns();
  }

  #follow(sessionId: SessionId): void {
    const world = this.#world;
    const count = 1 + world.dice.below(2);
    for (let at = 0; at < count; at += 1)
      this.#followers.push(
        new Follower({ world, log: this.#log, servers: () => this.#fleet.servers, sessionId }),
      );
  }

  #toolRan(...[sessionId, callId, hands, files]: Parameters<ToolRuns>): ReturnType<ToolRuns> {
    if (files !== undefined) this.#log.ranOn(sessionId, callId, files);
    const place = `${sessionId} ${callId}`;
    const runs = (this.#toolRuns.get(place) ?? 0) + 1;
    this.#toolRuns.set(place, runs);
    this.#world.tell('tool', `${sessionId.slice(4, 8)} ${callId} runs`);
    if (runs > 1) this.#world.violate('a tool runs once', `${place} ran ${runs} times`);
    this.#commands.set(place, hands);
    return () => this.#commands.delete(place);
  }

  /** What a turn has started does not go on for long after it. */
  #turnEnded(sessionId: SessionId, number: number): void {
    this.#world.schedule(this.#fate, COMMANDS_END_MS, () => {
      for (const [place, hands] of this.#commands)
        if (place.startsWith(`${sessionId} t${number}m`) && this.#fleet.isLivingOn(hands))
          this.#world.violate('commands end with their turn', `${place} at ${hands.name}`);
    });
  }

  #assign(token: string): void {
    const unit = verifyToken(token, {
      signingKey: SIGNING_KEY,
      now: this.#world.wallNow(),
      firstOrganisation: ORGANISATION.id,
    });
    if (unit?.kind !== 'unit') return this.#world.violate('a brain is given a unit token', token);
    const place = `${unit.sessionId} ${unit.epoch}`;
    if (this.#assigned.has(place)) this.#world.violate('an epoch has one brain', place);
    this.#assigned.add(place);
  }

  #strike(strike: Strike): void {
    const world = this.#world;
    const { kind, ...how } = strike;
    world.tell('fate', kind, how);
    if (strike.kind === 'store away') this.#store.awayUntil = world.now + strike.ms;
    else this.#fleet.strike(strike);
  }
}
