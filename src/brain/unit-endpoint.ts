/**
 * The Unit port over HTTP (sessions/unit-wire.ts). A door that does not answer is tried again for RETRY_BUDGET_MS: a server that is
 * being restarted is back by then. Every request may be repeated, so nothing is lost or doubled by that.
 */
import { Backoff } from '../kernel/backoff.ts';
import type { Chance } from '../kernel/chance.ts';
import type { Clock } from '../kernel/clock.ts';
import { WIRE_LINE_BYTES_MAX, type ToolResult } from '../hands/wire.ts';
import type { Assignment, UnitAppended, UnitEvents } from '../sessions/unit-wire.ts';
import { type Unit, UnitRefusal, UnitUnreachable, UnitWireBroken } from './unit.ts';
import { type Http, type HttpRequest, type HttpResponse, textOf } from './unix-http.ts';

/** How long a door that cannot be reached is tried again. */
export const RETRY_BUDGET_MS = 30_000;
const BACKOFF = { firstMs: 20, ceilingMs: 1_000, heldMs: Infinity };
/** A stream that gave something and held this long was a good one: patience starts anew. */
const HELD_MS = 1_000;
/**
 * One line of the event stream: events with whole bodies. The server sends lines of some megabytes; several times that
 * is not a line of this wire.
 */
const EVENTS_LINE_BYTES_MAX = 64 * 1024 * 1024;
const NEWLINE = 0x0a;

/** A failure of the door itself (5xx): to be tried again like a connection that fails. */
class EndpointFailure extends Error {}

export function unitEndpoint(
  ports: { readonly http: Http; readonly clock: Clock; readonly chance?: Chance | undefined },
  token: string,
  retryBudgetMs = RETRY_BUDGET_MS,
): Unit {
  const { http } = ports;
  const withRetries = endpointRetries(ports, retryBudgetMs);
  const headers = { authorization: `Bearer ${token}` };

  const once = async (request: HttpRequest): Promise<HttpResponse> => {
    const response = await http({ ...request, headers });
    if (response.status >= 400) throw await refusalOf(response);
    return response;
  };
  const ask = async (request: HttpRequest): Promise<string> =>
    withRetries(request.signal, async () => textOf(await once(request), WIRE_LINE_BYTES_MAX));
  const post = (path: string, body: unknown, signal: AbortSignal): Promise<string> =>
    ask({ method: 'POST', path, body: JSON.stringify(body), signal });
  const tool = (callId: string): string => `/unit/tools/${encodeURIComponent(callId)}`;

  const events = async (
    after: number,
    to: number,
    receive: (batch: UnitEvents) => void,
    signal: AbortSignal,
  ): Promise<void> => {
    let read = after;
    const bound = to === Infinity ? '' : `&to=${to}`;
    await withRetries(signal, async ({ progressed, received }) => {
      if (read >= to) return;
      const response = await once({ method: 'GET', path: `/unit/events?after=${read}${bound}`, signal });
      for await (const line of linesOf(response.body, received)) {
        const batch = JSON.parse(line) as UnitEvents; // the control plane is trusted
        receive(batch);
        read = batch.events.at(-1)?.seq ?? read;
        if (batch.events.length > 0) progressed();
      }
      if (read < to) throw new EndpointFailure('The event stream ended.');
    });
  };

  return {
    async assignment(signal) {
      const text = await ask({ method: 'GET', path: '/unit/assignment', signal });
      return JSON.parse(text) as Assignment; // the control plane is trusted
    },

    follow: (after, receive, signal) => events(after, Infinity, receive, signal),
    read: (after, to, receive, signal) => events(after, to, receive, signal),

    async append(request, signal) {
      return JSON.parse(await post('/unit/append', request, signal)) as UnitAppended; // the control plane is trusted
    },

    async postDelta(delta, signal) {
      const response = await once({
        method: 'POST',
        path: '/unit/deltas',
        body: JSON.stringify(delta),
        signal,
      });
      await textOf(response, WIRE_LINE_BYTES_MAX);
    },

    async runTool(callId, call, signal) {
      return JSON.parse(await post(tool(callId), call, signal)) as ToolResult; // the control plane is trusted
    },

    async cancelTool(callId, signal) {
      await post(`${tool(callId)}/cancel`, {}, signal);
    },
  };
}

export interface Attempt {
  /** It has got somewhere: whatever comes next is another outage. */
  progressed(): void;
  /** Its stream has given something, be it a sign of life: a good one, when it holds. */
  received(): void;
}

/** Repeats work while the door cannot be reached or fails, and throws what else it throws, or UnitUnreachable in the end. */
export type EndpointRetries = <T>(signal: AbortSignal, work: (attempt: Attempt) => Promise<T>) => Promise<T>;

export function endpointRetries(
  { clock, chance }: { readonly clock: Clock; readonly chance?: Chance | undefined },
  retryBudgetMs = RETRY_BUDGET_MS,
): EndpointRetries {
  return async (signal, work) => {
    const backoff = new Backoff({ ...BACKOFF, random: chance?.random });
    /** When the first of the failures in a row came; how long an attempt took says nothing of the door. */
    let failingSince: number | undefined;
    for (;;) {
      const startedAt = clock.monotonicNow();
      let hasReceived = false;
      const progressed = (): void => {
        backoff.reset();
        failingSince = undefined;
      };
      try {
        return await work({ progressed, received: () => void (hasReceived = true) });
      } catch (error) {
        if (signal.aborted || error instanceof UnitRefusal || !isOutage(error)) throw error;
        const now = clock.monotonicNow();
        if (hasReceived && now - startedAt > HELD_MS) failingSince = undefined;
        failingSince ??= now;
        if (now - failingSince > retryBudgetMs) throw new UnitUnreachable(error);
        await clock.sleep(backoff.nextMs(0), signal);
      }
    }
  };
}

function isOutage(error: unknown): boolean {
  // Errors of node:http name the failed system call or a code; a defect of ours does not.
  return error instanceof EndpointFailure || (error instanceof Error && 'code' in error);
}

/** A refusal as the wire says it, or a failure of the door. */
export async function refusalOf(response: HttpResponse): Promise<UnitRefusal | EndpointFailure> {
  const text = await textOf(response, WIRE_LINE_BYTES_MAX);
  const refusal = parseRefusal(text);
  if (response.status >= 500)
    return new EndpointFailure(refusal?.message ?? `The unit endpoint answered ${response.status}.`);
  return (
    refusal ?? new UnitRefusal(`HTTP_${response.status}`, `The unit endpoint answered ${response.status}.`)
  );
}

/** `{ error: { code, message } }`, or undefined when the text is something else. */
function parseRefusal(text: string): UnitRefusal | undefined {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } }; // checked on the next line
    if (typeof error?.code !== 'string') return undefined;
    return new UnitRefusal(error.code, typeof error.message === 'string' ? error.message : error.code);
  } catch {
    return undefined;
  }
}

async function* linesOf(body: AsyncIterable<Uint8Array>, received: () => void): AsyncGenerator<string, void> {
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    received();
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      parts.push(chunk.subarray(from, at));
      const line = Buffer.concat(parts).toString('utf8');
      parts = [];
      bytes = 0;
      from = at + 1;
      if (line !== '') yield line; // an empty line only keeps the connection alive
    }
    parts.push(chunk.subarray(from));
    bytes += chunk.byteLength - from;
    if (bytes > EVENTS_LINE_BYTES_MAX) {
      throw new UnitWireBroken(
        `The unit endpoint sent a line of more than ${EVENTS_LINE_BYTES_MAX} bytes in its event stream: is it of another version?`,
      );
    }
  }
}
