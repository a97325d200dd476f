/**
 * What of the conversation goes on in another form because the model service refused it (conversation.repaired): part of the
 * fold, so every later request has the same form. A compaction ends all of it: what was repaired is no longer sent.
 */
import type { BodyOf } from '../journal/event.ts';

export class Repairs {
  #thinkingDroppedTo = 0;
  readonly #replaced = new Set<number>();
  readonly #suspects = new Set<number>();
  #plain = false;

  apply({ repair, repairedSeq }: BodyOf<'conversation.repaired'>): void {
    if (repair === 'condensed') {
      this.#plain = true;
      if (repairedSeq !== undefined) this.#suspects.add(repairedSeq);
    } else if (repair === 'dropped') {
      this.#thinkingDroppedTo = Math.max(this.#thinkingDroppedTo, repairedSeq ?? 0);
    } else if (repairedSeq !== undefined) {
      this.#replaced.add(repairedSeq);
    }
  }

  clear(): void {
    this.#thinkingDroppedTo = 0;
    this.#replaced.clear();
    this.#suspects.clear();
    this.#plain = false;
  }

  /** Whether the block of the event is sent in another form, or not at all. */
  has(seq: number): boolean {
    return seq <= this.#thinkingDroppedTo || this.isReplaced(seq);
  }

  isReplaced(seq: number): boolean {
    return this.#replaced.has(seq) || this.#suspects.has(seq);
  }

  /** Thinking is bound to what was before it, so all of it up to a refused one is left out. */
  dropsThinking(seq: number): boolean {
    return seq <= this.#thinkingDroppedTo;
  }

  /** Whether the message that holds the event is replaced whole. */
  isSuspect(seq: number): boolean {
    return this.#suspects.has(seq);
  }

  /** The next compaction sends plain text only: no thinking, and calls with their results as words. */
  get plain(): boolean {
    return this.#plain;
  }
}
