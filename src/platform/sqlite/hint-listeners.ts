/** Who is told of what the journal has committed. */
import type { Hint } from '../../journal/journal.ts';
import { concernOf } from '../../sessions/lifecycle.ts';
import { hasWaited, waitsChanged } from '../../sessions/waits.ts';
import type { Loaded } from './loaded-sessions.ts';

export class HintListeners {
  readonly #listeners = new Set<(hint: Hint) => void>();

  /** Answers its end. */
  add(listener: (hint: Hint) => void): () => void {
    const own = (hint: Hint): void => listener(hint); // its own entry, so that the same function may listen twice
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** Of what a commit has added to the session, or that it has deleted it. */
  tell(loaded: Loaded): void {
    const events = loaded.fresh;
    loaded.fresh = [];
    if (events.length === 0 && !loaded.gone) return;
    const { id, organisationId } = loaded.session;
    const isWait = loaded.gone
      ? hasWaited(loaded.session)
      : waitsChanged(loaded.session, loaded.head, events.length);
    const hint = { sessionId: id, head: loaded.head, events, waitsOf: isWait ? organisationId : undefined };
    const told: Hint = loaded.gone
      ? { ...hint, gone: true }
      : { ...hint, concerns: concernOf(loaded.session) };
    for (const listener of this.#listeners) listener(told);
  }

  clear(): void {
    this.#listeners.clear();
  }
}
