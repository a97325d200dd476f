/** Passes on what does not come as a stream, without the key in it: an answer, or what stands in place of one. */
import type { ServerResponse } from 'node:http';
import { ANSWER_ERROR_BYTES_MAX, ANSWER_WHOLE_BYTES_MAX, AnswerTooLarge, bounded } from './answer-limit.ts';
import { type ReadAnswer, readAnswer } from './json-texts.ts';
import type { Steps } from './loop-share.ts';
import type { Passage } from './passage.ts';
import { UsageReader } from './usage-reader.ts';

/** Of what comes, in one step. */
const STEP_BYTES = 16 * 1024;

/** Throws AnswerTooLarge before anything of it was sent. */
export async function passWhole({ response, meter, ...passage }: Passage): Promise<void> {
  const whole = await bytesOf(passage, ANSWER_WHOLE_BYTES_MAX);
  const { said, clean = whole } = await read(whole, passage);
  await meter(UsageReader.ofMessage(said)); // GATEWAY-2
  send(response, clean);
}

/** An error with its status; one that is too large keeps that alone (GATEWAY-9). */
export async function passError({ response, ...passage }: Omit<Passage, 'meter'>): Promise<void> {
  try {
    const whole = await bytesOf(passage, ANSWER_ERROR_BYTES_MAX);
    const { clean = whole } = await read(whole, passage);
    send(response, clean);
  } catch (error) {
    if (!(error instanceof AnswerTooLarge)) throw error;
    const message = `The model service refused with status ${response.statusCode} and more words than are read.`;
    response.setHeader('content-type', 'application/json');
    send(response, Buffer.from(JSON.stringify({ type: 'error', error: { message } })));
  }
}

type Source = Omit<Passage, 'meter' | 'response'>;

/** Looked at as they come, for all that is written there: what is not text stays as it is, since keys are ASCII. */
async function bytesOf({ chunks, scrubber, work }: Source, bytesMax: number): Promise<Buffer> {
  const pieces = scrubber?.pieces();
  const parts: Buffer[] = [];
  function* take(chunk: Buffer): Steps<void> {
    for (let at = 0; at < chunk.length; at += STEP_BYTES) {
      const part = chunk.subarray(at, at + STEP_BYTES);
      parts.push(
        pieces === undefined ? part : Buffer.from(pieces.pushMore(part.toString('latin1')), 'latin1'),
      );
      yield;
    }
  }
  for await (const chunk of bounded(bytesMax)(chunks)) await work(take(chunk));
  if (pieces !== undefined) parts.push(Buffer.from(pieces.flush(), 'latin1'));
  return Buffer.concat(parts);
}

/** Of a body in which the key is not, for all that is written: one that is JSON, without a key that is spread over several of its texts. */
function read(whole: Buffer, { scrubber, work }: Source): Promise<ReadAnswer> {
  return work(readAnswer(whole.toString('utf8'), scrubber && (() => scrubber.pieces())));
}

function send(response: ServerResponse, body: Buffer): void {
  response.setHeader('content-length', body.length);
  response.end(body);
}
