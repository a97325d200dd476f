/**
 * One model call of a session at a time. The next begins when what the last one used is written down, so that two calls cannot both find
 * room in the same budget.
 */
import { GatewayRefusal } from './refusal.ts';

/** Calls of a session that wait: a brain makes one, and may have left the one before a moment ago. */
const WAITING_CALLS_MAX = 1;

export class CallGate {
  /** By session: the call that is being made, and then those that wait. */
  readonly #calls = new Map<string, (() => void)[]>();

  /** Resolves when it is this call's turn; what it answers ends that. Throws GatewayRefusal when too many wait, and the signal's reason. */
  async enter(sessionId: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    const calls = this.#calls.get(sessionId) ?? [];
    if (calls.length > WAITING_CALLS_MAX) throw new GatewayRefusal(429, 'too_many_calls', BUSY);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    calls.push(resolve);
    this.#calls.set(sessionId, calls);
    if (calls.length === 1) resolve();
    const leave = (): void => this.#leave(sessionId, resolve);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await promise;
      return leave;
    } catch (error) {
      leave();
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #leave(sessionId: string, call: () => void): void {
    const calls = this.#calls.get(sessionId) ?? [];
    const at = calls.indexOf(call);
    if (at < 0) return;
    calls.splice(at, 1);
    if (calls.length === 0) this.#calls.delete(sessionId);
    else if (at === 0) calls[0]?.();
  }
}

const BUSY = 'A session makes one model call at a time, and another one waits already. Wait for its answer.';
