/** How much an answer of a model service may have. It is somebody's server, and what it sends is kept, unpacked and searched here. */
import { excessOf } from '../kernel/json-bounds.ts';

const MIB = 1024 * 1024;
/** A stream, all of its events: 128,000 tokens, each an event of 500 bytes. As it comes, and as it is when it is unpacked. */
export const ANSWER_STREAM_BYTES_MAX = 64 * MIB;
/** An answer that is not streamed: more is no answer of a model to a brain (platform/anthropic/answer-body.ts). */
export const ANSWER_WHOLE_BYTES_MAX = 8 * MIB;
/** What a service says in place of an answer: some sentences, and of some services the request that they are about. */
export const ANSWER_ERROR_BYTES_MAX = MIB;
/** A line of a stream: a whole block, 128,000 tokens of sixteen bytes each, as texts that are escaped twice may have. */
export const ANSWER_LINE_BYTES_MAX = 2 * MIB;
/** An event, all of its lines. */
export const ANSWER_EVENT_BYTES_MAX = ANSWER_LINE_BYTES_MAX + 64 * 1024;
/** Values in the JSON of an event, or in one member of a whole answer: parsing them takes some ten milliseconds. The longest answer has fewer tokens. */
export const ANSWER_VALUES_MAX = 200_000;

/** The type of the failure, as the gateway names it to a brain. */
export const ANSWER_TOO_LARGE = 'answer_too_large';

/** It goes beyond one of them; the message says which. */
export class AnswerTooLarge extends Error {}

export function bytesOver(bytesMax: number): AnswerTooLarge {
  return new AnswerTooLarge(`The model service sent more than ${bytesMax} bytes in one answer.`);
}

export function valuesOver(): AnswerTooLarge {
  return new AnswerTooLarge(`The model service sent JSON of more than ${ANSWER_VALUES_MAX} values.`);
}

/** Throws AnswerTooLarge when parsing it would take too long. */
export function checkValues(json: string): void {
  if (excessOf(json, { depthMax: Infinity, valuesMax: ANSWER_VALUES_MAX }) !== undefined) throw valuesOver();
}

/** Passes chunks on until they are more. */
export function bounded(bytesMax: number): (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void> {
  return async function* counted(chunks) {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw bytesOver(bytesMax);
      yield chunk;
    }
  };
}
