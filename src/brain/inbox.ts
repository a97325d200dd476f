/** Messages of users that no model call has seen: of turns that have started, and of the next one. */
import type { TurnId } from '../kernel/id.ts';

export interface Heard {
  readonly seq: number;
  readonly text: string;
}

export class Inbox {
  #joined: readonly Heard[] = [];
  #waiting: readonly (Heard & { readonly turnId: TurnId | undefined })[] = [];

  /** Those that the next call adds. */
  get joined(): readonly Heard[] {
    return this.#joined;
  }

  /** `joins`: its turn runs already. */
  hear(message: Heard & { readonly turnId: TurnId | undefined }, joins: boolean): void {
    if (joins) this.#joined = [...this.#joined, message];
    else this.#waiting = [...this.#waiting, message];
  }

  /** The turn has started: what waited for it joins. */
  join(turnId: TurnId | undefined): void {
    this.#joined = [...this.#joined, ...this.#waiting.filter((message) => message.turnId === turnId)];
    this.#waiting = this.#waiting.filter((message) => message.turnId !== turnId);
  }

  /** Takes out the messages up to `toSeq`: a call sees them. */
  take(toSeq: number): readonly Heard[] {
    const taken = this.#joined.filter(({ seq }) => seq <= toSeq);
    this.#joined = this.#joined.filter(({ seq }) => seq > toSeq);
    return taken;
  }
}
