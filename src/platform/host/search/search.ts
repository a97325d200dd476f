/** Goes through files and shows the lines that match, and then says what it has left out. Runs in the search program. */
import { globOf } from '../../../hands/search/glob.ts';
import { type Pattern, patternOf } from '../../../hands/search/pattern.ts';
import type { SearchRequest } from '../../../hands/search/request.ts';
import { shownName } from '../../../hands/shown-name.ts';
import { FoundLines } from './found-lines.ts';
import { LeftOut } from './left-out.ts';
import { type SearchedFile, searchedFiles } from './searched-folder.ts';
import { type TextPiece, TextReader } from './searched-text.ts';

/** By then a narrower search is what is wanted; below the deadline of a call (brain/toolbox.ts), so that this one answers. */
const SEARCH_MS_MAX = 60_000;
/** Lines of one match that goes over several lines: enough to see what was found. */
const MATCH_LINES_MAX = 20;
/** Lines between two looks at the clock. */
const CLOCK_LINES = 1_000;
const NO_MATCH = '(no match)';
const FULL = '(there is more: use a narrower pattern or path)';

/** `write` gets whole lines. Throws PatternRefused, and what the file system says of the path itself. */
export function search(request: SearchRequest, write: (text: string) => void, now: () => number): void {
  const pass = new Search(request, write, now);
  pass.run();
  for (const line of pass.endings) write(`${line}\n`);
}

/** A match in a text, from its start. */
interface Hit {
  readonly at: number;
  readonly length: number;
}

class Search {
  readonly #request: SearchRequest;
  readonly #pattern: Pattern;
  readonly #takes: (name: string) => boolean;
  readonly #found: FoundLines;
  readonly #leftOut = new LeftOut((name) => this.#shownOf(name));
  readonly #reader: TextReader;
  readonly #now: () => number;
  readonly #endsAt: number;
  #files = 0;
  #isLate = false;

  constructor(request: SearchRequest, write: (text: string) => void, now: () => number) {
    this.#request = request;
    this.#pattern = patternOf(request.pattern, request.ignoreCase);
    this.#takes = request.glob === undefined ? () => true : globOf(request.glob);
    this.#found = new FoundLines(write);
    const { isMultiLine, literal } = this.#pattern;
    const isPlain = literal !== undefined && Buffer.byteLength(literal) === literal.length; // the same in all encodings
    this.#reader = new TextReader({ asWhole: isMultiLine, literal: isPlain ? literal : undefined });
    this.#now = now;
    this.#endsAt = now() + SEARCH_MS_MAX;
  }

