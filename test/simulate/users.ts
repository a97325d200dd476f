/**
 * People and programs at the outer door: they start sessions, speak, cancel and archive, at any server; when they hear nothing
 * they ask again with the same key, and sometimes a request arrives twice, the second time much later.
 */
import type { SessionId } from '../../src/kernel/id.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { Fault } from '../../src/kernel/fault.ts';
import type { Rates } from './faults.ts';
import type { Log } from './log.ts';
import { SimNode } from './node.ts';
import type { SimServer } from './server.ts';
import type { World } from './world.ts';

const ACTOR = { kind: 'human' } as const;
const MODES = ['steer', 'steer', 'queue', 'interrupt'] as const;
/** Who asks so often in vain gives up. */
const ATTEMPTS_MAX = 12;

export interface UserPorts {
  readonly world: World;
  readonly log: Log;
  readonly servers: () => readonly SimServer[];
  readonly rates: () => Rates;
  readonly number: number;
  /** Follows the session from now on. */
  readonly started: (sessionId: SessionId) => void;
}

interface Said {
  readonly isKeyed: boolean;
  attempts: number;
  /** Where the answer said it is. */
  acknowledged: { readonly sessionId: SessionId; readonly seq: number; readonly turnId: string } | undefined;
}

export class User {
  readonly node: SimNode;
  readonly #ports: UserPorts;
  readonly #said = new Map<string, Said>();
  #isStopped = false;
  #counter = 0;
  isBusy = true;

