/**
 * The model gateway: Anthropic-compatible, behind the unit endpoint. It finds the session's key, puts it into the request,
 * streams the answer back untouched but for that key, and counts what was used.
 *
 * GATEWAY-1 The key is opened on the line that sends it and where answers are searched for it; it is in no answer, no log line
 *    and no error, and nothing that is metered, also when the service repeats it in part, in pieces or in another form
 *    (key-scrubber.ts). That holds for keys that are secrets.
 * GATEWAY-2 What a call used is metered before the brain sees message_stop (or, without streaming, the answer): the journal has
 *    the usage before the brain can act on the answer.
 * GATEWAY-3 A call that was cut, by either side, is metered with what is known, `complete: false`.
 * GATEWAY-4 Only the headers on a list pass, in both directions.
 * GATEWAY-5 Once a request is on its way to the service, what may pass is refused as a failed call and not as a failure of the
 *    door: that one the brain repeats without a record, and each repetition may cost.
 * GATEWAY-6 A session makes one call at a time (call-gate.ts), so its budget counts the call that is in flight.
 * GATEWAY-7 Of the session's models only, and as the plan has it (planned-request.ts), for a call whose id has its form; no feature of the
 *    API is asked for but what the key needs.
 * GATEWAY-8 A call that was cut before the service said what it used is said to be unmetered: nobody knows what it cost.
 * GATEWAY-9 An answer has at most so many bytes and values (answer-limit.ts), packed and unpacked. One that has more ends there as
 *    answer_too_large, which is final: it is metered as a call that was cut. An error that has more keeps its status.
 * GATEWAY-10 A call whose price is not known is not made under a limit of money (account.ts): the limit could not be kept.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { GrowableBuffer } from '../kernel/growable-buffer.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { Outage } from '../kernel/outage.ts';
import { systemScheduler } from '../kernel/scheduler.ts';
import type { Sealed } from '../kernel/sealed.ts';
import { type ProviderEntry, providerEntry } from '../secrets/provider-table.ts';
import { MODEL_CALL_ID } from '../sessions/call-turn.ts';
import type { ModelPlan } from '../sessions/model-plan.ts';
import { NO_USAGE } from '../sessions/session.ts';
import { ANSWER_TOO_LARGE, AnswerTooLarge } from './answer-limit.ts';
import { CallGate } from './call-gate.ts';
import { KeyScrubber } from './key-scrubber.ts';
import { LoopShare } from './loop-share.ts';
import { type Call, pass } from './pass.ts';
import type { Passage } from './passage.ts';
import { type PlannedRequest, plannedRequest } from './planned-request.ts';
import { Upstream, UpstreamFailure, type UpstreamRequest } from './upstream.ts';
import { GatewayRefusal, sendDoorRefusal, sendRefusal } from './refusal.ts';
import { CALL_HEADER } from '../sessions/unit-wire.ts';
import type { Metered } from './usage-reader.ts';

export interface GatewayPorts {
  /** Throws a Fault (NoCredential) when there is none. */
  keyFor(sessionId: SessionId): Promise<Sealed>;
  /** How the session's models are called. */
  plansFor(sessionId: SessionId): Promise<readonly ModelPlan[]>;
  /** Whether the session may use more, by a call of this model; `message` says what to do. */
  budget(sessionId: SessionId, model: string): Promise<BudgetAnswer>;
  /** Resolves when it is durable. */
  meter(metered: Metered): Promise<void>;
  readonly clock: Pick<Clock, 'now'>;
  readonly logger: Logger;
}

export type BudgetAnswer =
  | { readonly kind: 'allowed' }
  | {
      readonly kind: 'refused';
      readonly type: 'budget_exceeded' | 'no_price';
      readonly message: string;
    };

export interface GatewayOptions {
  /** Where the model service is, for example https://api.anthropic.com. */
  readonly upstream: URL;
  /** The headers that a key is sent in. Default: Anthropic's. */
  readonly auth?: ProviderEntry['auth'] | undefined;
  /** Of all gateways of the process. Default: one of its own. */
  readonly loop?: LoopShare | undefined;
  /** Silence of the service for this long ends the call. */
  readonly idleTimeoutMs?: number | undefined;
}

