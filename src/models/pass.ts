/**
 * Passes an answer on, byte for byte but for the key, which a service may repeat in what it says (GATEWAY-1), and reads its
 * usage on the way: its head here, a stream in pass-stream.ts, what comes whole in pass-whole.ts.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { chunksOf, formOf } from './answer-form.ts';
import { passError, passWhole } from './pass-whole.ts';
import { passStream } from './pass-stream.ts';
import type { Meter, Passage } from './passage.ts';
import { NO_USAGE } from '../sessions/session.ts';
import type { Asked, Metered } from './usage-reader.ts';

const ANSWER_HEADERS = ['content-type', 'retry-after', 'retry-after-ms', 'x-should-retry'];
/** Where services say the id of a request, the first that is there: of the protocol, of proxies, of Amazon. */
const REQUEST_ID_HEADERS = ['request-id', 'x-request-id', 'x-amzn-requestid'];
/** The ids of the services have up to forty. */
const REQUEST_ID_CHARS_MAX = 200;

interface Ports {
  meter(metered: Metered): Promise<void>;
  readonly logger: Logger;
}

export interface Call {
  readonly sessionId: SessionId;
  readonly callId: string;
  /** Its model is also for services that do not say which one answered. */
  readonly asked: Asked;
}

/**
 * Rejects when either side is cut; what is known of the usage is metered all the same (GATEWAY-3). Throws AnswerTooLarge when the answer
 * is, and nothing of it was sent.
 */
export async function pass(
  call: Call,
  answer: IncomingMessage,
  response: ServerResponse,
  ports: Ports,
  { scrubber, work }: Pick<Passage, 'scrubber' | 'work'>,
): Promise<void> {
  const status = answer.statusCode ?? 502;
  const words = scrubber?.pieces(); // one after the other: a key may be spread over several
  const clean = (value: string): string => (words === undefined ? value : words.push(value) + words.flush());
  for (const name of ANSWER_HEADERS) {
    const value = answer.headers[name];
    if (value !== undefined) response.setHeader(name, clean(String(value))); // GATEWAY-4
  }
  const requestId = requestIdOf(answer, clean);
  if (requestId !== undefined) response.setHeader('request-id', requestId);
  response.statusCode = status;
  const succeeded = status >= 200 && status < 300;
  const meter = onceMetered(call, requestId, { ports, clean });
  try {
    const { form, chunks } = succeeded
      ? await formOf(answer)
      : { form: 'whole' as const, chunks: chunksOf(answer) };
    if (form === 'stream') {
      response.setHeader('content-type', 'text/event-stream');
      await passStream({ chunks, response, meter, scrubber, work });
    } else if (succeeded) {
      await passWhole({ chunks, response, meter, scrubber, work });
    } else {
      await passError({ chunks, response, scrubber, work });
    }
  } catch (error) {
    if (succeeded) await meter(undefined, true); // GATEWAY-8: a cut before the first byte is one as well
    throw error;
  }
}

/** One request is metered at most once, whatever happens to its answer. */
function onceMetered(
  { sessionId, callId, asked }: Call,
  requestId: string | undefined,
  { ports, clean }: { readonly ports: Ports; readonly clean: (value: string) => string },
): Meter {
  let done = false;
  const call = { sessionId, callId, asked, requestId };
  return async (known, isCut = false) => {
    if (done) return;
    done = true;
    if (known === undefined && isCut) {
      const unknown = { usage: { ...NO_USAGE, complete: false }, unmetered: true }; // GATEWAY-8
      return ports.meter({ ...call, requestKey: randomUUID(), model: asked.model, ...unknown });
    }
    if (known === undefined) return ports.logger.warn('model answer without usage', { sessionId, callId });
    const { model: said = asked.model, ...used } = known;
    const answered = clean(said); // GATEWAY-1
    await ports.meter({ ...call, requestKey: randomUUID(), model: answered, ...used });
  };
}

function requestIdOf(answer: IncomingMessage, clean: (value: string) => string): string | undefined {
  const value = REQUEST_ID_HEADERS.map((name) => answer.headers[name]).find((one) => one !== undefined);
  return value === undefined ? undefined : clean(String(value)).slice(0, REQUEST_ID_CHARS_MAX);
}
