/** How often a request with a fault was made: all that a rehearsal remembers of what was asked. */
import type { ScriptFault } from './script-fault.ts';

/** Requests with faults whose attempts are counted; the oldest is forgotten first. */
const POSITIONS_MAX = 10_000;

export class Attempts {
  readonly #counts = new Map<string, number>();

  /** The fault of this attempt; undefined when all have been played, or there are none. */
  next(position: string, faults: readonly ScriptFault[]): ScriptFault | undefined {
    if (faults.length === 0) return undefined;
    const attempt = (this.#counts.get(position) ?? 0) + 1;
    this.#counts.delete(position);
    this.#counts.set(position, attempt);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > POSITIONS_MAX && oldest !== undefined) this.#counts.delete(oldest);
    let through = 0;
    return faults.find((fault) => (through += fault.times) >= attempt);
  }
}
