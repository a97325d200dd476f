/**
 * Whether an answer is a stream of events or comes whole. Its content-type says so, and some services are wrong about it: an answer
 * that is taken for the other form is lost, and its usage with it. So the first bytes count where they are clear.
 */
import type { IncomingMessage } from 'node:http';
import { type Duplex, pipeline, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ANSWER_STREAM_BYTES_MAX, AnswerTooLarge, bounded } from './answer-limit.ts';
import { UpstreamFailure } from './upstream.ts';

/** Blanks and a BOM before the first character that tells; after that many the content-type has the word. */
const BLANK_BYTES_MAX = 1_024;

const STREAM = /^\ufeff?\s*(?:event|data|id|retry|):/;
const WHOLE = /^\ufeff?\s*[{[<]/;
/** What may yet become one of the two. */
const OPEN = /^\ufeff?\s*[a-z]{0,5}$/;

export interface AnswerForm {
  readonly form: 'stream' | 'whole';
  /** All of its bytes. */
  readonly chunks: AsyncIterable<Buffer, undefined>;
}

export async function formOf(answer: IncomingMessage): Promise<AnswerForm> {
  const said = /^\s*text\/event-stream/i.test(answer.headers['content-type'] ?? '') ? 'stream' : 'whole';
  const source = chunksOf(answer)[Symbol.asyncIterator]();
  const read: Buffer[] = [];
  let text = '';
  while (OPEN.test(text) && text.length < BLANK_BYTES_MAX) {
    const next = await source.next();
    if (next.done === true) break;
    read.push(next.value);
    text += next.value.toString('utf8', 0, BLANK_BYTES_MAX);
  }
  const form = STREAM.test(text) ? 'stream' : WHOLE.test(text) ? 'whole' : said;
  return { form, chunks: following(read, source) };
}

/** What a service may compress with, though it is asked not to (upstream.ts): the key is looked for in the plain bytes. */
const DECODERS: Readonly<Record<string, () => Duplex>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
};

function decoded(answer: IncomingMessage): Readable {
  const decoder = DECODERS[answer.headers['content-encoding']?.trim().toLowerCase() ?? ''];
  // Errors of either side end the reading of the last one.
  return decoder === undefined
    ? answer
    : pipeline(answer, bounded(ANSWER_STREAM_BYTES_MAX), decoder(), () => undefined); // what is packed may be nothing when it is unpacked
}

/** The bytes as they come, plain; throws UpstreamFailure when the answer is cut, and AnswerTooLarge. */
export function chunksOf(answer: IncomingMessage): AsyncIterable<Buffer, undefined> {
  const source: AsyncIterator<Buffer, undefined> = decoded(answer)[Symbol.asyncIterator](); // no encoding is set, so these are buffers
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        try {
          return await source.next();
        } catch (error) {
          if (error instanceof UpstreamFailure || error instanceof AnswerTooLarge) throw error;
          throw new UpstreamFailure(502, 'api_error', 'The model service cut its answer.', error);
        }
      },
      async return() {
        await source.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** What was read, then the rest; who stops reading ends the answer. */
function following(
  read: readonly Buffer[],
  source: AsyncIterator<Buffer, undefined>,
): AsyncIterable<Buffer, undefined> {
  const first = read.values();
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const known = first.next();
        return known.done === true ? source.next() : { done: false, value: known.value };
      },
      async return() {
        await source.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}
