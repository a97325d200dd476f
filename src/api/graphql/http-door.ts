/**
 * GraphQL over HTTP and SSE, by yoga. Who asks is settled before yoga looks at anything; documents are checked by the
 * same rules as on sockets; errors are masked at the very end, wherever they came from.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention';
import type { ExecutionResult } from 'graphql';
import { createYoga, type Plugin, type YogaInitialContext } from 'graphql-yoga';
import { type Context, contextOf } from '../../../schema/context.ts';
import { LogBudget } from '../../../schema/log-budget.ts';
import { schema } from '../../../schema/schema.ts';
import { bearerOf } from '../../access/bearer.ts';
import type { Principal } from '../../access/principal.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { TimeSlices } from '../../kernel/time-slices.ts';
import { type BoundedContext, useAnswerBounds } from './answer-bounds.ts';
import { Bodies } from './bodies.ts';
import { type BodyContext, useBodies } from './body-parsing.ts';
import { GraphiqlConsole, wantsPage } from './console.ts';
import type { Documents } from './documents.ts';
import { executeInTurn, subscribeInTurns } from './making.ts';
import { formatted, masked, maskedResult } from './masking.ts';
import { refuseKeyInUrl } from './key-in-url.ts';
import { answerByHead, METHODS, refuseKeyless, refuseUnknown } from './keyless.ts';
import type { Operations } from './operations.ts';
import { originOf } from './origin.ts';
import { type DoorPorts, type GraphqlOptions, type GraphqlPorts, isWelcome } from './options.ts';
import type { Outgoing } from './outgoing.ts';

interface ServerContext extends BoundedContext, BodyContext {
  readonly requestId: string;
}

/** For an origin that is welcome, which is named in the answer. Tokens travel in a header that is set by hand, never in cookies. */
const CORS = { origin: '*', credentials: false, methods: METHODS };

/**
 * As on sockets. yoga's own executor leaves promises of a list to themselves when a later entry throws at once: what is rejected then
 * is taken by nobody, which ends the process (@graphql-tools/executor 2.1, completeListValue).
 */
const EXECUTION: Plugin = {
  onExecute: ({ setExecuteFn }) => setExecuteFn(executeInTurn),
  onSubscribe: ({ setSubscribeFn }) => setSubscribeFn(subscribeInTurns),
};

/** What requests share with sockets. */
export interface HttpBounds {
  readonly operations: Operations;
  readonly outgoing: Outgoing;
  readonly slices: TimeSlices;
}

export type HttpDoor = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export function createHttpDoor(
  ports: DoorPorts,
  options: GraphqlOptions,
  documents: Documents,
  { operations, outgoing, slices }: HttpBounds,
): HttpDoor {
  const { logger } = ports;
  const graphiql = new GraphiqlConsole({ outgoing, slices });
  const bodies = new Bodies(operations, options.bodies);
  const yoga = createYoga<ServerContext>({
    schema,
    graphqlEndpoint: '/graphql',
    context: (given): Context => contextOfRequest(ports, given),
    plugins: [
      EXECUTION,
      useDocuments(documents),
      // A request with an Authorization header has been preflighted by any browser.
      useCSRFPrevention({ requestHeaders: ['authorization', 'x-graphql-yoga-csrf'] }),
      useBodies(bodies, ports.admission),
      useMasking(logger),
      useAnswerBounds(operations, outgoing),
      useVary(options),
      useClosing(),
    ],
    maskedErrors: false, // useMasking does, and knows the request
    parserAndValidationCache: false, // `documents` is one
    maxRequestBodySize: false, // useBodies reads it
    batching: false,
    multipart: false,
    landingPage: false,
    graphiql: false,
    logging: false,
    cors: ({ headers }) => (isWelcome(headers.get('origin'), options) ? CORS : false),
  });
  return async (req, res) => {
    if (refuseKeyInUrl(req, res, options)) return;
    if (options.console !== false && wantsPage(req)) return graphiql.send(req, res);
    if (refuseKeyless(req, res, options)) return;
    const requestId = randomUUID();
    if (req.method === 'OPTIONS') return yoga(req, res, { requestId }); // a preflight carries no token
    const principal = await principalOf(ports, options, req, res, requestId);
    if (principal === undefined) return;
    slices.promote(req.socket, 'keyed'); // SLICE-4
    await yoga(req, res, { requestId, principal });
  };
}

