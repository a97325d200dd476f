/** Lines that a search has found, as they are shown: bounded, cut around the match, with nothing in them that is not seen. */
import { cutText, partOf } from '../../../hands/characters.ts';
import { GREP_LINES_MAX, LINE_CHARS_MAX } from '../../../hands/limit.ts';
import { visibleText } from '../../../hands/visible-text.ts';
import { TOOL_OUTPUT_BYTES_MAX } from '../../../kernel/limit.ts';

/** Room for the lines that say what was left out, each with some names (left-out.ts). */
const ENDING_BYTES = 8_000;
/** Of a line that is too long, what comes before the match. */
const BEFORE_CHARS = 200;

export interface FoundLine {
  readonly path: string;
  readonly number: number;
  readonly line: string;
  /** Where the match begins. */
  readonly at: number;
}

export class FoundLines {
  readonly #write: (text: string) => void;
  #lines = 0;
  #bytes = 0;
  /** There was no room for a line: no later one gets in. */
  isFull = false;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  get any(): boolean {
    return this.#lines > 0;
  }

  add({ path, number, line, at }: FoundLine): void {
    if (this.isFull) return;
    const text = `${path}:${number}:${shown(line, at)}\n`;
    const bytes = Buffer.byteLength(text);
    if (this.#lines >= GREP_LINES_MAX || this.#bytes + bytes > TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES) {
      this.isFull = true;
      return;
    }
    this.#lines += 1;
    this.#bytes += bytes;
    this.#write(text);
  }
}

function shown(line: string, at: number): string {
  if (line.length <= LINE_CHARS_MAX) return visible(line);
  const from = at < LINE_CHARS_MAX - BEFORE_CHARS ? 0 : at - BEFORE_CHARS;
  const part = partOf(line, from, Math.min(line.length, from + LINE_CHARS_MAX));
  const rest = line.length - from - part.length;
  const before = from === 0 ? '' : `[${from} characters cut ...] `;
  return `${before}${visible(part)}${rest > 0 ? ` [... ${rest} characters cut]` : ''}`;
}

function visible(text: string): string {
  return cutText(visibleText(Buffer.from(text)).text, LINE_CHARS_MAX);
}
