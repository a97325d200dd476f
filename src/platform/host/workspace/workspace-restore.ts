/**
 * Writes a checkpoint into a new folder. Whatever the manifest says, nothing is written outside that folder: an entry is made by its
 * one name in the folder that was opened last, only where nothing is, and no link is followed. Times and rights are set last, a
 * folder's once everything is in it. Files belong to whoever runs this: WorkspaceStore.giveTo gives them on.
 *
 * RESTORE-1 Blocks of zeros are never written: what had holes has them again, and what older servers saved with its holes filled, too.
 * RESTORE-2 Nothing is made before the whole manifest was found to be within the bounds, and to have room on this disk (restore-bounds.ts).
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { CheckpointDamaged, type WorkspaceClaim } from '../../../hands/workspace-archive.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { checked, entriesOf, packOf } from './workspace-contents.ts';
import { writeAt } from './file-contents.ts';
import { FOLDERS_OPEN_MAX, FolderPath } from './folder-path.ts';
import { checkRoom, RestoreTally } from './restore-bounds.ts';
import { RestoredLinks } from './restored-links.ts';
import { dataIn, SparseReader } from './sparse-content.ts';
import {
  DEPTH_MAX,
  type Entry,
  type FileEntry,
  PACK_BYTES_MAX,
  type Place,
  ROOTS,
} from './workspace-manifest.ts';
import type { Bounds } from './workspace-save.ts';
import { pathIn } from './workspace-tree.ts';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_DIRECTORY, O_NOFOLLOW } = constants;
const NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
const PRIVATE_FOLDER = 0o700;
const PRIVATE_FILE = 0o600;
/** Files written at the same time: the disk is kept busy, memory holds no more than their packs. */
const WRITTEN_AT_ONCE = 8;
/** Packs kept in memory: files lie in packs in the order in which they are restored, but for those that changed since. */
const PACKS_KEPT_MAX = 8;
const MS = 1_000;

type FolderEntry = Extract<Entry, { kind: 'folder' }>;

export interface Restored {
  readonly files: number;
  readonly bytes: number;
}

/** `folder` is there and empty. Rejects with CheckpointDamaged, NoRoomForWorkspace; what is in the folder then is of no use. */
export async function restore(
  claim: WorkspaceClaim,
  folder: string,
  bounds: Bounds,
  signal?: AbortSignal,
): Promise<Restored> {
  const { checkpoint } = claim;
  if (checkpoint === undefined) throw new CheckpointDamaged('there is none');
  await checkRoom(claim, checkpoint.root, folder, bounds); // RESTORE-2
  const handle = await open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const restoring = new Restoring(claim, handle, bounds);
  try {
    for await (const entry of entriesOf(claim, checkpoint.root)) {
      signal?.throwIfAborted();
      await restoring.add(entry);
    }
    return await restoring.finish();
  } finally {
    await restoring.close();
    await handle.close();
  }
}

class Restoring {
  readonly #claim: WorkspaceClaim;
  readonly #top: FileHandle;
  readonly #tally: RestoreTally;
  readonly #links: RestoredLinks;
  readonly #places = new Map<string, Place>();
  readonly #packs = new Map<string, Promise<Buffer>>();
  readonly #writing = new ConcurrencyLimit(WRITTEN_AT_ONCE);
  readonly #folders = new FolderPath<FolderEntry>();

  constructor(claim: WorkspaceClaim, top: FileHandle, bounds: Bounds) {
    this.#claim = claim;
    this.#top = top;
    this.#tally = new RestoreTally(bounds);
    this.#links = new RestoredLinks(top);
  }

