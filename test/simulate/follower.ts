/** Somebody who follows a session, drops the connection now and then, and goes on from the cursor at any server (FOLLOW-1). */
import { follow } from '../../src/journal/follow.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { parseCursor, cursorOf } from '../../src/journal/cursor.ts';
import type { Log } from './log.ts';
import { SimNode } from './node.ts';
import type { SimServer } from './server.ts';
import type { World } from './world.ts';

export interface FollowerPorts {
  readonly world: World;
  readonly log: Log;
  readonly servers: () => readonly SimServer[];
  readonly sessionId: SessionId;
}

/** How long a connection holds at most. */
const HELD_MS_MAX = 60_000;
/** A server that died is noticed after this long at most: no more word of it. */
const SILENCE_MS = 5_000;

export class Follower {
  readonly node: SimNode;
  readonly sessionId: SessionId;
  readonly #ports: FollowerPorts;
  #read = 0;
  #connection: { readonly abort: AbortController; readonly server: SimServer } | undefined;

  constructor(ports: FollowerPorts) {
    this.#ports = ports;
    this.sessionId = ports.sessionId;
    this.node = new SimNode(`follower.${ports.sessionId.slice(4, 8)}`);
    this.#connect();
  }

  get isCaughtUp(): boolean {
    return this.#read === this.#ports.log.of(this.sessionId)?.events.length;
  }

  get read(): number {
    return this.#read;
  }

  close(): void {
    this.#connection?.abort.abort();
    this.node.kill();
  }

  #connect(): void {
    const { world, servers, sessionId } = this.#ports;
    const open = servers().filter(({ isOpen }) => isOpen);
    const server = open.length === 0 ? undefined : world.dice.pick(open);
    if (server === undefined) {
      world.schedule(this.node, 500, () => this.#connect());
      return;
    }
    const abort = new AbortController();
    this.#connection = { abort, server };
    const cursor = cursorOf(sessionId, this.#read);
    world.schedule(
      server.node,
      world.dice.between(0.1, 5),
      () => void this.#serve(server, cursor, abort.signal),
    );
    const dropsAt = world.now + world.dice.between(10, HELD_MS_MAX);
    this.#watch(server, abort, dropsAt);
  }

  /** The connection ends by itself, by chance, or with the server. */
  #watch(server: SimServer, abort: AbortController, dropsAt: number): void {
    const { world } = this.#ports;
    world.schedule(this.node, Math.min(SILENCE_MS, Math.max(1, dropsAt - world.now)), () => {
      if (world.now < dropsAt && server.node.alive && !abort.signal.aborted)
        return this.#watch(server, abort, dropsAt);
      abort.abort();
      this.#connect();
    });
  }

  async #serve(server: SimServer, cursor: string, signal: AbortSignal): Promise<void> {
    const { journal, live } = server;
    const { sessionId, world } = this.#ports;
    const after = parseCursor(sessionId, cursor);
    try {
      for await (const frame of follow({ journal, live }, { sessionId, after, deltas: true }, signal)) {
        if (signal.aborted) return;
        if (frame.kind === 'events') this.#receive(frame.events);
      }
    } catch (error) {
      world.tell(this.node.name, 'follow fails', { error });
    }
  }

  #receive(events: readonly { readonly seq: number; readonly body: string; readonly type: string }[]): void {
    const { world, log, sessionId } = this.#ports;
    for (const { seq, body, type } of events) {
      const written = log.of(sessionId)?.events[seq - 1];
      if (seq !== this.#read + 1)
        world.violate('FOLLOW-1 complete', `${sessionId}: ${seq} after ${this.#read}`);
      if (written?.body !== body || written.type !== type)
        world.violate('FOLLOW-1 complete', `${sessionId}: seq ${seq} is not what was written`);
      this.#read = seq;
    }
  }
}
