/**
 * A file with holes as it lies in the archive: its data, run by run, each with a head that says where it belongs. What is between is zeros.
 * A run begins and ends where a block does, has no block of zeros, and lies in one part of the file of RUN_BYTES_MAX. So the same bytes give
 * the same content, wherever the file system of the day keeps its holes, and a content is no smaller than what it takes on a disk.
 */
import { CheckpointDamaged } from '../../../hands/workspace-archive.ts';

/** What holes are made of: the block of nearly every file system. */
export const HOLE_BYTES = 4096;
/** Read, kept and written at once. */
export const RUN_BYTES_MAX = 256 * 1024;
/** Where it begins, as 8 bytes, and how long it is, as 4. */
const HEAD_BYTES = 12;
const ZEROS = Buffer.alloc(HOLE_BYTES);

export interface Run {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** What of the bytes that lie at `position` of a file is to be kept: everything but blocks of zeros, and what of such a block is here. */
export function* dataIn(bytes: Buffer, position: number): Generator<Run> {
  let from: number | undefined;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(bytes.length, at + HOLE_BYTES - ((position + at) % HOLE_BYTES));
    const isHole = bytes[at] === 0 && bytes.subarray(at, end).equals(ZEROS.subarray(0, end - at));
    if (!isHole) from ??= at;
    else if (from !== undefined) {
      yield { offset: position + from, bytes: bytes.subarray(from, at) };
      from = undefined;
    }
    at = end;
  }
  if (from !== undefined) yield { offset: position + from, bytes: bytes.subarray(from) };
}

/** `data` is what `dataIn` says of parts that come in order and do not cross a multiple of RUN_BYTES_MAX. */
export async function* sparseContent(data: AsyncIterable<Run>): AsyncGenerator<Buffer> {
  let open: Run[] = [];
  let end = 0;
  for await (const run of data) {
    if (run.offset !== end || run.offset % RUN_BYTES_MAX === 0) {
      yield* told(open);
      open = [];
    }
    open.push(run);
    end = run.offset + run.bytes.length;
  }
  yield* told(open);
}

function* told(runs: readonly Run[]): Generator<Buffer> {
  const [first] = runs;
  if (first === undefined) return;
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeBigUInt64BE(BigInt(first.offset), 0);
  head.writeUInt32BE(
    runs.reduce((sum, { bytes }) => sum + bytes.length, 0),
    8,
  );
  yield head;
  for (const { bytes } of runs) yield bytes;
}

/** Takes a content apart again. Throws CheckpointDamaged for everything that `sparseContent` does not make. */
export class SparseReader {
  readonly #length: number;
  #kept: Buffer = Buffer.alloc(0);
  #end = 0;

  /** `length` is that of the file. */
  constructor(length: number) {
    this.#length = length;
  }

  *add(part: Buffer): Generator<Run> {
    this.#kept = this.#kept.length === 0 ? part : Buffer.concat([this.#kept, part]);
    while (this.#kept.length >= HEAD_BYTES) {
      const offset = Number(this.#kept.readBigUInt64BE(0));
      const bytes = this.#kept.readUInt32BE(8);
      this.#check(offset, bytes);
      if (this.#kept.length < HEAD_BYTES + bytes) return;
      yield { offset, bytes: this.#kept.subarray(HEAD_BYTES, HEAD_BYTES + bytes) };
      this.#kept = this.#kept.subarray(HEAD_BYTES + bytes);
      this.#end = offset + bytes;
    }
  }

  finish(): void {
    if (this.#kept.length > 0) throw new CheckpointDamaged('a file with holes ends in the middle');
  }

  #check(offset: number, bytes: number): void {
    const end = offset + bytes;
    const isWhole = offset % HOLE_BYTES === 0 && (end % HOLE_BYTES === 0 || end === this.#length);
    const isNext = offset >= this.#end && end <= this.#length;
    if (!isWhole || !isNext || bytes === 0 || bytes > RUN_BYTES_MAX)
      throw new CheckpointDamaged('a file with holes has data where there can be none');
  }
}
