/** Reads a text file by lines. Stops reading when the answer is full, so a file of any size can be read in pages. */
import { TOOL_OUTPUT_BYTES_MAX } from '../../kernel/limit.ts';
import { cutText, wholeEnd } from '../characters.ts';
import { LINE_CHARS_MAX, READ_LINES_DEFAULT } from '../limit.ts';
import { encodingOf, type TextEncoding, toUtf8, UTF8_MARK } from '../text-encoding.ts';
import { existingPlace } from '../written-path.ts';
import { numberOf, type Tool, textOf } from '../tool.ts';
import { isBinary, remarkOn, visibleText } from '../visible-text.ts';

const NEWLINE = 0x0a;
const RETURN = 0x0d;
/** Room for what is said of the file and how to go on. */
const ENDING_BYTES = 500;
/** The start of a file tells whether it is a text. */
const SAMPLE_BYTES = 8_192;
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
    const place = await existingPlace(sandbox, textOf(input, 'path') ?? '');
    const offset = numberOf(input, 'offset') ?? 1;
    const limit = numberOf(input, 'limit') ?? READ_LINES_DEFAULT;
    if (offset < 1)
      return { ok: false, output: '"offset" is the number of the first line, and lines count from 1.' };
    if (limit < 1) return { ok: false, output: '"limit" must be at least 1.' };
    let page: Page | undefined;
    for await (const chunk of sandbox.read(place.path, signal)) {
      const encoding = page === undefined ? encodingOf(chunk) : page.encoding;
      if (page === undefined && encoding === 'UTF-8' && isBinary(chunk.subarray(0, SAMPLE_BYTES))) {
        return {
          ok: false,
          output: `${place.shown} is a binary file: look at it with bash (file, xxd, strings).`,
        };
      }
      page ??= new Page(offset, limit, encoding);
      if (!page.add(chunk)) break;
    }
    const { ok, output } = (page ?? new Page(offset, limit, 'UTF-8')).answer(place.shown);
    return { ok, output: place.note === undefined ? output : `${output}\n(${place.note})` };
  },
};

/** The lines `offset` to `offset + limit - 1`, as far as they fit. */
class Page {
  readonly #offset: number;
  readonly #limit: number;
  readonly encoding: TextEncoding;
  readonly #decode: (piece: Buffer) => Buffer;
  #shown: string[] = [];
  #bytes = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #full = false;
  #lineCount = 0;
  // Of the lines shown.
  #ends = 0;
  #windowsEnds = 0;
  #badBytes = 0;
  #zeroBytes = 0;
  #hasMark = false;

  constructor(offset: number, limit: number, encoding: TextEncoding) {
    this.#offset = offset;
    this.#limit = limit;
    this.encoding = encoding;
    this.#decode = toUtf8(encoding);
  }

  /** False when no more is wanted. */
  add(piece: Buffer): boolean {
    const chunk = this.#decode(piece);
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
    if (!this.#full && this.#lineBytes > 0) this.#endLine(false);
    if (this.#shown.length === 0 && this.#lineCount === 0) return { ok: true, output: `(${shown} is empty)` };
    if (this.#shown.length === 0) {
      return { ok: false, output: `${shown} has only ${this.#lineCount} lines; "offset" is beyond its end.` };
    }
    const next = this.#offset + this.#shown.length;
    const more = this.#full ? [`(there is more: go on with offset ${next})`] : [];
    return { ok: true, output: [...this.#shown, ...this.#remarks(), ...more].join('\n') };
  }

  /** What the lines do not show of themselves, and whoever edits the file must know. */
  #remarks(): readonly string[] {
    const windows = this.#windowsEnds;
    const ends = windows === this.#ends ? 'lines' : `${windows} of these ${this.#ends} lines`;
    const replaced = remarkOn({ badBytes: this.#badBytes, zeroBytes: this.#zeroBytes });
    return [
      ...(replaced === '' ? [] : [replaced]),
      ...(this.encoding === 'UTF-8' ? [] : [`(the file is ${this.encoding})`]),
      ...(this.#hasMark ? ['(the file begins with a byte order mark)'] : []),
      ...(windows === 0 ? [] : [`(${ends} end with CR LF)`]),
    ];
  }

  #endLine(ended = true): void {
    this.#lineCount += 1;
    const number = this.#lineCount;
    const bytes = Buffer.concat(this.#line);
    const isCut = this.#lineBytes > LINE_BYTES_KEPT;
    const lineBytes = this.#lineBytes;
    this.#line = [];
    this.#lineBytes = 0;
    if (number < this.#offset) return;
    if (this.#shown.length >= this.#limit) {
      this.#full = true;
      return;
    }
    this.#show(number, { bytes, lineBytes, isCut, ended });
  }

  #show(number: number, { bytes, lineBytes, isCut, ended }: RawLine): void {
    const isWindows = ended && !isCut && bytes.at(-1) === RETURN;
    const hasMark = number === 1 && bytes.subarray(0, 3).equals(UTF8_MARK);
    const end = isCut ? wholeEnd(bytes) : bytes.length - (isWindows ? 1 : 0);
    const { text, badBytes, zeroBytes } = visibleText(bytes.subarray(hasMark ? UTF8_MARK.length : 0, end));
    const cut = cutText(text, LINE_CHARS_MAX);
    const whole = isCut || cut !== text ? `${cut} [... line of ${lineBytes} bytes cut]` : text;
    const line = `${String(number).padStart(6)}\t${whole}`;
    const size = Buffer.byteLength(line) + 1;
    if (this.#bytes + size > TOOL_OUTPUT_BYTES_MAX - ENDING_BYTES) {
      this.#full = true;
      return;
    }
    this.#shown.push(line);
    this.#bytes += size;
    this.#badBytes += badBytes;
    this.#zeroBytes += zeroBytes;
    this.#hasMark ||= hasMark;
    if (ended && !isCut) this.#ends += 1;
    if (isWindows) this.#windowsEnds += 1;
  }
}

interface RawLine {
  /** Its beginning. */
  readonly bytes: Buffer;
  readonly lineBytes: number;
  readonly isCut: boolean;
  /** By a newline. */
  readonly ended: boolean;
}
