/** Reads a text file by lines. Stops reading when the answer is full, so a file of any size can be read in pages. */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { LINE_CHARS_MAX, READ_LINES_DEFAULT } from '../limit.ts';
import { placeOf } from '../place.ts';
import { numberOf, type Tool, textOf } from '../tool.ts';

const NEWLINE = 0x0a;
/** Room for the line that says how to go on. */
const ENDING_BYTES = 200;
/** A line is kept up to this many bytes while it is read; LINE_CHARS_MAX characters of it are shown. */
const LINE_BYTES_KEPT = LINE_CHARS_MAX * 4;

export const readTool: Tool = {
  name: 'read',
  description: 'Read a text file; answers its lines, numbered.',
  schema: {
    type: 'object',
    properties: {
      path: { type: 'string', description: 'Path, absolute or relative to /workspace.' },
      offset: { type: 'integer', description: 'First line to read; 1 if left out.' },
      limit: { type: 'integer', description: 'How many lines to read.' },
    },
    required: ['path'],
  },
  async run(input, { sandbox, signal }) {
    const place = placeOf(sandbox.root, textOf(input, 'path') ?? '');
    const offset = numberOf(input, 'offset') ?? 1;
    const limit = numberOf(input, 'limit') ?? READ_LINES_DEFAULT;
    if (offset < 1)
      return { ok: false, output: '"offset" is the number of the first line, and lines count from 1.' };
    if (limit < 1) return { ok: false, output: '"limit" must be at least 1.' };
    const page = new Page(offset, limit);
    for await (const chunk of sandbox.read(place.path, signal)) {
      if (page.lineCount === 0 && chunk.includes(0)) {
        return {
          ok: false,
          output: `${place.shown} is a binary file: look at it with bash (file, xxd, strings).`,
        };
      }
      if (!page.add(chunk)) break;
    }
    return page.answer(place.shown);
  },
};

/** The lines `offset` to `offset + limit - 1`, as far as they fit. */
class Page {
  readonly #offset: number;
  readonly #limit: number;
  #shown: string[] = [];
  #bytes = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #full = false;
  lineCount = 0;

  constructor(offset: number, limit: number) {
    this.#offset = offset;
    this.#limit = limit;
  }

  /** False when no more is wanted. */
  add(chunk: Buffer): boolean {
    for (let from = 0; from < chunk.length; ) {
      if (this.#full) return false;
      const end = chunk.indexOf(NEWLINE, from);
      const part = chunk.subarray(from, end === -1 ? undefined : end);
      const room = LINE_BYTES_KEPT - this.#lineBytes;
      if (room > 0) this.#line.push(part.subarray(0, room));
      this.#lineBytes += part.length;
      if (end === -1) return true;
      this.#endLine();
      from = end + 1;
    }
    return true;
  }

  answer(shown: string): { ok: boolean; output: string } {
    if (!this.#full && this.#lineBytes > 0) this.#endLine();
    if (this.#shown.length === 0 && this.lineCount === 0) return { ok: true, output: `(${shown} is empty)` };
    if (this.#shown.length === 0) {
      return { ok: false, output: `${shown} has only ${this.lineCount} lines; "offset" is beyond its end.` };
    }
    const next = this.#offset + this.#shown.length;
    const more = this.#full ? `\n(there is more: go on with offset ${next})` : '';
    return { ok: true, output: `${this.#shown.join('\n')}${more}` };
  }

  #endLine(): void {
    this.lineCount += 1;
    const number = this.lineCount;
    const text = this.#lineText();
    this.#line = [];
    this.#lineBytes = 0;
    if (number < this.#offset) return;
    const line = `${String(number).padStart(6)}\t${text}`;
    const bytes = Buffer.byteLength(line) + 1;
    if (this.#shown.length >= this.#limit || this.#bytes + bytes > TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES) {
      this.#full = true;
      return;
    }
    this.#shown.push(line);
    this.#bytes += bytes;
  }

  #lineText(): string {
    const text = Buffer.concat(this.#line).toString().replace(/\r$/, '');
    if (text.length <= LINE_CHARS_MAX && this.#lineBytes <= LINE_BYTES_KEPT) return text;
    return `${text.slice(0, LINE_CHARS_MAX)} [... line of ${this.#lineBytes} bytes cut]`;
  }
}
