/**
 * Passes a stream on frame by frame: what is whole of a chunk is sent with it, and only message_stop waits, until the usage is durable
 * (GATEWAY-2). A stream that is too large ends with an event that says so (GATEWAY-9).
 */
import type { ServerResponse } from 'node:http';
import { once } from 'node:events';
import { EventStreamDecoder, EventStreamTooLong, type Frame } from '../kernel/event-stream.ts';
import {
  ANSWER_EVENT_BYTES_MAX,
  ANSWER_LINE_BYTES_MAX,
  ANSWER_STREAM_BYTES_MAX,
  ANSWER_TOO_LARGE,
  AnswerTooLarge,
  bounded,
  checkValues,
} from './answer-limit.ts';
import type { Steps } from './loop-share.ts';
import type { Passage } from './passage.ts';
import { StreamScrubber } from './stream-scrubber.ts';
import { UsageReader } from './usage-reader.ts';

/** Rejects when either side is cut; what is known of the usage is metered all the same (GATEWAY-3). */
export async function passStream({ chunks, response, meter, scrubber, work }: Passage): Promise<void> {
  const usage = new UsageReader();
  const decoder = new EventStreamDecoder({
    lineBytesMax: ANSWER_LINE_BYTES_MAX,
    frameBytesMax: ANSWER_EVENT_BYTES_MAX,
  });
  const frames = scrubber === undefined ? PLAIN : new StreamScrubber(scrubber);
  let ready: Buffer[] = [];
  let last = '';
  let isCut = true;
  const send = async (): Promise<void> => {
    const bytes = ready;
    ready = [];
    await write(response, bytes);
  };
  /** Up to message_stop, if it is among them; undefined at their end. */
  function* takeUntilStop(some: Iterator<Frame, void>): Steps<Frame | undefined> {
    for (let next = some.next(); next.done !== true; next = some.next()) {
      if (next.value.data !== undefined) checkValues(next.value.data);
      if (usage.read(next.value)) return next.value;
      ready.push(...(yield* frames.push(next.value)));
      yield;
    }
    return undefined;
  }
  const take = async (some: Iterator<Frame, void>): Promise<void> => {
    for (let stop = await work(takeUntilStop(some)); stop !== undefined; ) {
      ready.push(...(await work(frames.end())));
      await send();
      await meter(usage.known(true)); // GATEWAY-2
      ready.push(...(await work(frames.push(stop))));
      stop = await work(takeUntilStop(some));
    }
    await send();
  };
  response.flushHeaders();
  try {
    for await (const chunk of bounded(ANSWER_STREAM_BYTES_MAX)(chunks)) await take(decoder.read(chunk));
    const rest = decoder.end();
    await take((rest === undefined ? [] : [rest]).values());
    ready.push(...(await work(frames.end())));
    isCut = false;
    await send();
  } catch (error) {
    if (!response.destroyed) await writeOut(response, [...ready, ...(await work(frames.end()))]);
    if (!(error instanceof AnswerTooLarge || error instanceof EventStreamTooLong)) throw error;
    last = tooLarge(error.message); // GATEWAY-9
  } finally {
    await meter(usage.known(false), isCut); // GATEWAY-3; does nothing after message_stop
  }
  response.end(last);
}

/** For a key that is no secret. */
const PLAIN: Pick<StreamScrubber, 'push' | 'end'> = {
  push: (frame) => done([frame.bytes]),
  end: () => done([]),
};

// oxlint-disable-next-line require-yield -- there is nothing to do
function* done<T>(value: T): Steps<T> {
  return value;
}

/** As the service would say it: the head of the answer is out already. */
function tooLarge(message: string): string {
  return `event: error\ndata: ${JSON.stringify({ type: 'error', error: { type: ANSWER_TOO_LARGE, message } })}\n\n`;
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