export interface GatewayRequest {
  readonly sessionId: SessionId;
  /** The header x-holdfast-call; ties the usage to a journalled call. */
  readonly callId: string;
  readonly method: string;
  /** `/v1/messages`; anything else is refused. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

/** The service pings an open stream every few seconds; minutes of nothing is a dead connection. */
export const GATEWAY_IDLE_TIMEOUT_MS = 300_000;
/**
 * A request as it is read and checked, whole: a context of a million tokens, of four bytes each and escaped, has half of it. The service's
 * own bound is 32 MB.
 */
export const GATEWAY_REQUEST_BYTES_MAX = 16 * 1024 * 1024;

const PATH = '/v1/messages';
/** Of a path that there is not, in the refusal. */
const PATH_CHARS_MAX = 100;
const BETA_HEADER = 'anthropic-beta';
const REQUEST_HEADERS = [
  'content-type',
  'accept',
  'anthropic-version',
  'user-agent',
  'x-stainless-retry-count',
];

export class Gateway {
  readonly #ports: GatewayPorts;
  readonly #upstream: Upstream;
  readonly #auth: ProviderEntry['auth'];
  readonly #loop: LoopShare;
  readonly #gate = new CallGate();

  constructor(ports: GatewayPorts, options: GatewayOptions) {
    this.#ports = ports;
    this.#loop = options.loop ?? new LoopShare({ clock: systemClock, scheduler: systemScheduler });
    this.#auth = options.auth ?? providerEntry('anthropic').auth;
    this.#upstream = new Upstream(options.upstream, options.idleTimeoutMs ?? GATEWAY_IDLE_TIMEOUT_MS);
  }

