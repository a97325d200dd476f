/**
 * Takes a key out of a text that comes in pieces.
 *
 * PIECES-1 No run of the key comes out, however the text is cut and wherever it has to be given out before it ends: what was given out
 *    already is the beginning of a run, never a whole one.
 * PIECES-2 Less than a run is held back, and only where the text ends with PART_CHARS characters of the key or more, or in the middle of
 *    an escape.
 * PIECES-3 Escapes are taken out whole, so that a text in JSON stays one.
 */
import type { KeyForms } from './key-forms.ts';
import { RunFinder } from './run-finder.ts';
import { packedAt, PART_CHARS } from './key-parts.ts';
import { nextNotAsWritten, writtenCharAt } from './written-char.ts';

/** Less than PART_CHARS characters of a key have fewer, each an escape of JSON within JSON. */
const BEGUN_CHARS_MAX = 64;

/** From one place of the text up to another. */
interface Span {
  readonly from: number;
  to: number;
}

export class Pieces {
  readonly #forms: KeyForms;
  readonly #shown: string;
  readonly #asWritten: RunFinder;
  readonly #asMeant: RunFinder;
  /** What was not looked at or not given out, and where it begins in the whole text. */
  #text = '';
  #base = 0;
  /** Up to where it was looked at: not in the middle of an escape, unless as it is written. */
  #read = 0;
  #readAsWritten = 0;
  /** Up to where it was given out. */
  #given = 0;
  /** What is taken out, in order; the last may grow. */
  #runs: Span[] = [];
  /** The last that was given out stands for a run, which may go on. */
  #sealing = false;
  /** Whether the key has been in it, so far or since somebody set it back. */
  found = false;

  constructor(forms: KeyForms, shown: string, before?: Pieces) {
    this.#forms = forms;
    this.#shown = shown;
    this.#asWritten = before === undefined ? new RunFinder(forms) : before.#asWritten.follow();
    this.#asMeant = before === undefined ? new RunFinder(forms) : before.#asMeant.follow();
  }

  /** Whether something is held back. */
  get holds(): boolean {
    return this.#given < this.#end;
  }

  /** What can be given out by now. */
  push(piece: string): string {
    this.#text += piece;
    this.#look();
    return this.#giveUpTo(this.#read); // PIECES-2
  }

  /** For who has more at hand, and need not give out what may be the beginning of a run, however short. */
  pushMore(piece: string): string {
    this.#text += piece;
    this.#look();
    return this.#giveUpTo(this.#read - BEGUN_CHARS_MAX);
  }

  /** All that is left, when nothing is to be held back any longer; the text may go on. */
  flush(): string {
    this.#stepAsWritten(this.#text.slice(this.#read - this.#base), this.#read, this.#end);
    return this.#give(this.#end);
  }

  /** What comes next is another text, which follows the one that was flushed: the same as follow(), where the one before is over. */
  next(): void {
    this.#sealing = false;
    this.found = false;
  }

  /** A text that follows this one. */
  follow(): Pieces {
    const next = new Pieces(this.#forms, this.#shown, this);
    next.#text = this.#text.slice(this.#read - this.#base); // the beginning of an escape
    next.#given = next.#text.length;
    next.#readAsWritten = this.#readAsWritten - this.#read;
    return next;
  }

  get #end(): number {
    return this.#base + this.#text.length;
  }

  #look(): void {
    const text = this.#text;
    let special = -1;
    for (let at = this.#read - this.#base; at < text.length; ) {
      if (special < at) special = nextNotAsWritten(text, at);
      const start = this.#base + at;
      if (at < special) {
        at += this.#passedAt(at, special);
        const code = text.charCodeAt(at);
        const place = this.#base + at;
        at += 1;
        if (place >= this.#readAsWritten) this.#step(this.#asWritten, code, place, place + 1);
        this.#step(this.#asMeant, code, place, place + 1);
      } else {
        const { written, means } = writtenCharAt(text, at);
        if (means === undefined) break;
        at += written.length;
        this.#stepAsWritten(written, start, this.#base + at);
        if (means !== '') this.#step(this.#asMeant, means.charCodeAt(0), start, this.#base + at);
      }
      this.#read = this.#base + at;
    }
  }

  /**
   * How many characters need not be looked at, all before `to` being as written. No run holds a part that is none of the key's; so one that
   * begins before that part would have to end in it, and is too short.
   */
  #passedAt(at: number, to: number): number {
    const { parts, runMin } = this.#forms;
    const part = at + runMin - 2 * PART_CHARS + 1; // a run may have begun PART_CHARS - 1 characters before
    if (part + PART_CHARS > to || !this.#asWritten.isIdle || !this.#asMeant.isIdle) return 0;
    if (parts.has(packedAt(this.#text, part))) return 0;
    this.#asWritten.pass();
    this.#asMeant.pass();
    return part + 1 - at;
  }

  /** PIECES-3 */
  #stepAsWritten(written: string, start: number, end: number): void {
    for (let at = Math.max(0, this.#readAsWritten - start); at < written.length; at += 1)
      this.#step(this.#asWritten, written.charCodeAt(at), start, end);
    this.#readAsWritten = Math.max(this.#readAsWritten, end);
  }

  #step(finder: RunFinder, code: number, start: number, end: number): void {
    const from = finder.step(code, start);
    if (from === undefined) return;
    this.found = true;
    let run: Span = { from: Math.max(from, this.#given), to: end };
    for (let last = this.#runs.at(-1); last !== undefined && last.to >= run.from; last = this.#runs.at(-1)) {
      run = { from: Math.min(last.from, run.from), to: Math.max(last.to, run.to) };
      this.#runs.pop();
    }
    this.#runs.push(run);
  }

  #giveUpTo(to: number): string {
    const { openFrom: asWritten = Infinity } = this.#asWritten;
    const { openFrom: asMeant = Infinity } = this.#asMeant;
    return this.#give(Math.max(this.#given, Math.min(asWritten, asMeant, to)));
  }

  /** PIECES-1 */
  #give(to: number): string {
    let out = '';
    let at = this.#given;
    const take = (end: number): void => {
      if (end <= at) return;
      out += this.#text.slice(at - this.#base, end - this.#base);
      this.#sealing = false;
      at = end;
    };
    for (const { from, to: runEnd } of this.#runs) {
      if (from >= to) break;
      take(from);
      if (!this.#sealing) out += this.#shown;
      this.#sealing = true;
      at = Math.max(at, Math.min(runEnd, to));
    }
    take(to);
    this.#given = to;
    const kept = Math.min(this.#read, to);
    this.#text = this.#text.slice(kept - this.#base);
    this.#base = kept;
    this.#runs = this.#runs.filter((run) => run.to > to);
    return out;
  }
}
