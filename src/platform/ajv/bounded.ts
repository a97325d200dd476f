/**
 * Runs what may take for ever within a bound of time. A script of node:vm that is over its time is ended wherever it is, also in the middle
 * of a regular expression (V8 looks for it when it backtracks), and so is what it has called. Nothing of it is to be used after that.
 */
import { createContext, Script } from 'node:vm';

const CONTEXT: { work?: (() => unknown) | undefined } = createContext({});
const SCRIPT = new Script('work()');

/** What `work` answers; undefined when it was not done in time. Throws what it throws. */
export function bounded<T extends object>(work: () => T, msMax: number): T | undefined {
  CONTEXT.work = work;
  try {
    return SCRIPT.runInContext(CONTEXT, { timeout: Math.max(1, Math.ceil(msMax)) }) as T; // what `work` answered
  } catch (error) {
    if (isTimeout(error)) return undefined;
    throw error;
  } finally {
    CONTEXT.work = undefined;
  }
}

/** It is made in the script's own realm, where Error is another one. */
function isTimeout(error: unknown): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  );
}
