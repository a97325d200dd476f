/**
 * Writes a checkpoint into a new folder. Whatever the manifest says, nothing is written outside that folder: an entry is made by its
 * one name in the folder that was opened last, only where nothing is, and no link is followed. Times and rights are set last, a
 * folder's once everything is in it. Files belong to whoever runs this: WorkspaceStore.giveTo gives them on.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lutimes, mkdir, open, symlink } from 'node:fs/promises';
import { CheckpointDamaged, type WorkspaceClaim } from '../../../hands/workspace-archive.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { checked, entriesOf, packOf } from './workspace-contents.ts';
import { DEPTH_MAX, type Entry, PACK_BYTES_MAX, type Place, ROOTS } from './workspace-manifest.ts';
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
type FileEntry = Extract<Entry, { kind: 'file' }>;

export interface Restored {
  readonly files: number;
  readonly bytes: number;
}

/** `folder` is there and empty. Rejects with CheckpointDamaged; what is in the folder then is of no use. */
export async function restore(
  claim: WorkspaceClaim,
  folder: string,
  bounds: Bounds,
  signal?: AbortSignal,
): Promise<Restored> {
  const { checkpoint } = claim;
  if (checkpoint === undefined) throw new CheckpointDamaged('there is none');
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

interface OpenFolder {
  readonly handle: FileHandle;
  readonly entry: FolderEntry;
}

class Restoring {
  readonly #claim: WorkspaceClaim;
  readonly #top: FileHandle;
  readonly #bounds: Bounds;
  readonly #places = new Map<string, Place>();
  readonly #packs = new Map<string, Promise<Buffer>>();
  readonly #writing = new ConcurrencyLimit(WRITTEN_AT_ONCE);
  readonly #folders: OpenFolder[] = [];
  #entries = 0;
  #files = 0;
  #bytes = 0;

  constructor(claim: WorkspaceClaim, top: FileHandle, bounds: Bounds) {
    this.#claim = claim;
    this.#top = top;
    this.#bounds = bounds;
  }

  async add(entry: Entry): Promise<void> {
    if (entry.kind === 'place') return void this.#places.set(entry.sha256, entry.place);
    if (entry.kind === 'up') return this.#leave();
    this.#entries += 1;
    if (this.#entries > this.#bounds.entriesMax + ROOTS.length)
      throw new CheckpointDamaged('it has too many files');
    const parent = this.#folders.at(-1)?.handle;
    const isRoot = entry.kind === 'folder' && ROOTS.some((root) => root === entry.name.toString('latin1'));
    if (parent === undefined && !isRoot) throw new CheckpointDamaged('it has a file beside its folders');
    const path = pathIn(parent ?? this.#top, entry.name);
    if (entry.kind === 'folder') return this.#enter(entry, path);
    if (entry.kind === 'file') return this.#write(entry, path);
    await symlink(entry.target, path).catch(refuseTwice);
    await lutimes(path, entry.mtimeMs / MS, entry.mtimeMs / MS);
  }

  async finish(): Promise<Restored> {
    if (this.#folders.length > 0) throw new CheckpointDamaged('it ends in the middle');
    await this.#writing.finish();
    return { files: this.#files, bytes: this.#bytes };
  }

  async close(): Promise<void> {
    await this.#writing.finish().catch(() => undefined); // told already, by what comes to an end here
    for (const { handle } of this.#folders.splice(0).toReversed()) await handle.close();
  }

  async #enter(entry: FolderEntry, path: Buffer): Promise<void> {
    if (this.#folders.length >= DEPTH_MAX) throw new CheckpointDamaged('its folders are too deep');
    await mkdir(path, PRIVATE_FOLDER).catch(refuseTwice);
    const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    this.#folders.push({ handle, entry });
  }

  async #leave(): Promise<void> {
    await this.#writing.finish();
    const folder = this.#folders.pop();
    if (folder === undefined) throw new CheckpointDamaged('it leaves its own folder');
    const { handle, entry } = folder;
    try {
      await finishOff(handle, entry);
    } finally {
      await handle.close();
    }
  }

  async #write(entry: FileEntry, path: Buffer): Promise<void> {
    this.#files += 1;
    this.#bytes += entry.bytes;
    if (this.#bytes > this.#bounds.bytesMax) throw new CheckpointDamaged('its files are too large');
    await this.#writing.start(async () => {
      const handle = await open(path, NEW_FILE, PRIVATE_FILE).catch(refuseTwice);
      try {
        await this.#fill(handle, entry);
        await finishOff(handle, entry);
      } finally {
        await handle.close();
      }
    });
  }

  async #fill(handle: FileHandle, { bytes, sha256 }: FileEntry): Promise<void> {
    if (sha256 === undefined) return;
    const place = this.#places.get(sha256);
    if (place === undefined || place.bytes !== bytes)
      throw new CheckpointDamaged('it does not say where a file lies');
    const { content, offset, contentBytes } = place;
    const hash = createHash('sha256');
    if (contentBytes <= PACK_BYTES_MAX) {
      const part = (await this.#pack(content)).subarray(offset, offset + bytes);
      hash.update(part);
      await handle.appendFile(part);
    } else {
      for await (const part of checked(this.#claim, content, bytes)) {
        hash.update(part);
        await handle.appendFile(part);
      }
    }
    if (hash.digest('hex') !== sha256) throw new CheckpointDamaged('a file is not what it was');
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

async function finishOff(handle: FileHandle, { mode, mtimeMs }: FileEntry | FolderEntry): Promise<void> {
  await handle.chmod(mode);
  await handle.utimes(mtimeMs / MS, mtimeMs / MS);
}

/** No folder has two entries of one name: the second would be written through the first. */
function refuseTwice(error: unknown): never {
  const isTwice = error instanceof Error && 'code' in error && error.code === 'EEXIST';
  throw isTwice ? new CheckpointDamaged('it has two files of one name', error) : error;
}
