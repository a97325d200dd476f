/**
 * What a row of the benchmark is. Each row measures ours and a bare reference in the same run, on the same bytes, by turns
 * (A B A B …), so that whatever else the machine does falls on both.
 */

export interface RunOptions {
  /** Measured runs of each side. */
  readonly runs: number;
  /** Fewer and shorter runs: to see that it works, not to be believed. */
  readonly quick: boolean;
  /** Progress for whoever waits. */
  say(line: string): void;
}

export type Goal =
  /** Ours by the reference, by their medians. */
  | { readonly kind: 'ratio'; readonly atLeast: number }
  | { readonly kind: 'ratio'; readonly atMost: number }
  /** Our median, in the figure's own unit. */
  | { readonly kind: 'figure'; readonly atMost: number };

export interface Figure {
  readonly label: string;
  /** What is counted, for example events/s. */
  readonly unit: string;
  /** One value per run. */
  readonly ours: readonly number[];
  /** One value per run; absent where there is nothing to stand beside. */
  readonly reference?: readonly number[] | undefined;
  /** Absent: shown, not judged. */
  readonly goal?: Goal | undefined;
}

export interface Row {
  /** As given to `npm run bench -- <name>`. */
  readonly name: string;
  /** One sentence: what ours does and what the reference does. */
  readonly measures: string;
  run(options: RunOptions): Promise<readonly Figure[]>;
}
