/**
 * Passes an answer on, byte for byte but for the key, which a service may repeat in what it says (G1), and reads its
 * usage on the way. A stream goes frame by frame: a frame is sent as
 * soon as it is whole, and only message_stop waits, until the usage is durable (G2).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { SessionId } from '../kernel/id.ts';
import { type Metered, UsageReader } from './usage-reader.ts';

const ANSWER_HEADERS = ['content-type', 'request-id', 'retry-after', 'retry-after-ms', 'x-should-retry'];
/** One frame of a stream; a block of redacted thinking is the largest thing that comes whole. */
const FRAME_BYTES_MAX = 8 * 1024 * 1024;
/** An answer that is not streamed. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

interface Ports {
  meter(metered: Metered): Promise<void>;
}

/** Replaces what must not be seen; gives back the same buffer when there is nothing to replace. */
export type Scrub = (bytes: Buffer) => Buffer;

interface Call {
  readonly sessionId: SessionId;
  readonly callId: string;
}

/** Rejects when either side is cut; what is known of the usage is metered all the same (G3). */
export async function pass(
  call: Call,
  answer: IncomingMessage,
  response: ServerResponse,
  ports: Ports,
  scrub: Scrub,
): Promise<void> {
  const status = answer.statusCode ?? 502;
  for (const name of ANSWER_HEADERS) {
    const value = answer.headers[name];
    if (value !== undefined)
      response.setHeader(name, scrub(Buffer.from(String(value), 'latin1')).toString('latin1'));
  }
  response.statusCode = status;
  const metered = status < 400;
  const streams = metered && String(answer.headers['content-type']).startsWith('text/event-stream');
  if (streams) await passStream(call, answer, response, ports, scrub);
  else await passWhole(call, answer, response, metered ? ports : undefined, scrub);
}

async function passStream(
  call: Call,
  answer: IncomingMessage,
  response: ServerResponse,
  ports: Ports,
  scrub: Scrub,
): Promise<void> {
  const usage = new UsageReader();
  const requestKey = randomUUID();
  let done = false;
  const meter = async (complete: boolean): Promise<void> => {
    if (done) return;
    done = true;
    const known = usage.known(complete);
    if (known !== undefined)
      await ports.meter({ sessionId: call.sessionId, callId: call.callId, requestKey, ...known });
  };
  response.flushHeaders();
  try {
    for await (const frames of framesOf(answer, scrub)) {
      let ready = 0;
      for (const frame of frames.each) {
        if (usage.read(frame.text())) {
          await write(response, frames.bytes.subarray(ready, frame.from));
          ready = frame.from;
          await meter(true); // G2
        }
      }
      await write(response, frames.bytes.subarray(ready));
    }
  } finally {
    await meter(false); // G3; does nothing after message_stop
  }
  response.end();
}

async function passWhole(
  call: Call,
  answer: IncomingMessage,
  response: ServerResponse,
  ports: Ports | undefined,
  scrub: Scrub,
): Promise<void> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    // no encoding is set, so these are buffers
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('The model service sent an answer that is too long.');
    chunks.push(chunk);
  }
  const body = scrub(Buffer.concat(chunks));
  const known = ports === undefined ? undefined : UsageReader.ofMessage(body.toString('utf8'));
  if (ports !== undefined && known !== undefined) {
    await ports.meter({ sessionId: call.sessionId, callId: call.callId, requestKey: randomUUID(), ...known });
  }
  response.setHeader('content-length', body.length);
  response.end(body);
}

async function write(response: ServerResponse, bytes: Buffer): Promise<void> {
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

interface Frames {
  /** Whole frames, as they came, scrubbed. */
  readonly bytes: Buffer;
  readonly each: readonly { readonly from: number; text(): string }[];
}

/** Groups a stream into runs of whole frames; what follows the last boundary comes with the next run, or at the end. */
async function* framesOf(stream: AsyncIterable<Buffer>, scrub: Scrub): AsyncGenerator<Frames, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const ends = boundariesOf(bytes);
    const end = ends.at(-1) ?? 0;
    rest = bytes.subarray(end);
    if (rest.length > FRAME_BYTES_MAX) throw new Error('The model service sent a frame that is too long.');
    if (end === 0) continue;
    const whole = bytes.subarray(0, end);
    const clean = scrub(whole);
    yield { bytes: clean, each: framesBetween(clean, clean === whole ? ends : boundariesOf(clean)) };
  }
  if (rest.length > 0) yield { bytes: scrub(rest), each: [] }; // not a whole frame
}

function framesBetween(bytes: Buffer, ends: readonly number[]): Frames['each'] {
  return ends.map((end, index) => {
    const from = index === 0 ? 0 : (ends[index - 1] ?? 0);
    return { from, text: () => bytes.toString('utf8', from, end) };
  });
}

/** Offsets just after each blank line, whether lines end with LF or CR LF. */
function boundariesOf(bytes: Buffer): readonly number[] {
  const ends: number[] = [];
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) {
    const previous = bytes[at - 1] === 0x0d ? bytes[at - 2] : bytes[at - 1];
    if (previous === 0x0a) ends.push(at + 1);
  }
  return ends;
}
