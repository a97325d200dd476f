/**
 * One write of the journal as group-commit.ts runs it: its answer or its refusal reaches the caller once the commit is durable,
 * and a refusal is its own (COMMIT-2), unless rows have been written by then.
 */
import type { Work } from './group-commit.ts';
import { translateError } from './translate-error.ts';

/** Rows written, and what the caller gets once they are durable. */
export type Outcome<T> = { readonly rows: number } & ({ readonly answer: T } | { readonly refusal: unknown });

/** One write of the journal in a group commit. */
export class Writing<T> implements Work {
  readonly #write: () => Outcome<T>;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: unknown) => void;
  #outcome: Outcome<T> | undefined;

  constructor(write: () => Outcome<T>, resolve: (answer: T) => void, reject: (error: unknown) => void) {
    this.#write = write;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  run(): number {
    const outcome = this.#tried();
    this.#outcome = outcome;
    return outcome.rows;
  }

  settle(): void {
    const outcome = this.#outcome;
    if (outcome === undefined) return;
    if ('refusal' in outcome) this.#reject(outcome.refusal);
    else this.#resolve(outcome.answer);
  }

  fail(error: unknown): void {
    this.#reject(error);
  }

  #tried(): Outcome<T> {
    try {
      return this.#write();
    } catch (error) {
      if (error instanceof HalfWritten) throw error.cause;
      return { rows: 0, refusal: translateError(error) }; // COMMIT-2
    }
  }
}

/** An append that failed between its rows: unlike a refusal, it takes the whole commit back with it. */
class HalfWritten extends Error {}

export function halfWritten(write: () => void): void {
  try {
    write();
  } catch (cause) {
    throw new HalfWritten('An append failed between its rows.', { cause });
  }
}
