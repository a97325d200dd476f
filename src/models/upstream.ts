/** The connection to the model service: keep-alive, http or https, with a bound on its silence. */
import { Agent as HttpAgent, type IncomingMessage, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

/** Calls to the service at the same time; more wait. One call per running session. */
const SOCKETS_MAX = 1_024;

/** The service could not be reached or did not answer. */
export class UpstreamFailure extends Error {
  readonly status: number;
  readonly type: string;
  /** The request was sent whole, and there was no head of an answer: the service may have begun, and charge for it. */
  isSent = false;

  constructor(status: number, type: string, message: string, cause?: unknown) {
    super(message, { cause });
    this.status = status;
    this.type = type;
  }
}

export interface UpstreamRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export class Upstream {
  readonly #base: URL;
  readonly #idleTimeoutMs: number;
  readonly #agent: HttpAgent;

  constructor(base: URL, idleTimeoutMs: number) {
    this.#base = base;
    this.#idleTimeoutMs = idleTimeoutMs;
    const options = { keepAlive: true, maxSockets: SOCKETS_MAX };
    this.#agent = base.protocol === 'https:' ? new HttpsAgent(options) : new HttpAgent(options);
  }

  /**
   * Resolves when the head of the answer is there; its body ends with an error when it is cut, silent or aborted. Makes
   * one attempt: it is the brain that tries again, since a retry belongs into the journal.
   */
  send({ path, headers, body }: UpstreamRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const url = new URL(this.#base);
    url.pathname = url.pathname.replace(/\/$/, '') + path;
    return new Promise((resolve, give) => {
      let isSent = false;
      const reject = (failure: UpstreamFailure): void => {
        failure.isSent = isSent;
        give(failure);
      };
      const open = url.protocol === 'https:' ? httpsRequest : httpRequest;
      const request = open(url, {
        method: 'POST',
        agent: this.#agent,
        signal,
        // What is compressed all the same is decoded (answer-form.ts): the key is looked for in what passes.
        headers: { ...headers, 'accept-encoding': 'identity', 'content-length': body.length },
      });
      request.setTimeout(this.#idleTimeoutMs, () => {
        request.destroy(
          new UpstreamFailure(
            504,
            'timeout_error',
            `The model service at ${url.host} said nothing for ${this.#idleTimeoutMs} ms.`,
          ),
        );
      });
      request.on('error', (error) => {
        const code = 'code' in error ? error.code : undefined;
        if (error instanceof UpstreamFailure) reject(error);
        else
          reject(
            new UpstreamFailure(
              502,
              'api_error',
              `The model service at ${url.host} cannot be reached (${typeof code === 'string' ? code : error.message}).`,
              error,
            ),
          );
      });
      request.once('finish', () => (isSent = true));
      request.once('response', resolve);
      request.once('upgrade', (_answer, socket) => {
        socket.destroy();
        reject(
          new UpstreamFailure(
            502,
            'api_error',
            `The model service at ${url.host} wants another protocol (101).`,
          ),
        );
      });
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}
