/**
 * Brings what is in files into the archive. A file without a block of zeros lies there as it is, one that has such blocks lies there
 * without them (sparse-content.ts), whether they are holes or were written. Which it is shows when it is read, so what its blocks on the disk
 * suggest is tried first. Memory holds one pack and one part of a large file.
 *
 * HOLES-1 What a save reads is bounded by what files have, not by how long they are: holes are passed over where the system tells them
 *    (data-ranges.ts), and where it does not, a file that is longer than what may still be read is refused before its first byte.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { WorkspaceUnsaved } from '../../../hands/workspace-archive.ts';
import { type DataRange, type DataRanges, RANGES_AT_ONCE } from './data-ranges.ts';
import { FILE_LENGTH_MAX } from './workspace-manifest.ts';
import { PACKED_BYTES_MAX, type Packs } from './workspace-packs.ts';
import { dataIn, HOLE_BYTES, type Run, RUN_BYTES_MAX, sparseContent } from './sparse-content.ts';
import { FileChanged } from './folder-path.ts';

/** Shorter files are read, holes and all, which takes no longer than to ask. */
const HOLES_ASKED_BYTES = 32 * 1024;

/** What is now in the archive of a file. */
export interface Stored {
  /** How long it is. */
  readonly bytes: number;
  /** Of its content; undefined when there is none, as of an empty file or one big hole. */
  readonly sha256: string | undefined;
  /** How long the content of a file with holes is; undefined when the file lies there as it is. */
  readonly sparseBytes: number | undefined;
}

type Form = 'dense' | 'sparse';

export interface FileContentsPorts {
  readonly packs: Packs;
  readonly ranges: DataRanges;
  /** From files, by all that is done here. */
  readonly readBytesMax: number;
}

/** The file does not have the form in which it was being read. */
class OtherForm extends Error {}

/** There is less of the file than there was. */
class FileShorter extends FileChanged {
  /** The last of it. */
  readonly rest: Run;

  constructor(rest: Run) {
    super();
    this.rest = rest;
  }
}

export class FileContents {
  readonly #ports: FileContentsPorts;
  #readBytesLeft: number;

  constructor(ports: FileContentsPorts) {
    this.#ports = ports;
    this.#readBytesLeft = ports.readBytesMax;
  }

  /** `length` bytes of the file. Throws FileChanged when they change meanwhile, WorkspaceUnsaved when it is too much (HOLES-1). */
  async store(file: FileHandle, length: number, mayHaveHoles: boolean): Promise<Stored> {
    if (length > FILE_LENGTH_MAX)
      throw new WorkspaceUnsaved(`A file that is longer than ${FILE_LENGTH_MAX} bytes is not saved.`);
    const forms: readonly Form[] = mayHaveHoles ? ['sparse', 'dense'] : ['dense', 'sparse'];
    for (const form of forms) {
      try {
        return await this.#storeAs(form, file, length);
      } catch (error) {
        if (!(error instanceof OtherForm)) throw error;
      }
    }
    throw new FileChanged(); // it was the one, and then the other
  }

