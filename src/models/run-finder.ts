/**
 * Finds runs of a key's forms (key-forms.ts) in characters that come one by one. It knows of each where it stands in what was written, and how
 * much of the end may yet become a run.
 */
import type { KeyForms } from './key-forms.ts';
import { foldedCode, packed, PART_CHARS } from './key-parts.ts';

export class RunFinder {
  readonly #forms: KeyForms;
  /** The last characters and where each begins: rings of runMax. */
  readonly #codes: Uint8Array;
  readonly #starts: Float64Array;
  #next = 0;
  #packed = 0;
  /** So many characters at the end of which each PART_CHARS in a row are of a form: no run is longer than that. */
  #chain = 0;

  constructor(forms: KeyForms) {
    this.#forms = forms;
    this.#codes = new Uint8Array(forms.runMax);
    this.#starts = new Float64Array(forms.runMax);
  }

  /** Whether a run that goes on has less than PART_CHARS characters by now. */
  get isIdle(): boolean {
    return this.#chain < PART_CHARS;
  }

  /** Where the part of the end begins that may become a run; undefined: there is none that is waited for. */
  get openFrom(): number | undefined {
    if (this.#chain < PART_CHARS) return undefined;
    return this.#startOf(Math.min(this.#chain, this.#forms.runMax - 1)); // an older character is in no run, or known to be
  }

  /** Characters were passed over that are in no run. */
  pass(): void {
    this.#packed = 0;
    this.#chain = PART_CHARS - 1;
  }

  /** Where the run begins that this character ends, if it does. */
  step(code: number, start: number): number | undefined {
    const folded = foldedCode(code);
    const { runs, parts, runMin, runMax } = this.#forms;
    this.#codes[this.#next] = folded;
    this.#starts[this.#next] = start;
    this.#next = this.#next + 1 === runMax ? 0 : this.#next + 1;
    this.#packed = packed(this.#packed, folded);
    this.#chain = parts.has(this.#packed) ? Math.max(this.#chain + 1, PART_CHARS) : PART_CHARS - 1;
    if (this.#chain < runMin) return undefined;
    let from: number | undefined;
    for (const [length, texts] of runs) {
      if (this.#chain < length || !texts.has(this.#last(length))) continue;
      from = Math.min(from ?? Infinity, this.#startOf(length));
    }
    return from;
  }

  /** One that goes on where this one is, in another text: what came here stands before its beginning. */
  follow(): RunFinder {
    const next = new RunFinder(this.#forms);
    next.#codes.set(this.#codes);
    next.#next = this.#next;
    next.#packed = this.#packed;
    next.#chain = this.#chain;
    return next;
  }

  #startOf(fromEnd: number): number {
    return this.#starts[this.#slotOf(fromEnd)] ?? 0;
  }

  #last(length: number): string {
    let text = '';
    for (let fromEnd = length; fromEnd > 0; fromEnd -= 1)
      text += String.fromCharCode(this.#codes[this.#slotOf(fromEnd)] ?? 0);
    return text;
  }

  #slotOf(fromEnd: number): number {
    return (this.#next - fromEnd + this.#forms.runMax) % this.#forms.runMax;
  }
}
