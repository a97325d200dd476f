/**
 * Texts that are UTF-16, as Windows tools write them: told by their byte order mark, or by a zero in every second of their
 * first bytes. Everything else is taken as UTF-8.
 */
import { TextDecoder } from 'node:util';

export type TextEncoding = 'UTF-8' | 'UTF-16LE' | 'UTF-16BE';

/** Without a mark at least this much must look like UTF-16. */
const SAMPLE_BYTES_MIN = 8;
const SAMPLE_BYTES_MAX = 1_024;

export const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/** Of the file whose first bytes these are. */
export function encodingOf(first: Buffer): TextEncoding {
  const [a, b] = first;
  if (a === 0xff && b === 0xfe && !(first[2] === 0 && first[3] === 0 && first.length >= 4)) return 'UTF-16LE';
  if (a === 0xfe && b === 0xff) return 'UTF-16BE';
  const sample = first.subarray(0, SAMPLE_BYTES_MAX);
  if (sample.length < SAMPLE_BYTES_MIN || !sample.includes(0)) return 'UTF-8';
  const zeroAt = (parity: number): boolean => sample.every((byte, at) => at % 2 !== parity || byte === 0);
  const textAt = (parity: number): boolean => sample.every((byte, at) => at % 2 !== parity || byte !== 0);
  if (zeroAt(1) && textAt(0)) return 'UTF-16LE';
  return zeroAt(0) && textAt(1) ? 'UTF-16BE' : 'UTF-8';
}

/** Turns the pieces of a file into UTF-8, the byte order mark of UTF-16 left out. One per file: it keeps what a piece has torn. */
export function toUtf8(encoding: TextEncoding): (piece: Buffer) => Buffer {
  if (encoding === 'UTF-8') return (piece) => piece;
  const decoder = new TextDecoder(encoding.toLowerCase());
  return (piece) => Buffer.from(decoder.decode(piece, { stream: true }));
}