  run(): void {
    for (const file of searchedFiles(this.#request.path, this.#leftOut)) {
      if (file.name !== '' && !this.#takes(file.name)) continue;
      if (this.#isOver()) return;
      this.#files += 1;
      this.#searchFile(file);
    }
  }

  get endings(): readonly string[] {
    const { any, isFull } = this.#found;
    const nothing = !any && !isFull && !this.#leftOut.has('binary');
    const late = `(stopped after ${SEARCH_MS_MAX / 1000} s and ${this.#files} files, the rest was not searched: use a narrower path)`;
    return [
      ...(nothing && !this.#isLate ? [NO_MATCH] : []),
      ...(nothing ? this.#pattern.hints.map((hint) => `(${hint})`) : []),
      ...(nothing && this.#request.glob !== undefined && this.#files === 0
        ? ['("glob" takes none of the files)']
        : []),
      ...this.#leftOut.sentences,
      ...(this.#isLate ? [late] : []),
      ...(isFull ? [FULL] : []),
    ];
  }

  #isOver(): boolean {
    this.#isLate ||= this.#now() > this.#endsAt;
    return this.#isLate || this.#found.isFull;
  }

  #searchFile(file: SearchedFile): void {
    const { name } = file;
    try {
      const pieces = this.#reader.pieces(file.path);
      if (pieces === undefined) return this.#leftOut.add('special', name);
      let line = 1;
      for (const piece of pieces) {
        if (piece.isPart && this.#pattern.isMultiLine) this.#leftOut.add('large', name);
        if (piece.isCut) this.#leftOut.add('longLine', name);
        if (!this.#searchPiece(piece, { name, line })) return;
        if (piece.isPart) line += newlinesIn(piece.text);
      }
    } catch (error) {
      if (error instanceof RangeError) return this.#leftOut.add('effort', name); // the stack of the pattern
      if (name === '' || !isSystemError(error)) throw error;
      this.#leftOut.add('unreadable', name);
    }
  }

  /** False when no more of the file is wanted. */
  #searchPiece(piece: TextPiece, where: Place): boolean {
    const { isMultiLine } = this.#pattern;
    const path = this.#shownOf(where.name);
    const expression = piece.isAscii ? this.#pattern.ascii : this.#pattern.unicode;
    const texts = this.#formsOf(piece);
    const hits = isMultiLine ? hitsInText(texts, expression) : this.#hitsInLines(texts, expression);
    for (const { number, line, at, isOther } of hits) {
      if (piece.isBinary && where.name !== '') {
        this.#leftOut.add('binary', where.name);
        return false;
      }
      if (isOther || piece.other !== undefined) this.#leftOut.add('encoding', where.name);
      this.#found.add({ path, number: where.line + number, line, at });
      if (this.#found.isFull) return false;
    }
    return !this.#isOver();
  }

  /** The text, and where letters may be written in another way, those too: each has the same lines. */
  #formsOf({ text, other, isAscii }: TextPiece): readonly string[] {
    const flat = (form: string): string =>
      this.#pattern.wantsReturn ? form : form.replaceAll('\r\n', '\n').replace(/\r$/, '');
    if (isAscii) return [flat(text)];
    const composed = text.normalize('NFC');
    return [text, ...(composed === text ? [] : [composed]), ...(other === undefined ? [] : [other])].map(
      flat,
    );
  }

  *#hitsInLines([text = '', ...others]: readonly string[], expression: RegExp): Generator<LineHit, void> {
    const lines = others.map((other) => other.split('\n'));
    let number = 0;
    for (let start = 0; start < text.length; number += 1) {
      const newline = text.indexOf('\n', start);
      const end = newline === -1 ? text.length : newline;
      const line = text.slice(start, end);
      const hit = expression.exec(line);
      if (hit !== null) yield { number, line, at: hit.index, isOther: false };
      else {
        const index = lines
          .map((other) => expression.exec(other[number] ?? '')?.index)
          .find((at) => at !== undefined);
        if (index !== undefined) yield { number, line, at: Math.min(index, line.length), isOther: true };
      }
      if (number % CLOCK_LINES === 0 && this.#isOver()) return;
      start = end + 1;
    }
  }

  /** Of a path relative to what is searched, or of that itself. */
  #shownOf(name: string): string {
    const { shown } = this.#request;
    return shownName(name === '' ? shown : shown === '' ? name : `${shown}/${name}`);
  }
}

interface Place {
  /** Empty when the file itself is what is searched. */
  readonly name: string;
  /** The number of the first line of the piece. */
  readonly line: number;
}

interface LineHit {
  /** From 0. */
  readonly number: number;
  readonly line: string;
  readonly at: number;
  /** Found in another form of the text than the one that is shown. */
  readonly isOther: boolean;
}

/** Of a pattern that goes over lines: each line of each match in any of the forms, in their order, no line twice. */
function* hitsInText(texts: readonly string[], expression: RegExp): Generator<LineHit, void> {
  const forms = texts.map((text, index) => hitsInForm(text, expression, index > 0));
  const next = forms.map((hits) => hits.next().value ?? undefined);
  for (;;) {
    const number = Math.min(...next.map((hit) => hit?.number ?? Infinity));
    const first = next.find((hit) => hit?.number === number);
    if (first === undefined) return;
    yield first;
    for (const [index, hits] of forms.entries()) {
      if (next[index]?.number === number) next[index] = hits.next().value ?? undefined;
    }
  }
}

function* hitsInForm(text: string, expression: RegExp, isOther: boolean): Generator<LineHit, void> {
  let [number, counted] = [0, 0];
  for (let from = 0; from < text.length; ) {
    const hit = firstHit(text, expression, from);
    if (hit === undefined || (hit.at === text.length && text.endsWith('\n'))) return;
    let start = text.lastIndexOf('\n', hit.at - 1) + 1;
    if (hit.at === 0) start = 0;
    number += newlinesIn(text.slice(counted, start));
    counted = start;
    const last = Math.max(hit.at, hit.at + hit.length - 1);
    let shownLines = 0;
    for (;;) {
      const newline = text.indexOf('\n', start);
      const end = newline === -1 ? text.length : newline;
      if (shownLines < MATCH_LINES_MAX)
        yield {
          number: number + shownLines,
          line: text.slice(start, end),
          at: Math.max(0, hit.at - start),
          isOther,
        };
      shownLines += 1;
      start = end + 1;
      if (start > last || start > text.length) break;
    }
    from = start;
  }
}

function firstHit(text: string, expression: RegExp, from: number): Hit | undefined {
  expression.lastIndex = from;
  const hit = expression.exec(text);
  return hit === null ? undefined : { at: hit.index, length: hit[0].length };
}

function newlinesIn(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  return count;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
