/**
 * Bounds of what goes out over HTTP, as a plugin of yoga: operations at once, bytes of an answer, bytes of a frame of SSE. It comes
 * after the masking, so that it measures what is sent.
 *
 * REPLY-1 no answer is larger than ANSWER_BYTES_MAX and no frame larger than FRAME_BYTES_MAX: the text of a larger one is never made.
 */
import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import { AnswerTooLarge } from '../../../schema/reading.ts';
import type { Principal } from '../../access/principal.ts';
import { Unauthenticated } from '../../kernel/fault.ts';
import { FRAME_BYTES_MAX } from '../../kernel/limit.ts';
import { Allowance } from './allowance.ts';
import { jsonBytes } from './json-size.ts';
import { ANSWER_BYTES_MAX } from './limits.ts';
import { refusal } from './masking.ts';
import type { Operations } from './operations.ts';
import type { Outgoing } from './outgoing.ts';

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
    onResultProcess({ result, setResult, serverContext: { reading } }) {
      if (Array.isArray(result)) return;
      if (Symbol.asyncIterator in result) setResult(boundedStream(result, outgoing));
      else {
        setResult(bounded(result, ANSWER_BYTES_MAX, outgoing));
        reading?.end();
      }
    },
  };
}

/** Throws TOO_MANY_OPERATIONS. */
function begin(operations: Operations, outgoing: Outgoing, context: BoundedContext): void {
  const { principal, res } = context;
  if (principal === undefined) throw new Unauthenticated();
  // It went while its key was looked up or its body came: nobody would say that its operation is over.
  if (res?.closed === true) throw refusal('BAD_REQUEST', 'The client has gone.', GONE_STATUS);
  const over = operations.begin(principal);
  const reading = new Allowance(outgoing);
  context.reading = reading;
  res?.once('close', () => {
    over();
    reading.end();
  });
}

/** The result, or the error that says that it is too large. `outgoing` where nobody else tells it what is sent. */
export function bounded(result: ExecutionResult, bytesMax: number, outgoing?: Outgoing): ExecutionResult {
  const bytes = jsonBytes(result, bytesMax);
  if (bytes === undefined) return tooLarge(bytesMax); // REPLY-1
  outgoing?.sent(bytes);
  return result;
}

function tooLarge(bytesMax: number): ExecutionResult {
  const { code, message } = new AnswerTooLarge('The answer has', bytesMax);
  return { errors: [refusal(code, message, 400)] };
}

/** Ends with the first frame that is too large: those after it would be out of order. */
export function boundedStream(
  source: AsyncIterable<ExecutionResult>,
  outgoing?: Outgoing,
): AsyncIterableIterator<ExecutionResult> {
  const iterator = source[Symbol.asyncIterator]();
  let isOver = false;
  return {
    async next() {
      const { done, value } = isOver ? { done: true, value: undefined } : await iterator.next();
      if (done === true || value === undefined) return { done: true, value: undefined };
      const given = bounded(value, FRAME_BYTES_MAX, outgoing);
      if (given !== value) {
        isOver = true;
        await iterator.return?.();
      }
      return { done: false, value: given };
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
