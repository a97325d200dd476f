/** Large answers and frames are made one at a time, each in its turn (TURNS-1): measured, and begun to be written. */
import { execute, type ExecutionArgs, type ExecutionResult, subscribe } from 'graphql';
import type { Context } from '../../../schema/context.ts';

type MakingContext = Pick<Context, 'budget' | 'reading'>;

/** What is done with the result in the same round of the event loop is done in the turn. */
export async function executeInTurn(args: ExecutionArgs): Promise<ExecutionResult> {
  const result = await execute(args);
  await turnOf(args);
  return result;
}

export async function subscribeInTurns(
  args: ExecutionArgs,
): Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult> {
  const result = await subscribe(args);
  return Symbol.asyncIterator in result ? inTurns(result, args) : result;
}

/** Not an async generator: `return()` must reach the source while `next()` waits. */
function inTurns(
  source: AsyncIterable<ExecutionResult>,
  args: ExecutionArgs,
): AsyncIterableIterator<ExecutionResult> {
  const iterator = source[Symbol.asyncIterator]();
  return {
    async next() {
      const { done, value } = await iterator.next();
      if (done === true) return { done: true, value: undefined };
      await turnOf(args);
      return { done: false, value };
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

function turnOf({ contextValue }: ExecutionArgs): Promise<void> | undefined {
  const { budget, reading } = contextValue as MakingContext; // as: both doors made it
  return budget.turnToMake(reading.bytes);
}
