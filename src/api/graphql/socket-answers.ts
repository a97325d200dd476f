/**
 * What operations of a socket answer, written here and not by graphql-ws, which would parse stored bodies to write them again. It sees an
 * iterator that yields nothing and ends when there is no more to send.
 */
import type { ExecutionResult } from 'graphql';
import { type Line, nextHead } from './line.ts';
import { jsonText } from './json-writer.ts';
import { formatted, type Masking, maskedResult } from './masking.ts';

export type Send = (result: ExecutionResult) => void;

/** Of one operation. */
export function senderOf({ outlet, operationId }: Line, masking: Masking): Send {
  const head = nextHead(operationId);
  return (result) => {
    const { data, errors, extensions } = maskedResult(result, masking);
    outlet.sendNext(head, jsonText({ data, errors: errors?.map(formatted), extensions }));
  };
}

/** Of an operation whose answer has been sent. */
export const SENT: AsyncIterableIterator<never, undefined> = {
  next: () => Promise.resolve({ done: true, value: undefined }),
  [Symbol.asyncIterator]: () => SENT,
};

/** Sends all that comes, each when there is room for it. `return()` reaches the source while `next()` waits. */
export function sendingAll(
  source: AsyncIterator<ExecutionResult>,
  { outlet }: Line,
  send: Send,
): AsyncIterableIterator<never, undefined> {
  const abort = new AbortController();
  return {
    async next() {
      for (;;) {
        await outlet.room(abort.signal);
        const { done, value } = await source.next();
        if (done === true) return { done: true, value: undefined };
        send(value);
      }
    },
    async return() {
      abort.abort();
      await source.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
