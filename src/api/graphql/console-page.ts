/**
 * A worker thread: makes the page of GraphiQL and ends. Its nine megabytes are compiled, put together and compressed here, so that the
 * event loop of the server does not wait and nothing of it stays in memory but the bytes that are sent.
 */
import { createHash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { renderGraphiQL } from '@graphql-yoga/render-graphiql';
import { must } from '../../kernel/assert.ts';

export interface ConsolePage {
  /** By the coding of HTTP. */
  readonly bodies: Readonly<Record<'identity' | 'gzip' | 'br', Uint8Array<ArrayBuffer>>>;
  /** Of the page, whatever its coding. */
  readonly digest: string;
  /** Of its only script, as Content-Security-Policy names it. */
  readonly scriptHash: string;
}

/** The best one (11) takes fourteen seconds for a ninth less. */
const BROTLI_QUALITY = 5;

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

const SCRIPT_BEGIN = '<script>';
const SCRIPT_END = '</script>';

function madePage(): ConsolePage {
  const html = renderGraphiQL({
    title: 'Holdfast',
    endpoint: '/graphql',
    defaultQuery: FIRST_QUERY,
    subscriptionsProtocol: 'SSE', // its sockets would not carry what is typed into Headers
    headers: '{ "Authorization": "Bearer <API key>" }',
  });
  const script = html.slice(html.indexOf(SCRIPT_BEGIN) + SCRIPT_BEGIN.length, html.lastIndexOf(SCRIPT_END));
  const identity = bytesOf(Buffer.from(html));
  return {
    bodies: {
      identity,
      gzip: bytesOf(gzipSync(identity)),
      br: bytesOf(
        brotliCompressSync(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
      ),
    },
    digest: createHash('sha256').update(identity).digest('base64url').slice(0, 22),
    scriptHash: `sha256-${createHash('sha256').update(script).digest('base64')}`,
  };
}

/** In memory of their own, which can change threads without a copy. */
function bytesOf(buffer: Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer);
}

const page = madePage();
must(parentPort ?? undefined, 'this file runs as a worker thread').postMessage(
  page,
  Object.values(page.bodies).map(({ buffer }) => buffer),
);
