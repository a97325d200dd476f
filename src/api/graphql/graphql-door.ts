/** The GraphQL door: HTTP, SSE and WebSocket on one path, /graphql. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { LogBudget } from '../../../schema/log-budget.ts';
import { schema } from '../../../schema/schema.ts';
import { Documents } from './documents.ts';
import { Follows } from './follows.ts';
import { createHttpDoor } from './http-door.ts';
import { lineOf } from './body-parsing.ts';
import type { Principal } from '../../access/principal.ts';
import { BearerWatch } from '../../access/bearer-watch.ts';
import { systemClock } from '../../kernel/clock.ts';
import { startServices } from '../../kernel/service.ts';
import { RoundRobin } from '../../kernel/round-robin.ts';
import { TimeSlices } from '../../kernel/time-slices.ts';
import { nameOf, Operations } from './operations.ts';
import type { DoorPorts, GraphqlOptions, GraphqlPorts } from './options.ts';
import { Outgoing } from './outgoing.ts';
import { createSocketServer } from './socket-door.ts';
import { Sockets } from './sockets.ts';

/** Operations that begin in one round of the event loop (TURNS-2): a burst of a hundred is over in some rounds, and none of them is long. */
const ADMITTED_PER_ROUND = { turns: 32, ms: 20 };

/** Each is waited for before the thing is done. */
export interface DoorTurns {
  begin(): Promise<void>;
  read(): Promise<void>;
}

export interface GraphqlDoor {
  /** Answers one HTTP request; never rejects for what a client sent. */
  handle(req: IncomingMessage, res: ServerResponse): Promise<void>;
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void;
  /** Ends all sockets and returns when they have closed. Requests in flight are the HTTP server's to wait for. */
  close(): Promise<void>;
  /** What is held now: for tests and for the operator. */
  readonly held: {
    readonly sockets: number;
    readonly groups: number;
    readonly operations: number;
    readonly watched: number;
  };
  /** What waits for readers: each answer of the HTTP server is added to it. */
  readonly outgoing: Outgoing;
  /** An answer of another door is this principal's: counted with its others, and cut when it may ask no more (ACCESS-2). Answers what ends the watch. */
  owns(res: ServerResponse, principal: Principal): () => void;
  /** Turns of another door: it is begun among operations (TURNS-2), and reads among the reads of the same principal (BUDGET-2). */
  turnsOf(req: IncomingMessage, principal: Principal): DoorTurns;
  /** In which requests, upgrades and messages of sockets are begun. */
  readonly slices: TimeSlices;
}

export function createGraphqlDoor(ports: GraphqlPorts, options: GraphqlOptions = {}): GraphqlDoor {
  const documents = new Documents(schema, { introspection: options.introspection !== false });
  const { logger } = ports;
  const { outgoingBytesMax: bytesMax, stallMs } = options;
  const outgoing = new Outgoing({ logger, bytesMax, stallMs });
  const { scheduler } = ports.live;
  const monotonicNow = (): number => performance.now();
  const slices = new TimeSlices({ scheduler, monotonicNow });
  const bounds = { outgoing, operations: new Operations(options.operations), slices };
  const turns = new RoundRobin(scheduler, monotonicNow);
  const admission = new RoundRobin(scheduler, monotonicNow, ADMITTED_PER_ROUND);
  const { access } = ports;
  const clock = systemClock;
  const watch = new BearerWatch({ access, clock, logger, scheduler });
  const stopServices = startServices([watch, access.uses], { clock, logger });
  const shared: DoorPorts = { ...ports, turns, admission, watch };
  const follows = new Follows(shared, options);
  const handle = createHttpDoor(shared, options, documents, bounds);
  const sockets = new Sockets(createSocketServer(shared, documents, follows, bounds), ports, options, {
    outgoing,
    slices,
  });
  return {
    handle,
    upgrade: (req, socket, head) => sockets.upgrade(req, socket, head),
    async close() {
      await sockets.close();
      await stopServices();
      outgoing.close();
    },
    outgoing,
    owns(res, principal) {
      outgoing.belongsTo(res, nameOf(principal));
      return watch.add(principal, () => res.destroy());
    },
    turnsOf(req, principal) {
      const budget = new LogBudget(turns, principal);
      return {
        begin: () => admission.turn(nameOf(principal), lineOf(req.socket)),
        read: () => budget.turn(),
      };
    },
    slices,
    get held() {
      return {
        sockets: sockets.count,
        groups: follows.groups,
        operations: bounds.operations.size,
        watched: watch.size,
      };
    },
  };
}