function contextOfRequest(
  ports: DoorPorts,
  { principal, reading, requestId, request, req }: ServerContext & YogaInitialContext,
): Context {
  if (principal === undefined || reading === undefined) throw new Unauthenticated();
  const budget = new LogBudget(ports.turns, principal);
  const onRevoked = (end: (why: string) => void): (() => void) => ports.watch.add(principal, end);
  return contextOf(ports, {
    principal,
    budget,
    requestId,
    reading,
    from: originOf(req),
    signal: request.signal,
    onRevoked,
  });
}

/** Undefined when the request has been answered: before yoga looks at it, which is most of what a request costs (KEYLESS-1). */
async function principalOf(
  { access, logger }: GraphqlPorts,
  options: GraphqlOptions,
  req: IncomingMessage,
  res: ServerResponse,
  requestId: string,
): Promise<Principal | undefined> {
  try {
    return await access.authenticate(bearerOf(req.headers.authorization));
  } catch (error) {
    if (!req.complete) res.setHeader('connection', 'close'); // nothing more is read of it; body by body it would be for free
    if (error instanceof Unauthenticated) refuseUnknown(req, res, options, error);
    else {
      const shown = masked(error, { requestId, logger });
      const { status = 500, headers } = shown.extensions.http ?? {};
      const body = JSON.stringify({ errors: [formatted(shown)] });
      answerByHead(req, res, options, { status, body, headers });
    }
    return undefined;
  }
}

/** Of a request that is answered before its body has come nothing more is read; body by body it would be for free. */
function useClosing(): Plugin<object, ServerContext> {
  return {
    onResponse({ response, serverContext: { req } }) {
      if (req?.complete === false && response.status !== 413) response.headers.set('connection', 'close');
    },
  };
}

/** A cache may not give one origin what was answered to another. */
function useVary(options: GraphqlOptions): Plugin {
  return {
    onResponse({ request, response }) {
      if (!isWelcome(request.headers.get('origin'), options)) response.headers.set('vary', 'Origin');
    },
  };
}

function useDocuments(documents: Documents): Plugin<object, ServerContext> {
  const check = ({
    args,
  }: {
    args: {
      document: Parameters<Documents['checkCost']>[0];
      operationName?: string | null;
      variableValues?: unknown;
    };
  }): void => {
    const { document, operationName, variableValues } = args;
    // as: yoga has checked that variables are an object
    documents.checkCost(
      document,
      operationName ?? undefined,
      variableValues as Readonly<Record<string, unknown>> | undefined,
    );
  };
  return {
    onParse({ setParseFn }) {
      setParseFn((source: unknown) => {
        const checked = documents.check(String(source));
        if (checked.kind === 'invalid') throw new AggregateError(checked.errors);
        return checked.document;
      });
    },
    onValidate({ setValidationFn }) {
      setValidationFn(() => []); // checked while parsing
    },
    onExecute: check,
    onSubscribe: check,
  };
}

function useMasking(logger: Logger): Plugin<object, ServerContext> {
  return {
    onResultProcess({ result, setResult, serverContext: { requestId } }) {
      const masking = { requestId, logger };
      const mask = (one: ExecutionResult): ExecutionResult => withStatus(maskedResult(one, masking));
      if (Array.isArray(result)) return;
      if (isStream(result)) setResult(mapped(result, mask));
      else setResult(mask(result as ExecutionResult)); // as: neither a batch nor a stream
    },
  };
}

/** A request of which nothing could be answered: because of us it is a 500; because it asks for nothing, a 400. */
function withStatus(result: ExecutionResult): ExecutionResult {
  if (result.data !== undefined && result.data !== null) return result;
  const codes = new Set(result.errors?.map(({ extensions }) => extensions['code']));
  const status = codes.has('INTERNAL') ? 500 : codes.has('BAD_REQUEST') ? 400 : undefined;
  return status === undefined
    ? result
    : { ...result, extensions: { ...result.extensions, http: { status } } };
}

function isStream(result: unknown): result is AsyncIterableIterator<ExecutionResult> {
  return typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
}

/** Not an async generator: `return()` must reach the source while `next()` waits. */
function mapped(
  source: AsyncIterable<ExecutionResult>,
  map: (result: ExecutionResult) => ExecutionResult,
): AsyncIterableIterator<ExecutionResult> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await iterator.next();
      return done === true ? { done: true, value: undefined } : { done: false, value: map(value) };
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
