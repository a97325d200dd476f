/** Work on one session after the other, on several at the same time. */
import type { SessionId } from '../../../kernel/id.ts';

export class SessionTurns {
  readonly #last = new Map<SessionId, Promise<void>>();

  /** Does `work` once all that was given for this session before has ended, well or not. */
  take<T>(sessionId: SessionId, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(sessionId) ?? Promise.resolve()).then(work);
    const done = result.then(
      () => undefined,
      () => undefined,
    );
    const last = done.then(() => {
      if (this.#last.get(sessionId) === last) this.#last.delete(sessionId);
    });
    this.#last.set(sessionId, last);
    return result;
  }
}
