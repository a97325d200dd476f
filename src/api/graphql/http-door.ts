/**
 * GraphQL over HTTP and SSE, by yoga. Who asks is settled before the document is looked at; documents are checked by the
 * same rules as on sockets; errors are masked at the very end, wherever they came from.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { useCSRFPrevention } from '@graphql-yoga/plugin-csrf-prevention';
import type { ExecutionResult } from 'graphql';
import { createYoga, type Plugin, type YogaInitialContext } from 'graphql-yoga';
import type { Context } from '../../../schema/context.ts';
import { schema } from '../../../schema/schema.ts';
import { bearerOf } from '../../access/bearer.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';
import type { Logger } from '../../kernel/logger.ts';
import { type BoundedContext, useAnswerBounds } from './answer-bounds.ts';
import type { Documents } from './documents.ts';
import { formatted, masked, maskedResult } from './masking.ts';
import type { Operations } from './operations.ts';
import type { GraphqlOptions, GraphqlPorts } from './options.ts';
import type { Outgoing } from './outgoing.ts';

interface ServerContext extends BoundedContext {
  readonly requestId: string;
}

export type HttpDoor = (req: IncomingMessage, res: ServerResponse) => Promise<void>;

export function createHttpDoor(
  ports: GraphqlPorts,
  options: GraphqlOptions,
  documents: Documents,
  { operations, outgoing }: { readonly operations: Operations; readonly outgoing: Outgoing },
): HttpDoor {
  const { logger } = ports;
  const yoga = createYoga<ServerContext>({
    schema,
    graphqlEndpoint: '/graphql',
    context: (given): Context => contextOf(ports, given),
    plugins: [
      useAuthentication(ports),
      useDocuments(documents),
      // A request with an Authorization header has been preflighted by any browser.
      useCSRFPrevention({ requestHeaders: ['authorization', 'x-graphql-yoga-csrf'] }),
      useMasking(logger),
      useAnswerBounds(operations, outgoing),
    ],
    maskedErrors: false, // useMasking does, and knows the request
    parserAndValidationCache: false, // `documents` is one
    maxRequestBodySize: REQUEST_BYTES_MAX,
    batching: false,
    multipart: false,
    landingPage: false,
    graphiql: false,
    logging: false,
    // Tokens travel in a header that is set by hand, never in cookies: any origin may use the token that it holds.
    cors: { origin: '*', credentials: false, methods: ['GET', 'POST', 'OPTIONS'] },
  });
  return async (req, res) => {
    if (options.console !== false && wantsPage(req)) return sendConsole(res);
    const broken = brokenParameter(req);
    if (broken !== undefined) return sendBroken(res, broken);
    await yoga(req, res, { requestId: randomUUID() });
  };
}

function contextOf(
  ports: GraphqlPorts,
  { principal, reading, requestId, request }: ServerContext & YogaInitialContext,
): Context {
  if (principal === undefined || reading === undefined) throw new Unauthenticated();
  const { access, agents, credentials, sessions, journal, live } = ports;
  return {
    access,
    agents,
    credentials,
    sessions,
    journal,
    live,
    principal,
    requestId,
    reading,
    signal: request.signal,
  };
}

function useAuthentication({ access, logger }: GraphqlPorts): Plugin<object, ServerContext> {
  return {
    async onRequest({ request, serverContext, endResponse, fetchAPI }) {
      if (request.method === 'OPTIONS') return; // a preflight carries no token
      try {
        serverContext.principal = await access.authenticate(bearerOf(request.headers.get('authorization')));
      } catch (error) {
        const { requestId } = serverContext;
        const shown = masked(error, { requestId, logger });
        const init =
          error instanceof Unauthenticated
            ? { status: 401, headers: { 'www-authenticate': 'Bearer' } }
            : { status: 500, ...shown.extensions.http };
        endResponse(fetchAPI.Response.json({ errors: [formatted(shown)] }, init));
      }
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

/** A request of which nothing could be answered because of us is a 500. */
function withStatus(result: ExecutionResult): ExecutionResult {
  const ours = result.errors?.some(({ extensions }) => extensions['code'] === 'INTERNAL') ?? false;
  if (!ours || (result.data !== undefined && result.data !== null)) return result;
  return { ...result, extensions: { ...result.extensions, http: { status: 500 } } };
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

/** A parameter of a GET request that must be JSON and is not: yoga would take it for a failure of its own. */
function brokenParameter({ method, url = '' }: IncomingMessage): string | undefined {
  if (method !== 'GET' || !url.includes('?')) return undefined;
  const parameters = new URLSearchParams(url.slice(url.indexOf('?')));
  return ['variables', 'extensions'].find((name) => !isJsonText(parameters.get(name) ?? '{}'));
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function sendBroken(res: ServerResponse, parameter: string): void {
  const error = { message: `${parameter}: expected JSON.`, extensions: { code: 'BAD_REQUEST' } };
  res.writeHead(400, { 'content-type': 'application/graphql-response+json' });
  res.end(JSON.stringify({ errors: [error] }));
}

/** GraphiQL keeps its query in the address, so a reload and a shared link ask with `query=` too. */
function wantsPage({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && (headers.accept ?? '').includes('text/html');
}

const FIRST_QUERY = `# Put your API key into Headers (below), then press the round arrow on the left to load the docs.
#
#   { "Authorization": "Bearer <API key>" }

query Sessions {
  sessions(first: 10) { nodes { id status why } }
}

mutation Agent {
  createAgent(input: { name: "hello", model: "rehearsal/echo", prompt: "You are helpful." }) {
    __typename ... on Fault { code message }
  }
}

mutation Start {
  startSession(input: { agent: "hello", input: "Say hello." }) {
    ... on StartSessionPayload { session { id } } ... on Fault { code message }
  }
}

subscription Follow {
  sessionEvents(sessionId: "ses_", deltas: true) {
    __typename
    ... on EventBatch { cursor events { seq type ... on AgentMessage { text } } }
    ... on MessageDelta { text }
  }
}
`;

/** GraphiQL without any other host: nine megabytes, imported when somebody first looks. */
async function sendConsole(res: ServerResponse): Promise<void> {
  const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
  const page = renderGraphiQL({
    title: 'Holdfast',
    endpoint: '/graphql',
    defaultQuery: FIRST_QUERY,
    subscriptionsProtocol: 'SSE', // its sockets would not carry what is typed into Headers
    headers: '{ "Authorization": "Bearer <API key>" }',
  });
  res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'x-frame-options': 'DENY' });
  res.end(page);
}
