/**
 * GraphQL over WebSocket: graphql-transport-ws by graphql-ws's server, on our own sending side. Followers of sessions are
 * served by follower.ts; all else is executed here, under the same rules as over HTTP.
 *
 * TOKEN-9 A client token that is renewed on a socket takes the place there of the one before: what was subscribed to goes on, and the socket
 *    ends with the last of them.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type ExecutionArgs, getOperationAST } from 'graphql';
import { type Context as Connection, makeServer, type Server, type SubscribePayload } from 'graphql-ws';
import { type Context, contextOf } from '../../../schema/context.ts';
import { LogBudget } from '../../../schema/log-budget.ts';
import { schema } from '../../../schema/schema.ts';
import { bearerOf } from '../../access/bearer.ts';
import type { ClientPrincipal, Principal } from '../../access/principal.ts';
import { Fault, Forbidden } from '../../kernel/fault.ts';
import { Outage } from '../../kernel/outage.ts';
import { Allowance } from './allowance.ts';
import { bounded, boundedStream } from './answer-bounds.ts';
import { lineOf } from './body-parsing.ts';
import { CLOSE } from './close-code.ts';
import type { Documents } from './documents.ts';
import type { Follows } from './follows.ts';
import type { Inflow } from './inflow.ts';
import type { Line } from './line.ts';
import {
  ANSWER_BYTES_MAX,
  INIT_TIMEOUT_MS,
  OPERATION_ID_BYTES_MAX,
  OPERATIONS_PER_SOCKET_MAX,
} from './limits.ts';
import { executeInTurn, subscribeInTurns } from './making.ts';
import { formatted, masked, refusal } from './masking.ts';
import { nameOf, type Operations, tooMany } from './operations.ts';
import type { DoorPorts } from './options.ts';
import { originOf } from './origin.ts';
import type { Outgoing } from './outgoing.ts';
import type { Outlet } from './outlet.ts';
import { sendingAll, senderOf, SENT } from './socket-answers.ts';

/** What is known of one socket. */
export interface Extra {
  readonly request: IncomingMessage;
  readonly outlet: Outlet;
  readonly inflow: Pick<Inflow, 'known'>;
  /** Set when the connection is acknowledged. */
  principal?: Principal;
  /** Ends the socket when its token does. */
  expiry?: NodeJS.Timeout;
  /** What is to be called when it has closed: of its operations, and of itself. */
  readonly ends: Set<() => void>;
}

interface SocketContext extends Context {
  readonly line: Line;
  reading: Allowance;
}

type SocketArgs = ExecutionArgs & { readonly contextValue: SocketContext };
type SocketConnection = Connection<Record<string, unknown>, Extra>;

export type SocketServer = Server<Extra>;

export function createSocketServer(
  ports: DoorPorts,
  documents: Documents,
  follows: Follows,
  { operations, outgoing }: { readonly operations: Operations; readonly outgoing: Outgoing },
): SocketServer {
  const { logger } = ports;
  /** By what graphql-ws gives its hooks; an id may be used again before its first operation has ended. */
  const ends = new WeakMap<SubscribePayload, () => void>();
  const maskingOf = (requestId: string = randomUUID()) => ({ requestId, logger });
  return makeServer<Record<string, unknown>, Extra>({
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,
    onConnect: (connection) => admit(ports, operations, connection),
    async onSubscribe(connection, id, payload) {
      try {
        checkCount(connection, id); // before anything else happens
        await turnOf(ports, connection);
        const args = argsOf(ports, documents, connection, id, payload);
        await readmit(ports, connection);
        if (!connection.extra.outlet.open) throw refusal('BAD_REQUEST', 'The client has gone.', 499); // nobody would end it
        begin(connection, payload, args);
        return args;
      } catch (error) {
        return errorsOf(error).map((one) => masked(one, maskingOf()));
      }
    },
    async execute(args) {
      const { line, requestId } = socketContextOf(args);
      await line.outlet.room(NEVER); // a client that does not read what it asked for waits for the rest
      const send = senderOf(line, maskingOf(requestId));
      send(bounded(await executeInTurn(args), ANSWER_BYTES_MAX));
      return SENT;
    },
    async subscribe(args) {
      const context = socketContextOf(args);
      const opened = await follows.open(args, context, context.line);
      if (opened !== undefined) return opened;
      const result = await subscribeInTurns(args);
      const send = senderOf(context.line, maskingOf(context.requestId));
      if (Symbol.asyncIterator in result) {
        const { reading } = context;
        return sendingAll(boundedStream(result, { reading }), context.line, send);
      }
      send(result);
      return SENT;
    },
    onError: (_connection, _id, _payload, errors) =>
      errors.map((error) => formatted(masked(error, maskingOf()))),
    onComplete(_connection, _id, payload) {
      ends.get(payload)?.();
    },
    onClose({ extra }) {
      clearTimeout(extra.expiry);
      for (const end of extra.ends) end();
    },
  });

  /** Throws TOO_MANY_OPERATIONS. */
  function begin({ extra }: SocketConnection, payload: SubscribePayload, args: SocketArgs): void {
    const { document, operationName, contextValue } = args;
    if (!getOperationAST(document, operationName) || extra.principal === undefined) return; // graphql-ws refuses it
    const over = operations.begin(extra.principal);
    const reading = new Allowance(outgoing.of(nameOf(extra.principal)));
    contextValue.reading = reading;
    const end = (): void => {
      over();
      reading.end();
      extra.ends.delete(end);
    };
    ends.set(payload, end);
    extra.ends.add(end);
  }
}

