/**
 * Bounds of what goes out over HTTP, as a plugin of yoga: operations at once, bytes of an answer, bytes of a frame of SSE. It comes
 * after the masking, so that it measures what is sent.
 *
 * REPLY-1 no answer is larger than ANSWER_BYTES_MAX and no frame larger than FRAME_BYTES_MAX: the text of a larger one is never made.
 * REPLY-3 a stream ends with the frame of which something was refused: what it could not show would be missing in what comes after it.
 * REPLY-2 a stream of SSE makes its next frame when the one before has been taken, and a large answer its text piece by piece: what nobody
 *    reads is held once, as it was read from the store.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { LARGE_BYTES } from '../../../schema/log-budget.ts';
import { AnswerTooLarge } from '../../../schema/reading.ts';
import type { Principal } from '../../access/principal.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import { FRAME_BYTES_MAX } from '../../kernel/limit.ts';
import { Allowance } from './allowance.ts';
import { jsonBytes } from './json-size.ts';
import { jsonPieces, jsonText } from './json-writer.ts';
import { ANSWER_BYTES_MAX } from './limits.ts';
import { refusal } from './masking.ts';
import { nameOf, type Operations } from './operations.ts';
import type { Outgoing, OutgoingAccount } from './outgoing.ts';

/** Nobody reads it: 499 is what proxies write into their logs for a client that closed its request (ngx_http_request.h). */
const GONE_STATUS = 499;

export interface BoundedContext {
  principal?: Principal;
  reading?: Allowance;
  readonly res?: ServerResponse;
}

export function useAnswerBounds(operations: Operations, outgoing: Outgoing): Plugin<object, BoundedContext> {
  return {
    onRequestParse({ requestParser, setRequestParser, serverContext }) {
      if (requestParser === undefined) return;
      setRequestParser(async (request) => {
        const asked = await requestParser(request); // a body that does not come is no operation (BODIES-2)
        begin(operations, outgoing, serverContext);
        return asked;
      });
    },
    onResultProcess({ request, result, setResult, serverContext }) {
      if (Array.isArray(result)) return;
      const { reading, res, principal } = serverContext;
      const account = outgoing.of(principal === undefined ? undefined : nameOf(principal));
      if (Symbol.asyncIterator in result)
        return setResult(boundedStream(result, { outgoing: account, res, reading }));
      if (res !== undefined && reading !== undefined && isLarge(reading) && takesPieces(request)) {
        setResult(inPieces(bounded(result, ANSWER_BYTES_MAX)));
        outgoing.heldFor(res, reading.handOver());
      } else {
        setResult(asText(bounded(result, ANSWER_BYTES_MAX, account)));
        reading?.end();
      }
    },
  };
}

/** Until what was written has been taken; yoga asks for a frame as soon as it has handed over the one before. */
async function roomIn(res: ServerResponse | undefined): Promise<void> {
  if (res === undefined || !res.writableNeedDrain || res.closed) return;
  await new Promise<void>((resolve) => {
    const taken = (): void => {
      res.off('drain', taken);
      res.off('close', taken);
      resolve();
    };
    res.once('drain', taken);
    res.once('close', taken);
  });
}

function isLarge({ bytes }: Allowance): boolean {
  return bytes >= LARGE_BYTES;
}

/** An answer that is a message of a stream is one text. */
function takesPieces({ headers }: Request): boolean {
  return !/event-stream|multipart/i.test(headers.get('accept') ?? '');
}

/** yoga writes a result by its `stringify` where it has one. */
function asText(result: ExecutionResult): ExecutionResult {
  return { ...result, stringify: jsonText } as ExecutionResult;
}

/** The text is made as it is read; a Response takes a Readable as well. */
function inPieces(result: ExecutionResult): ExecutionResult {
  const stringify = (given: unknown): Readable => Readable.from(jsonPieces(given), { objectMode: false });
  return { ...result, stringify } as ExecutionResult;
}

/** Throws TOO_MANY_OPERATIONS. */
function begin(operations: Operations, outgoing: Outgoing, context: BoundedContext): void {
  const { principal, res } = context;
  if (principal === undefined) throw new Unauthenticated();
  // It went while its key was looked up or its body came: nobody would say that its operation is over.
  if (res?.closed === true) throw refusal('BAD_REQUEST', 'The client has gone.', GONE_STATUS);
  const over = operations.begin(principal);
  const owner = nameOf(principal);
  if (res !== undefined) outgoing.belongsTo(res, owner);
  const reading = new Allowance(outgoing.of(owner));
  context.reading = reading;
  res?.once('close', () => {
    over();
    reading.end();
  });
}

/** The result, or the error that says that it is too large. `outgoing` where nobody else tells it what is sent. */
export function bounded(
  result: ExecutionResult,
  bytesMax: number,
  outgoing?: Pick<OutgoingAccount, 'sent'>,
): ExecutionResult {
  const bytes = jsonBytes(result, bytesMax);
  if (bytes === undefined) return tooLarge(bytesMax); // REPLY-1
  outgoing?.sent(bytes);
  return result;
}

function tooLarge(bytesMax: number): ExecutionResult {
  const { code, message } = new AnswerTooLarge('The answer has', bytesMax);
  return { errors: [refusal(code, message, 400)] };
}

/** Who is told of frames that are sent, who has to have taken them, and what was read for them. */
export interface StreamBounds {
  readonly outgoing?: Pick<OutgoingAccount, 'sent'> | undefined;
  readonly res?: ServerResponse | undefined;
  readonly reading?: Pick<Allowance, 'isRefused'> | undefined;
}

/** Ends with the first frame that is too large, or could not be read: those after it would be out of order. */
export function boundedStream(
  source: AsyncIterable<ExecutionResult>,
  { outgoing, res, reading }: StreamBounds,
): AsyncIterableIterator<ExecutionResult> {
  const iterator = source[Symbol.asyncIterator]();
  let isOver = false;
  return {
    async next() {
      await roomIn(res); // REPLY-2
      const { done, value } = isOver ? { done: true, value: undefined } : await iterator.next();
      if (done === true || value === undefined) return { done: true, value: undefined };
      const given = bounded(value, FRAME_BYTES_MAX, outgoing);
      if (given !== value || reading?.isRefused === true) {
        isOver = true;
        await iterator.return?.();
      }
      return { done: false, value: asText(given) };
    },
    async return() {
      await iterator.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
