/**
 * A file as texts of whole lines, piece by piece, so that a file of any size can be searched. UTF-16 is decoded; bytes that
 * are not UTF-8 are taken as U+FFFD, and beside that as Windows-1252, which files of other encodings mostly are.
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { TextDecoder } from 'node:util';
import { encodingOf, toUtf8, UTF8_MARK } from '../../../hands/text-encoding.ts';
import { isBinary } from '../../../hands/visible-text.ts';

const READ_BYTES = 256 * 1024;
/** A piece that is searched at once. */
const PIECE_BYTES = 4 * 1024 * 1024;
/** The longest line, and the largest file, that is searched as a whole: it takes some times as much memory. */
export const WHOLE_BYTES_MAX = 64 * 1024 * 1024;
const SAMPLE_BYTES = 8_192;
const NEWLINE = 0x0a;

export interface TextPiece {
  /** Whole lines; only the last piece may end without a newline. */
  readonly text: string;
  readonly isAscii: boolean;
  /** The same lines as Windows-1252, when not all of it is UTF-8. */
  readonly other: string | undefined;
  readonly isBinary: boolean;
  /** It ends within a line, whose rest is left out. */
  readonly isCut: boolean;
  /** A file of more pieces than this one. */
  readonly isPart: boolean;
}

export interface Wanted {
  /** One piece, if the file is not too large for it. */
  readonly asWhole: boolean;
  /** Every piece without it is of no interest; ASCII. */
  readonly literal: string | undefined;
}

/** Reads one file after the other into the same memory. */
export class TextReader {
  readonly #wanted: Wanted;
  readonly #literal: Buffer | undefined;
  readonly #raw = Buffer.allocUnsafe(READ_BYTES);
  readonly #kept = new KeptBytes();

  constructor(wanted: Wanted) {
    this.#wanted = wanted;
    this.#literal = wanted.literal === undefined ? undefined : Buffer.from(wanted.literal);
  }

  /** Undefined when `path` is no regular file. Throws what the system says. */
  pieces(path: Buffer): Iterable<TextPiece> | undefined {
    // never waits for a fifo or a device
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    if (fstatSync(fd).isFile()) return this.#piecesOf(fd);
    closeSync(fd);
    return undefined;
  }

  *#piecesOf(fd: number): Generator<TextPiece, void> {
    const pieceBytes = this.#wanted.asWhole ? WHOLE_BYTES_MAX : PIECE_BYTES;
    const kept = this.#kept;
    kept.clear();
    try {
      let sample: Sample | undefined;
      let skipping = false;
      let isPart = false;
      for (;;) {
        let bytes: Buffer = this.#raw.subarray(0, readSync(fd, this.#raw, 0, READ_BYTES, null));
        if (bytes.length === 0) break;
        sample ??= sampleOf(bytes);
        bytes = sample.decode(bytes);
        if (skipping) {
          const end = bytes.indexOf(NEWLINE);
          if (end === -1) continue;
          bytes = bytes.subarray(end + 1);
          skipping = false;
        }
        kept.add(bytes);
        if (kept.length < pieceBytes) continue;
        const newline = kept.lastNewline;
        if (newline === -1 && kept.length < WHOLE_BYTES_MAX) continue;
        skipping = newline === -1;
        isPart = true;
        const length = newline === -1 ? kept.length : newline + 1;
        const piece = pieceOf(kept.bytes.subarray(0, length), {
          binary: sample.binary,
          isCut: skipping,
          isPart,
        });
        kept.shift(length);
        yield piece;
      }
      if (
        kept.length === 0 ||
        (!isPart && this.#literal !== undefined && !kept.bytes.includes(this.#literal))
      )
        return;
      yield pieceOf(kept.bytes, { binary: sample?.binary === true, isCut: false, isPart });
    } finally {
      closeSync(fd);
    }
  }
}

interface Sample {
  readonly binary: boolean;
  decode(piece: Buffer): Buffer;
}

/** Of the first bytes of a file; its decoder leaves their byte order mark out. */
function sampleOf(first: Buffer): Sample {
  const encoding = encodingOf(first);
  const decode = toUtf8(encoding);
  let isFirst = true;
  return {
    binary: encoding === 'UTF-8' && isBinary(first.subarray(0, SAMPLE_BYTES)),
    decode(piece) {
      const hasMark = isFirst && piece.subarray(0, UTF8_MARK.length).equals(UTF8_MARK);
      isFirst = false;
      return decode(hasMark ? piece.subarray(UTF8_MARK.length) : piece);
    },
  };
}

function pieceOf(
  bytes: Buffer,
  { binary, isCut, isPart }: { readonly binary: boolean; readonly isCut: boolean; readonly isPart: boolean },
): TextPiece {
  const rest = { isBinary: binary, isCut, isPart };
  if (isAscii(bytes)) return { ...rest, text: bytes.toString('latin1'), isAscii: true, other: undefined };
  const other = isUtf8(bytes) ? undefined : new TextDecoder('windows-1252').decode(bytes);
  return { ...rest, text: bytes.toString(), isAscii: false, other };
}

/** Bytes that wait for the end of their piece. */
class KeptBytes {
  #buffer = Buffer.allocUnsafe(READ_BYTES);
  length = 0;
  /** -1 when there is none. */
  lastNewline = -1;

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }

  add(bytes: Buffer): void {
    if (this.length + bytes.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.length + bytes.length));
      this.#buffer.copy(larger, 0, 0, this.length);
      this.#buffer = larger;
    }
    bytes.copy(this.#buffer, this.length);
    const newline = bytes.lastIndexOf(NEWLINE);
    if (newline !== -1) this.lastNewline = this.length + newline;
    this.length += bytes.length;
  }

  /** Lets the first `length` bytes go, which end with the last newline if there is one. */
  shift(length: number): void {
    this.#buffer.copyWithin(0, length, this.length);
    this.length -= length;
    this.lastNewline = -1;
  }

  clear(): void {
    this.length = 0;
    this.lastNewline = -1;
  }
}
