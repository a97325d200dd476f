/**
 * HTTP to the control plane over one unix socket. It stands on node:http and not on `fetch`, because loading that costs a
 * starting brain 50 ms, and because fetch has no unix sockets.
 */
import { Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Ends with an error when the connection is cut or `signal` aborts. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Resolves when the head of the answer is there; rejects when the connection fails or `signal` aborts. */
export type Http = (request: HttpRequest) => Promise<HttpResponse>;

/** Tool calls of one answer, the event stream, the model call, an append and a delta, with room. */
const SOCKETS_MAX = 128;

export function unixHttp(socketPath: string): { readonly http: Http; readonly close: () => void } {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX });
  const http: Http = ({ method, path, headers, body, signal }) =>
    new Promise((resolve, reject) => {
      const type =
        body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
      const request = httpRequest({
        socketPath,
        agent,
        method,
        path,
        signal,
        headers: { host: 'unit', ...type, ...headers },
      });
      request.once('error', reject);
      request.once('response', (response) => {
        response.on('error', () => undefined); // told to whoever reads the body; a body nobody reads is nobody's loss
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
      });
      request.end(body);
    });
  return { http, close: () => agent.destroy() };
}

/** The whole body as text; throws when it is longer than `bytesMax`. */
export async function textOf(response: HttpResponse, bytesMax: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) throw new Error(`The answer is longer than ${bytesMax} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