  /** Answers the request, whatever happens; resolves when the answer is out or the caller is gone. Never rejects. */
  async forward(request: GatewayRequest, response: ServerResponse): Promise<void> {
    const departed = new AbortController();
    const onClose = (): void => departed.abort();
    response.once('close', onClose);
    let isSent = false;
    let leave: (() => void) | undefined;
    const worker = { session: request.sessionId, signal: departed.signal };
    const work: Passage['work'] = (steps) => this.#loop.work(steps, worker);
    try {
      checkForm(request);
      leave = await this.#gate.enter(request.sessionId, departed.signal); // GATEWAY-6
      const { model, cacheTtl, body } = await this.#admit(request, work);
      const key = await this.#keyOf(request.sessionId);
      const headers = { ...only(request.headers, REQUEST_HEADERS), ...this.#auth(key.open()) }; // GATEWAY-1
      isSent = true;
      const { sessionId, callId } = request;
      const call = { sessionId, callId, asked: { model, cacheTtl, at: this.#ports.clock.now() } };
      const answer = await this.#answerTo(call, { path: PATH, headers, body }, departed.signal);
      await pass(call, answer, response, this.#ports, { scrubber: KeyScrubber.of(key), work }); // GATEWAY-1
    } catch (error) {
      if (!departed.signal.aborted) this.#refuse(error, request, response, isSent);
    } finally {
      leave?.();
      response.off('close', onClose);
    }
  }

  /** Closes connections to the service that are not in use. */
  close(): void {
    this.#upstream.close();
  }

  async #keyOf(sessionId: SessionId): Promise<Sealed> {
    try {
      return await this.#ports.keyFor(sessionId);
    } catch (error) {
      if (error instanceof Fault && !(error instanceof Outage))
        throw new GatewayRefusal(400, 'no_credential', error.message);
      throw error;
    }
  }

  /** The head of its answer. */
  async #answerTo(call: Call, request: UpstreamRequest, signal: AbortSignal): Promise<IncomingMessage> {
    try {
      return await this.#upstream.send(request, signal);
    } catch (error) {
      if (error instanceof UpstreamFailure && error.isSent) {
        const usage = { ...NO_USAGE, complete: false };
        const { model } = call.asked;
        await this.#ports.meter({ ...call, model, requestKey: randomUUID(), usage, unmetered: true }); // GATEWAY-8
      }
      throw error;
    }
  }

  async #admit({ body, sessionId }: GatewayRequest, work: Passage['work']): Promise<PlannedRequest> {
    const text = (await readBody(body)).toString('utf8');
    const planned = await work(plannedRequest(text, await this.#ports.plansFor(sessionId))); // GATEWAY-7
    const budget = await this.#ports.budget(sessionId, planned.model);
    if (budget.kind === 'refused') throw new GatewayRefusal(402, budget.type, budget.message); // GATEWAY-10
    return planned;
  }

  #refuse(error: unknown, request: GatewayRequest, response: ServerResponse, isSent: boolean): void {
    const { sessionId, callId } = request;
    if (response.headersSent) {
      this.#ports.logger.warn('model stream cut', { sessionId, callId, error });
      response.destroy(); // the brain sees a cut stream and makes the call again
    } else if (error instanceof GatewayRefusal) {
      sendRefusal(response, error);
    } else if (error instanceof Outage) {
      this.#ports.logger.warn('the store does not answer', { sessionId, callId, error });
      if (isSent)
        sendRefusal(response, new GatewayRefusal(503, 'api_error', error.message)); // GATEWAY-5
      else sendDoorRefusal(response, 503, error); // the brain tries again
    } else if (error instanceof Fault) {
      sendDoorRefusal(response, 409, error);
    } else if (error instanceof AnswerTooLarge) {
      this.#ports.logger.warn('model answer too large', { sessionId, callId, error });
      sendRefusal(response, new GatewayRefusal(502, ANSWER_TOO_LARGE, error.message)); // GATEWAY-9
    } else if (error instanceof UpstreamFailure) {
      this.#ports.logger.warn('model service unreachable', { sessionId, callId, error });
      sendRefusal(response, new GatewayRefusal(error.status, error.type, error.message));
    } else {
      this.#ports.logger.error('gateway failed', { sessionId, callId, error });
      const message = 'The gateway failed.';
      if (isSent)
        sendRefusal(response, new GatewayRefusal(500, 'api_error', message)); // GATEWAY-5
      else sendDoorRefusal(response, 500, { code: 'INTERNAL', message });
    }
  }
}

/** Throws GatewayRefusal. */
function checkForm({ method, path, callId, headers }: GatewayRequest): void {
  if (path !== PATH)
    throw new GatewayRefusal(404, 'not_found_error', `The gateway has no ${path.slice(0, PATH_CHARS_MAX)}.`);
  if (method !== 'POST')
    throw new GatewayRefusal(405, 'invalid_request_error', 'The gateway takes POST only.');
  if (!MODEL_CALL_ID.test(callId))
    throw new GatewayRefusal(
      400,
      'invalid_request_error',
      `${CALL_HEADER}: expected the id of a model call, such as t1m1.`,
    );
  if (headers[BETA_HEADER] !== undefined)
    throw new GatewayRefusal(
      403,
      'not_planned',
      `The gateway does not make this call (${BETA_HEADER}: no feature is planned).`,
    ); // GATEWAY-7
}

function only(headers: IncomingHttpHeaders, names: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of names) {
    const value = headers[name];
    if (typeof value === 'string') kept[name] = value; // GATEWAY-4
  }
  return kept;
}

async function readBody(stream: IncomingMessage): Promise<Buffer> {
  const body = new GrowableBuffer();
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    // a request without an encoding yields buffers
    if (body.length + chunk.length > GATEWAY_REQUEST_BYTES_MAX) {
      throw new GatewayRefusal(
        413,
        'request_too_large',
        `A request has at most ${GATEWAY_REQUEST_BYTES_MAX} bytes.`,
      );
    }
    body.append(chunk);
  }
  return body.take();
}