  async add(entry: Entry): Promise<void> {
    this.#tally.add(entry);
    if (entry.kind === 'place') return void this.#places.set(entry.sha256, entry.place);
    if (entry.kind === 'up') return this.#leave();
    const parent = this.#folders.innermost?.handle;
    const isRoot = entry.kind === 'folder' && ROOTS.some((root) => root === entry.name.toString('latin1'));
    if (parent === undefined && !isRoot) throw new CheckpointDamaged('it has a file beside its folders');
    const path = pathIn(parent ?? this.#top, entry.name);
    if (entry.kind === 'folder') return this.#enter(entry, path);
    if (entry.kind === 'hard link') return this.#link(entry.link, path);
    if (entry.kind === 'file') {
      if (entry.link !== undefined) this.#links.expect(entry.link, entry);
      return this.#write(entry, path);
    }
    await symlink(entry.target, path).catch(refuseTwice);
    await lutimes(path, secondsOf(entry), secondsOf(entry));
  }

  async finish(): Promise<Restored> {
    if (this.#folders.depth > 0) throw new CheckpointDamaged('it ends in the middle');
    await this.#writing.finish();
    const { files, bytes } = this.#tally;
    return { files, bytes };
  }

  async close(): Promise<void> {
    await this.#writing.finish().catch(() => undefined); // told already, by what comes to an end here
    await this.#folders.close();
    await this.#links.close();
  }

  async #enter(entry: FolderEntry, path: Buffer): Promise<void> {
    if (this.#folders.depth >= DEPTH_MAX) throw new CheckpointDamaged('its folders are too deep');
    await mkdir(path, PRIVATE_FOLDER).catch(refuseTwice);
    if (this.#folders.depth >= FOLDERS_OPEN_MAX) await this.#writing.finish(); // one that is written to may be let go
    await this.#folders.enter(path, () => Promise.resolve(entry));
  }

  async #leave(): Promise<void> {
    await this.#writing.finish();
    const folder = this.#folders.innermost;
    if (folder === undefined) throw new CheckpointDamaged('it leaves its own folder');
    await this.#folders.leave((handle) => finishOff(handle, folder.state));
  }

  async #link(number: number, path: Buffer): Promise<void> {
    await this.#writing.finish(); // the file may be among what is being written
    const instead = await this.#links.make(number, path).catch(refuseTwice);
    if (instead !== undefined) await this.#write(instead, path);
  }

  async #write(entry: FileEntry, path: Buffer): Promise<void> {
    await this.#writing.start(async () => {
      const handle = await open(path, NEW_FILE, PRIVATE_FILE).catch(refuseTwice);
      try {
        await this.#fill(handle, entry);
        await finishOff(handle, entry);
      } finally {
        await handle.close();
      }
      if (entry.link !== undefined) await this.#links.keep(entry.link, path);
    });
  }

  async #fill(handle: FileHandle, { bytes, sha256, sparseBytes }: FileEntry): Promise<void> {
    let end = 0;
    if (sha256 !== undefined) {
      const sparse = sparseBytes === undefined ? undefined : new SparseReader(bytes);
      const hash = createHash('sha256');
      let position = 0;
      for await (const part of this.#content(sha256, sparseBytes ?? bytes)) {
        hash.update(part);
        const runs = sparse === undefined ? dataIn(part, position) : sparse.add(part); // RESTORE-1
        for (const run of runs) {
          await writeAt(handle, run.bytes, run.offset);
          end = run.offset + run.bytes.length;
        }
        position += part.length;
      }
      sparse?.finish();
      if (hash.digest('hex') !== sha256) throw new CheckpointDamaged('a file is not what it was');
    }
    if (end < bytes) await handle.truncate(bytes); // it ends with a hole
  }

  async *#content(sha256: string, bytes: number): AsyncGenerator<Buffer> {
    const place = this.#places.get(sha256);
    if (place === undefined || place.bytes !== bytes)
      throw new CheckpointDamaged('it does not say where a file lies');
    const { content, offset, contentBytes } = place;
    if (contentBytes <= PACK_BYTES_MAX) yield (await this.#pack(content)).subarray(offset, offset + bytes);
    else
      for await (const part of checked(this.#claim, content, bytes))
        yield Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  }

  /** Those used last are kept. */
  #pack(content: string): Promise<Buffer> {
    const pack = this.#packs.get(content) ?? packOf(this.#claim, content);
    this.#packs.delete(content);
    this.#packs.set(content, pack);
    for (const oldest of this.#packs.keys()) {
      if (this.#packs.size <= PACKS_KEPT_MAX) break;
      this.#packs.delete(oldest);
    }
    return pack;
  }
}

async function finishOff(handle: FileHandle, entry: FileEntry | FolderEntry): Promise<void> {
  await handle.chmod(entry.mode);
  await handle.utimes(secondsOf(entry), secondsOf(entry));
}

/** As text: of a number below zero Node makes the time of now (nodejs/node#64597). */
function secondsOf({ mtimeMs }: { readonly mtimeMs: number }): string {
  return `${mtimeMs / MS}`;
}

/** No folder has two entries of one name: the second would be written through the first. */
function refuseTwice(error: unknown): never {
  const isTwice = error instanceof Error && 'code' in error && error.code === 'EEXIST';
  throw isTwice ? new CheckpointDamaged('it has two files of one name', error) : error;
}