const NEVER = new AbortController().signal;
/** Until the operation has begun it may read nothing. */
const NOTHING_READ = new Allowance({ make: () => undefined, made: () => undefined }, 0);

/** Answers false when the socket is closed for it. */
async function admit(
  { access, logger, watch }: DoorPorts,
  operations: Operations,
  { connectionParams, extra }: SocketConnection,
): Promise<boolean> {
  const { outlet, request } = extra;
  const given =
    connectionParams?.['authorization'] ??
    connectionParams?.['Authorization'] ??
    request.headers.authorization;
  try {
    const principal = await access.authenticate(bearerOf(given));
    const end = operations.beginSocket(principal);
    if (end === undefined) {
      outlet.close(CLOSE.tooMany, 'Too many sockets of this session: share one, or close some.');
      return false;
    }
    if (!outlet.open) {
      end(); // it closed while it was admitted: nobody calls what ends it any more
      return false;
    }
    extra.ends.add(end);
    extra.principal = principal;
    extra.ends.add(watch.add(principal, (why) => outlet.close(CLOSE.forbidden, why))); // ACCESS-2
    outlet.owner = nameOf(principal);
    extra.inflow.known();
    if (principal.kind === 'client') expireWith(extra, principal);
    return true;
  } catch (error) {
    if (error instanceof Outage) {
      logger.error('a socket could not be admitted', { error });
      outlet.close(CLOSE.tryAgainLater, error.message);
    } else if (error instanceof Fault) outlet.close(CLOSE.unauthenticated, error.message);
    else {
      logger.error('a socket could not be admitted', { error });
      outlet.close(CLOSE.defect, 'Internal error');
    }
    return false;
  }
}

/** Once more when a token was renewed (TOKEN-9). */
function expireWith(extra: Extra, { expiresAt }: ClientPrincipal): void {
  const expire = (): void => extra.outlet.close(CLOSE.unauthenticated, 'The client token has expired.');
  clearTimeout(extra.expiry);
  if (extra.outlet.open) extra.expiry = setTimeout(expire, Math.max(0, expiresAt - Date.now()));
}

/** A key may have been revoked since the socket was opened (ACCESS-1); a token's own end closes the socket by the clock. */
async function readmit({ access }: DoorPorts, { extra }: SocketConnection): Promise<void> {
  if (extra.principal === undefined) return; // graphql-ws refuses it
  try {
    await access.readmit(extra.principal);
  } catch (error) {
    if (!(error instanceof Forbidden)) throw error;
    extra.outlet.close(CLOSE.forbidden, error.message);
    throw refusal('FORBIDDEN', error.message, 403);
  }
}

/** TURNS-2. Meanwhile nothing more is taken from this client: what it sends would have to be kept. */
async function turnOf({ admission }: DoorPorts, { extra }: SocketConnection): Promise<void> {
  const { principal, outlet, request } = extra;
  if (principal === undefined || admission.takeFree()) return;
  const resume = outlet.pauseInput();
  try {
    await admission.turn(nameOf(principal), lineOf(request.socket));
  } finally {
    resume();
  }
}

/** Throws when the id is too long, or there are too many. */
function checkCount({ extra, subscriptions }: SocketConnection, operationId: string): void {
  if (Buffer.byteLength(operationId) > OPERATION_ID_BYTES_MAX) {
    // closed, since an answer would have to name it
    const message = `The id of an operation has at most ${OPERATION_ID_BYTES_MAX} bytes.`;
    extra.outlet.close(CLOSE.badRequest, message);
    throw refusal('BAD_REQUEST', message, 400);
  }
  if (Object.keys(subscriptions).length > OPERATIONS_PER_SOCKET_MAX) {
    throw tooMany(`${OPERATIONS_PER_SOCKET_MAX} operations at once are the most on one socket`);
  }
}

/** Throws what is wrong with the operation: one error, or an AggregateError of several. */
function argsOf(
  ports: DoorPorts,
  documents: Documents,
  { extra }: SocketConnection,
  operationId: string,
  { query, operationName, variables }: SubscribePayload,
): SocketArgs {
  const checked = documents.check(query);
  if (checked.kind === 'invalid') throw new AggregateError(checked.errors);
  const { document } = checked;
  documents.checkCost(document, operationName ?? undefined, variables ?? undefined);
  const { principal, outlet, request } = extra;
  if (principal === undefined) throw refusal('UNAUTHENTICATED', 'The connection has no principal.', 401);
  const contextValue: SocketContext = contextOf(ports, {
    principal,
    budget: new LogBudget(ports.turns, principal),
    requestId: randomUUID(),
    line: { outlet, operationId },
    renewed: (next: ClientPrincipal): void => {
      extra.principal = next;
      expireWith(extra, next);
    },
    reading: NOTHING_READ,
    from: originOf(request),
  });
  return { schema, document, operationName, variableValues: variables, contextValue };
}

function socketContextOf(args: ExecutionArgs): SocketContext {
  return args.contextValue as SocketContext; // as: argsOf made it
}

function errorsOf(error: unknown): readonly unknown[] {
  return error instanceof AggregateError ? error.errors : [error];
}