  /** Copies as much as there is now of a file that changes; returns how long that is. */
  async copy(file: FileHandle, lengthMax: number, copy: FileHandle): Promise<number> {
    let length = lengthMax;
    try {
      for await (const { offset, bytes } of this.#data(file, lengthMax)) await writeAt(copy, bytes, offset);
    } catch (error) {
      if (!(error instanceof FileShorter)) throw error;
      const { offset, bytes } = error.rest;
      await writeAt(copy, bytes, offset);
      length = offset + bytes.length;
    }
    length = Math.min(length, (await file.stat()).size); // it may have been cut in a hole
    await copy.truncate(length);
    return length;
  }

  async #storeAs(form: Form, file: FileHandle, length: number): Promise<Stored> {
    const { packs } = this.#ports;
    const hash = createHash('sha256');
    let whole: Buffer[] | undefined = [];
    let bytes = 0;
    for await (const part of this.#content(form, file, length)) {
      hash.update(part);
      bytes += part.length;
      if (bytes > PACKED_BYTES_MAX) whole = undefined;
      whole?.push(part);
    }
    const sparseBytes = form === 'sparse' ? bytes : undefined;
    if (bytes === 0) return { bytes: length, sha256: undefined, sparseBytes };
    const sha256 = hash.digest('hex');
    if (packs.use(sha256)) return { bytes: length, sha256, sparseBytes };
    if (whole !== undefined) await packs.pack(sha256, Buffer.concat(whole, bytes));
    else await packs.storeAlone(sha256, bytes, unchanged(this.#content(form, file, length), sha256));
    return { bytes: length, sha256, sparseBytes };
  }

  /** Throws OtherForm as soon as it is known. */
  async *#content(form: Form, file: FileHandle, length: number): AsyncGenerator<Buffer> {
    if (form === 'sparse') return yield* sparseContent(this.#someHoles(file, length));
    for await (const { offset, bytes } of this.#parts(file, length, false)) {
      const [data] = dataIn(bytes, offset);
      if (data?.bytes.length !== bytes.length) throw new OtherForm();
      yield bytes;
    }
  }

  async *#someHoles(file: FileHandle, length: number): AsyncGenerator<Run> {
    let dataBytes = 0;
    for await (const run of this.#data(file, length)) {
      dataBytes += run.bytes.length;
      yield run;
    }
    if (dataBytes === length && length > 0) throw new OtherForm();
  }

  async *#data(file: FileHandle, length: number): AsyncGenerator<Run> {
    const isAsked = length >= HOLES_ASKED_BYTES;
    for await (const { offset, bytes } of this.#parts(file, length, isAsked)) yield* dataIn(bytes, offset);
  }

  /** In order, whole blocks except at the end, none across a multiple of RUN_BYTES_MAX. */
  async *#parts(file: FileHandle, length: number, isAsked: boolean): AsyncGenerator<Run> {
    let position = 0;
    for await (const { start, end } of isAsked ? this.#ranges(file, length) : [{ start: 0, end: length }]) {
      position = Math.max(position, start - (start % HOLE_BYTES));
      const until = Math.min(length, Math.ceil(end / HOLE_BYTES) * HOLE_BYTES);
      this.#refuseMoreThanLeft(until - position);
      while (position < until) {
        const next = Math.min(until, position - (position % RUN_BYTES_MAX) + RUN_BYTES_MAX);
        this.#readBytesLeft -= next - position;
        this.#refuseMoreThanLeft(0);
        yield { offset: position, bytes: await readAt(file, next - position, position) };
        position = next;
      }
    }
  }

  async *#ranges(file: FileHandle, length: number): AsyncGenerator<DataRange> {
    for (let from = 0; ; ) {
      const found = await this.#ports.ranges.after(file.fd, from);
      if (found === undefined) return yield { start: from, end: length };
      yield* found.filter(({ start }) => start < length);
      from = found.at(-1)?.end ?? length;
      if (found.length < RANGES_AT_ONCE || from >= length) return;
    }
  }

  /** HOLES-1 */
  #refuseMoreThanLeft(bytes: number): void {
    if (bytes <= this.#readBytesLeft) return;
    const { readBytesMax } = this.#ports;
    throw new WorkspaceUnsaved(
      `Files of which more than ${readBytesMax} bytes would have to be read are not saved: shorten or remove the longest ones, also those that are mostly holes.`,
    );
  }
}

async function readAt(file: FileHandle, bytes: number, position: number): Promise<Buffer> {
  const whole = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(whole, at, bytes - at, position + at);
    if (bytesRead === 0) throw new FileShorter({ offset: position, bytes: whole.subarray(0, at) });
    at += bytesRead;
  }
  return whole;
}

export async function writeAt(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}

/** What is stored is what was hashed. */
async function* unchanged(parts: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  try {
    for await (const part of parts) {
      hash.update(part);
      yield part;
    }
  } catch (error) {
    throw error instanceof OtherForm ? new FileChanged() : error;
  }
  if (hash.digest('hex') !== sha256) throw new FileChanged();
}