  constructor(ports: UserPorts) {
    this.#ports = ports;
    this.node = new SimNode(`user${ports.number}`);
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(sessions: number): Promise<void> {
    const { world } = this.#ports;
    await this.#pause(0, 5_000);
    for (let count = 0; count < sessions && !this.#isStopped; count += 1) {
      const sessionId = await this.#start();
      if (sessionId === undefined) continue;
      this.#ports.started(sessionId);
      const moves = 1 + world.dice.below(8);
      for (let move = 0; move < moves && !this.#isStopped; move += 1) {
        await this.#pause(5, world.dice.pick([100, 3_000, 20_000]));
        await this.#move(sessionId);
      }
    }
    this.isBusy = false;
  }

  /** Everything that was acknowledged is there, once; everything else at most as often as it was asked for. */
  check(): void {
    const { world, log } = this.#ports;
    const places = new Map<string, { sessionId: SessionId; seq: number; turnId: string | undefined }[]>();
    for (const [sessionId, { events }] of log.sessions)
      for (const { type, body, seq, turnId } of events) {
        if (type !== 'user.message') continue;
        const { text } = JSON.parse(body) as { text: string }; // event-catalog.ts
        places.set(text, [...(places.get(text) ?? []), { sessionId, seq, turnId }]);
      }
    for (const [text, { isKeyed, attempts, acknowledged }] of this.#said) {
      const found = places.get(text) ?? [];
      if (found.length > (isKeyed ? 1 : attempts))
        world.violate('a key is used once', `"${text}" is in the logs ${found.length} times`);
      const isThere = found.some(
        ({ sessionId, seq, turnId }) =>
          sessionId === acknowledged?.sessionId && seq === acknowledged.seq && turnId === acknowledged.turnId,
      );
      if (acknowledged !== undefined && !isThere)
        world.violate('what was acknowledged is there', `"${text}" at ${JSON.stringify(acknowledged)}`);
    }
  }

  async #start(): Promise<SessionId | undefined> {
    const { world } = this.#ports;
    const { text, said, key } = this.#words(world.dice.hits(0.8));
    const limits = world.dice.hits(0.2) ? { turnSeconds: world.dice.pick([3, 20]) } : {};
    const more = world.dice.hits(0.1) ? { ...limits, turns: 2 } : limits;
    const started = await this.#ask('start', key !== undefined, said, (server) =>
      server.sessions.start({ agent: 'sim', input: text, limits: more, actor: ACTOR, idempotencyKey: key }),
    );
    if (started === undefined) return undefined;
    const { id } = started.session;
    const first = this.#ports.log.of(id)?.events[0];
    said.acknowledged = { sessionId: id, seq: first?.seq ?? 0, turnId: started.turnId };
    return id;
  }

  async #move(sessionId: SessionId): Promise<void> {
    const { dice } = this.#ports.world;
    const isKeyed = dice.hits(0.7);
    if (dice.hits(0.75)) {
      const { text, said, key } = this.#words(isKeyed);
      const mode = dice.pick(MODES);
      const sent = await this.#ask('send', isKeyed, said, (server) =>
        server.sessions.send({ sessionId, text, mode, actor: ACTOR, idempotencyKey: key }),
      );
      if (sent !== undefined) said.acknowledged = { sessionId, seq: sent.seq, turnId: sent.turnId };
      return;
    }
    const { said, key } = this.#words(isKeyed);
    this.#said.delete(`u${this.#ports.number}.${this.#counter}`);
    const isArchive = dice.hits(0.15);
    await this.#ask(isArchive ? 'archive' : 'cancel', isKeyed, said, (server) =>
      isArchive
        ? server.sessions.archive(sessionId, ACTOR, key)
        : server.sessions.cancel(sessionId, ACTOR, key),
    );
  }

  #words(isKeyed: boolean): { text: string; said: Said; key: string | undefined } {
    this.#counter += 1;
    const text = `u${this.#ports.number}.${this.#counter}`;
    const said: Said = { isKeyed, attempts: 0, acknowledged: undefined };
    this.#said.set(text, said);
    return { text, said, key: isKeyed ? `k-${text}` : undefined };
  }

  /** Undefined when it was refused or nobody answered. */
  async #ask<T>(
    what: string,
    isKeyed: boolean,
    said: Said,
    ask: (server: SimServer) => Promise<T>,
  ): Promise<T | undefined> {
    const { world, rates } = this.#ports;
    if (isKeyed && world.dice.hits(rates().doubled)) {
      world.schedule(this.node, world.dice.between(1, 60_000), () => {
        if (!this.#isStopped) void this.#once(`${what} again`, said, ask).catch(() => undefined);
      });
    }
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      try {
        return await this.#once(what, said, ask);
      } catch (error) {
        if (!(error instanceof Outage)) return this.#refused(what, error);
        if (!isKeyed && world.dice.hits(0.5)) return undefined;
        await this.#pause(100, 2_000);
      }
    }
    return undefined;
  }

  #refused(what: string, error: unknown): undefined {
    const { world } = this.#ports;
    world.tell(this.node.name, `${what} is refused`, { error });
    if (!(error instanceof Fault))
      world.violate('refusals are faults', `${what}: ${String((error as Error).stack)}`);
    return undefined;
  }

  /** One request over the network to one of the servers. */
  #once<T>(what: string, said: Said, ask: (server: SimServer) => Promise<T>): Promise<T> {
    const { world, servers, rates } = this.#ports;
    const { dice } = world;
    said.attempts += 1;
    return new Promise((resolve, reject) => {
      const lost = (): void => reject(new Outage('SIMULATED', 'The server does not answer.'));
      const open = servers().filter(({ isOpen }) => isOpen);
      if (open.length === 0) {
        world.schedule(this.node, dice.between(10, 500), lost);
        return;
      }
      const server = dice.pick(open);
      const cancelTimeout = world.schedule(this.node, 15_000, lost);
      const hear = (deliver: () => void): void => {
        if (dice.hits(rates().dropped)) return;
        world.schedule(this.node, dice.between(0.1, rates().delayMs), () => {
          cancelTimeout();
          deliver();
        });
      };
      if (dice.hits(rates().dropped)) return;
      world.schedule(server.node, dice.between(0.1, rates().delayMs), () => {
        if (!server.isOpen) return;
        world.tell(this.node.name, `${what} at ${server.owner}`);
        ask(server).then(
          (answer) => hear(() => resolve(answer)),
          (error: unknown) => hear(() => reject(error)),
        );
      });
    });
  }

  #pause(leastMs: number, mostMs: number): Promise<void> {
    const { world } = this.#ports;
    return world.clockOf(this.node).sleep(world.dice.between(leastMs, mostMs));
  }
}
