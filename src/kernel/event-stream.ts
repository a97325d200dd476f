/**
 * Server-sent events from bytes, as the specification says (html.spec.whatwg.org, "Event stream interpretation"): lines end
 * with LF, CR LF or CR, a BOM may stand first, comments are passed over, `data:` may lack its space and come before `event:`.
 *
 * SSE-1 However the bytes are cut into chunks, the same frames have the same `event` and `data`.
 * SSE-2 The `bytes` of all frames, with the one of `end`, are the bytes that came, in order: who only passes a stream on can do
 *    so frame by frame. A comment, or the second half of a CR LF that came late, is a frame without data.
 * SSE-3 A frame is given out with the byte that ends it, and never waits for the next one.
 */
const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const BOM = Buffer.from('\ufeff');

/** One line: the whole of a block that does not come in deltas, such as redacted thinking or the input of a tool call. */
export const STREAM_LINE_BYTES_MAX = 8 * 1024 * 1024;
/** One frame, all of its lines: a value as long as a line may be, written over several lines. */
export const STREAM_FRAME_BYTES_MAX = 9 * 1024 * 1024;
/** What is kept for the next chunk grows from here by doubling. */
const HELD_BYTES_FIRST = 8 * 1024;

export interface Frame {
  /** As they came. */
  readonly bytes: Buffer;
  /** Undefined: the frame does not say, as some services leave it to the JSON in the data. */
  readonly event: string | undefined;
  /** Undefined: nothing happened, there were only comments or blank lines. */
  readonly data: string | undefined;
}

/** A line or a frame is longer than its limit. The decoder is not to be used any more. */
export class EventStreamTooLong extends Error {}

export class EventStreamDecoder {
  readonly #lineBytesMax: number;
  readonly #frameBytesMax: number;
  /** What came and was not given out: `#bytes` up to `#end`. */
  #bytes = Buffer.allocUnsafe(HELD_BYTES_FIRST);
  #end = 0;
  /** Where the frame, the line and what was not looked at begin. */
  #frame = 0;
  #line = 0;
  #next = 0;
  #first = true;
  /** The line before ended with CR at the end of what was there: a LF that comes now belongs to it (SSE-1). */
  #afterCr = false;
  #event: string | undefined;
  #data: string[] | undefined;

  constructor(limits: { readonly lineBytesMax?: number; readonly frameBytesMax?: number } = {}) {
    this.#lineBytesMax = limits.lineBytesMax ?? STREAM_LINE_BYTES_MAX;
    this.#frameBytesMax = limits.frameBytesMax ?? STREAM_FRAME_BYTES_MAX;
  }

  /** The frames that end in this chunk; to be read to the end before the next chunk. Throws EventStreamTooLong. */
  *read(chunk: Uint8Array): Generator<Frame, void> {
    this.#hold(chunk);
    while (this.#next < this.#end) {
      const byte = this.#bytes[this.#next];
      if (this.#afterCr && byte === LF) {
        this.#next += 1;
        const alone = this.#frame === this.#line;
        this.#line = this.#next;
        if (alone) yield this.#take(); // SSE-3: the frame was given out with the CR
        this.#afterCr = false;
        continue;
      }
      this.#afterCr = false;
      this.#next = endOfLine(this.#bytes, this.#next, this.#end);
      const by = this.#bytes[this.#next];
      if (by === undefined || this.#next === this.#end) break;
      const ends = this.#endLine(by);
      if (ends) yield this.#take();
    }
    this.#check();
  }

  /**
   * What is left when the stream has ended: undefined, or a frame that its blank line does not follow. The specification
   * throws that away; where the length of the body was kept, it is only a service that saves a line.
   */
  end(): Frame | undefined {
    if (this.#frame === this.#end) return undefined;
    if (this.#line < this.#end) this.#interpret(this.#end);
    this.#next = this.#end;
    this.#line = this.#end;
    return this.#take();
  }

  /** Whether the line ends something that can be given out: a blank line does, and a comment between frames. */
  #endLine(by: number): boolean {
    const blank = this.#next === this.#line || this.#isBom();
    this.#check(this.#next);
    if (!blank) this.#interpret(this.#next);
    this.#first = false;
    this.#next += 1;
    if (by === CR) {
      if (this.#bytes[this.#next] === LF && this.#next < this.#end) this.#next += 1;
      else this.#afterCr = this.#next === this.#end;
    }
    this.#line = this.#next;
    return blank || (this.#event === undefined && this.#data === undefined);
  }

  #isBom(): boolean {
    return this.#first && BOM.equals(this.#bytes.subarray(this.#line, this.#next));
  }

  #interpret(end: number): void {
    if (this.#bytes[this.#line] === COLON) return; // a comment
    const text = this.#bytes.toString('utf8', this.#line, end);
    const line = this.#first && text.startsWith('\ufeff') ? text.slice(1) : text;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== 'event' && field !== 'data') return; // id and retry are for those who connect again
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#event = value;
    else (this.#data ??= []).push(value);
  }

  #take(): Frame {
    const bytes = Buffer.from(this.#bytes.subarray(this.#frame, this.#next)); // SSE-2
    const data = this.#data?.join('\n');
    const event = this.#event === '' ? undefined : this.#event;
    this.#frame = this.#next;
    this.#event = undefined;
    this.#data = undefined;
    return { bytes, event, data };
  }

  #hold(chunk: Uint8Array): void {
    if (this.#frame > 0) {
      this.#bytes.copyWithin(0, this.#frame, this.#end);
      this.#end -= this.#frame;
      this.#line -= this.#frame;
      this.#next -= this.#frame;
      this.#frame = 0;
    }
    const wanted = this.#end + chunk.length;
    if (wanted > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#end);
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end = wanted;
  }

  #check(to = this.#end): void {
    const tooLong = (what: string, most: number): EventStreamTooLong =>
      new EventStreamTooLong(`The event stream has a ${what} of more than ${most} bytes.`);
    if (to - this.#line > this.#lineBytesMax) throw tooLong('line', this.#lineBytesMax);
    if (to - this.#frame > this.#frameBytesMax) throw tooLong('frame', this.#frameBytesMax);
  }
}

/** Where the next CR or LF is; `end` when there is none before. */
function endOfLine(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== LF && bytes[at] !== CR) at += 1;
  return at;
}
