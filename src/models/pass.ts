/**
 * Passes an answer on, byte for byte but for the key, which a service may repeat in what it says (GATEWAY-1), and reads its
 * usage on the way. A stream goes frame by frame: a frame is sent as
 * soon as it is whole, and only message_stop waits, until the usage is durable (GATEWAY-2).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { EventStreamDecoder, type Frame } from '../kernel/event-stream.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { chunksOf, formOf } from './answer-form.ts';
import type { KeyScrubber } from './key-scrubber.ts';
import { StreamScrubber } from './stream-scrubber.ts';
import { NO_USAGE } from '../sessions/session.ts';
import { UpstreamFailure } from './upstream.ts';
import { type Asked, type KnownUsage, type Metered, UsageReader } from './usage-reader.ts';

const ANSWER_HEADERS = ['content-type', 'retry-after', 'retry-after-ms', 'x-should-retry'];
/** Where services say the id of a request, the first that is there: of the protocol, of proxies, of Amazon. */
const REQUEST_ID_HEADERS = ['request-id', 'x-request-id', 'x-amzn-requestid'];
/** The ids of the services have up to forty. */
const REQUEST_ID_CHARS_MAX = 200;
/** An answer that is not streamed: more is no answer of a model to a brain (platform/anthropic/answer-body.ts). */
const MODEL_ANSWER_BYTES_MAX = 8 * 1024 * 1024;

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

/** Rejects when either side is cut; what is known of the usage is metered all the same (GATEWAY-3). `scrubber` is undefined when the key is no secret. */
export async function pass(
  call: Call,
  answer: IncomingMessage,
  response: ServerResponse,
  ports: Ports,
  scrubber: KeyScrubber | undefined,
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
      await passStream(chunks, response, meter, scrubber);
    } else {
      await passWhole(chunks, response, succeeded ? meter : undefined, scrubber);
    }
  } catch (error) {
    if (succeeded) await meter(undefined, true); // GATEWAY-8: a cut before the first byte is one as well
    throw error;
  }
}

/** `isCut`: the answer has not come to its end. */
type Meter = (known: KnownUsage | undefined, isCut?: boolean) => Promise<void>;

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

async function passStream(
  chunks: AsyncIterable<Buffer>,
  response: ServerResponse,
  meter: Meter,
  scrubber: KeyScrubber | undefined,
): Promise<void> {
  const usage = new UsageReader();
  const decoder = new EventStreamDecoder();
  const frames = scrubber === undefined ? PLAIN : new StreamScrubber(scrubber);
  let ready: Buffer[] = [];
  let isCut = true;
  const send = async (): Promise<void> => {
    const bytes = ready;
    ready = [];
    await write(response, bytes);
  };
  const take = async (frame: Frame): Promise<void> => {
    const isEnd = usage.read(frame);
    if (isEnd) {
      ready.push(...frames.end());
      await send();
      await meter(usage.known(true)); // GATEWAY-2
    }
    ready.push(...frames.push(frame));
  };
  response.flushHeaders();
  try {
    for await (const chunk of chunks) {
      for (const frame of decoder.read(chunk)) await take(frame);
      await send();
    }
    const last = decoder.end();
    if (last !== undefined) await take(last);
    ready.push(...frames.end());
    isCut = false;
    await send();
  } catch (error) {
    await writeOut(response, [...ready, ...frames.end()]);
    throw error;
  } finally {
    await meter(usage.known(false), isCut); // GATEWAY-3; does nothing after message_stop
  }
  response.end();
}

/** For a key that is no secret. */
const PLAIN: Pick<StreamScrubber, 'push' | 'end'> = { push: (frame) => [frame.bytes], end: () => [] };

async function passWhole(
  chunks: AsyncIterable<Buffer>,
  response: ServerResponse,
  meter: Meter | undefined,
  scrubber: KeyScrubber | undefined,
): Promise<void> {
  const parts: Buffer[] = [];
  const pieces = scrubber?.pieces(); // looked at as it comes: a large one takes its time
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MODEL_ANSWER_BYTES_MAX)
      throw new UpstreamFailure(
        502,
        'api_error',
        `The model service sent more than ${MODEL_ANSWER_BYTES_MAX} bytes.`,
      );
    if (pieces === undefined) parts.push(chunk);
    else pieces.read(chunk.toString('latin1')); // what is not text stays as it is: keys are ASCII
  }
  if (pieces !== undefined) parts.push(Buffer.from(pieces.flush(), 'latin1'));
  const whole = Buffer.concat(parts);
  await meter?.(UsageReader.ofMessage(whole.toString('utf8'))); // GATEWAY-2
  const body = scrubber?.spread(whole) ?? whole;
  response.setHeader('content-length', body.length);
  response.end(body);
}

function requestIdOf(answer: IncomingMessage, clean: (value: string) => string): string | undefined {
  const value = REQUEST_ID_HEADERS.map((name) => answer.headers[name]).find((one) => one !== undefined);
  return value === undefined ? undefined : clean(String(value)).slice(0, REQUEST_ID_CHARS_MAX);
}

/** Resolves when the bytes have left, since the connection is about to be cut; or when it is gone. */
async function writeOut(response: ServerResponse, parts: readonly Buffer[]): Promise<void> {
  if (parts.length === 0 || response.destroyed) return;
  await new Promise<void>((resolve) => response.write(Buffer.concat(parts), () => resolve()));
}

async function write(response: ServerResponse, parts: readonly Buffer[]): Promise<void> {
  const bytes = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
  if (bytes.length === 0) return;
  if (response.destroyed) throw new Error('The caller is gone.');
  if (response.write(bytes)) return;
  const gone = new AbortController();
  const onClose = (): void => gone.abort();
  response.once('close', onClose);
  try {
    await once(response, 'drain', { signal: gone.signal });
  } finally {
    response.off('close', onClose);
  }
}
