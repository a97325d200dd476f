/**
 * One write of the journal as group-commit.ts runs it: its answer or its refusal reaches the caller once the commit is durable,
 * and a refusal is its own (COMMIT-2), unless rows have been written by then.
 */
import type { Work } from './group-commit.ts';
import { translateError } from './translate-error.ts';

/** Rows written, and what the caller gets once they are durable. */
export type Outcome<T> = { readonly rows: number } & ({ readonly answer: T } | { readonly refusal: Error });

/** One write of the journal in a group commit. */
export class Writing<T> implements Work {
  readonly #write: () => Outcome<T>;
  readonly #resolve: (answer: T) => void;
  readonly #reject: (error: unknown) => void;
  #settle: () => void = () => undefined;

  constructor(write: () => Outcome<T>, resolve: (answer: T) => void, reject: (error: unknown) => void) {
    this.#write = write;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  run(): number {
    let outcome: Outcome<T>;
    try {
      outcome = this.#write();
    } catch (error) {
      if (error instanceof HalfWritten) throw error.cause;
      this.#settle = () => this.#reject(translateError(error)); // COMMIT-2
      return 0;
    }
    const done = outcome;
    this.#settle = () => ('refusal' in done ? this.#reject(done.refusal) : this.#resolve(done.answer));
    return outcome.rows;
  }

  settle(): void {
    this.#settle();
  }

  fail(error: unknown): void {
    this.#reject(error);
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
