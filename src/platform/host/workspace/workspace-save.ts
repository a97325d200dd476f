/**
 * Makes the checkpoint of a workspace. Only what the last one does not have is written, and nothing when the workspace is as it
 * was. Memory holds one pack, one part of a large file, and a line for each file at most; the rest is streamed.
 *
 * While hands live, processes may write meanwhile: each file is then kept as it was at some moment between the beginning and the end. And
 * what is known of a file then is not held to be true once they have ended: a write through a memory map shows in no time of the
 * file for a while, so the save after them reads all that they have changed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, lstat, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WORKSPACE_BYTES_MAX, WORKSPACE_ENTRIES_MAX } from '../../../hands/limit.ts';
import {
  type Checkpoint,
  CheckpointDamaged,
  type LogPlace,
  type WorkspaceClaim,
  WorkspaceUnsaved,
} from '../../../hands/workspace-archive.ts';
import { DataRanges } from './data-ranges.ts';
import { FileContents, type Stored } from './file-contents.ts';
import { FileChanged } from './folder-path.ts';
import { clockLine, fileClock, hashLine, isSettled, type KnownHashes, readHashes } from './known-hashes.ts';
import { LineFile } from './line-file.ts';
import { RestoreTally } from './restore-bounds.ts';
import { entriesOf, hashOf } from './workspace-contents.ts';
import {
  type Entry,
  HEADER,
  HEADER_2,
  isOfHeader2,
  lineOf,
  type Place,
  ROOTS,
} from './workspace-manifest.ts';
import { Packs } from './workspace-packs.ts';
import type { Workspace } from './workspace-store.ts';
import { type FoundFile, isChange, walk } from './workspace-tree.ts';

const PART_BYTES = 256 * 1024;
/** For each byte that may be stored this many are read: it is read to hash it and to write it, and some again when it changes meanwhile. */
const READS_MAX = 3;

export interface Bounds {
  /** Of contents; holes are none. */
  readonly bytesMax: number;
  readonly entriesMax: number;
}

/**
 * What is saved at most. Twice what hands may fill: their bound is measured from time to time and may be passed in between. Beyond this a
 * workspace stays where it is.
 */
export const SAVED_BOUNDS: Bounds = {
  bytesMax: 2 * WORKSPACE_BYTES_MAX,
  entriesMax: 2 * WORKSPACE_ENTRIES_MAX,
};

export interface SaveOptions {
  /** Hands live: the claim is held on. */
  readonly isLive?: boolean | undefined;
  /** How far the log has come. */
  readonly place?: LogPlace | undefined;
  /** Where the contents of the claim's checkpoint lie, where that is known: Saved.places. */
  readonly places?: Places | undefined;
}

type Places = ReadonlyMap<string, Place>;

export interface Saved {
  readonly checkpoint: Checkpoint;
  readonly files: number;
  /** Of contents: without holes, and once for all names of a file. */
  readonly bytes: number;
  /** Sockets, fifos and devices, which are not kept. */
  readonly leftOut: number;
  /** Written into the archive for it. */
  readonly storedBytes: number;
  readonly places: Places;
}

/** Rejects with WorkspaceUnsaved, with ClaimLost, or as the archive does; the checkpoint before is whole then. */
export async function save(
  claim: WorkspaceClaim,
  workspace: Workspace,
  bounds: Bounds,
  options: SaveOptions = {},
): Promise<Saved> {
  try {
    return await saveUpon(
      claim,
      options.places ?? (await placesOf(claim, bounds)),
      workspace,
      bounds,
      options,
    );
  } catch (error) {
    if (!(error instanceof CheckpointDamaged)) throw error;
    return saveUpon(claim, new Map(), workspace, bounds, options); // what was kept is of no use: keep all of it anew
  }
}

async function saveUpon(
  claim: WorkspaceClaim,
  before: Places,
  workspace: Workspace,
  bounds: Bounds,
  { isLive = false, place }: SaveOptions,
): Promise<Saved> {
  const { folder } = workspace;
  const hashes = isLive ? liveHashesOf(workspace) : workspace.hashes;
  const tree = await LineFile.make(join(folder, 'tree.tmp'));
  const known = await LineFile.make(join(folder, 'hashes.tmp'));
  const ranges = new DataRanges();
  try {
    const packs = new Packs(claim, before);
    const paths = isLive ? [workspace.hashes, hashes] : [hashes];
    const knownBefore = await readHashes(paths, await fileClock((await lstat(known.path)).ctimeMs));
    await known.add(clockLine(knownBefore.clock));
    const contents = new FileContents({ packs, ranges, readBytesMax: READS_MAX * bounds.bytesMax });
    const copy = join(folder, 'copy.tmp');
    const saving = new Saving({ packs, contents, tree, known, bounds, knownBefore, copy });
    for (const root of ROOTS) await saving.add(workspace[root], root);
    await Promise.all([tree.flush(), known.flush()]);
    const places = await packs.finish();
    const root = await writeManifest(claim, saving.header, places, tree);
    const kept = new Set([...places.values()].map(({ content }) => content));
    const checkpoint = await (isLive ? claim.keep(root, kept, place) : claim.settle(root, kept, place));
    await known.moveTo(hashes);
    const { files, bytes, leftOut } = saving;
    return { checkpoint, files, bytes, leftOut, storedBytes: packs.storedBytes, places };
  } finally {
    await ranges.close();
    await Promise.all([tree.close(), known.close()]);
    await Promise.all([tree.remove(), known.remove()]);
  }
}

/** Begins anew what is known while hands live: to be called before they do. */
export async function forgetLiveHashes(workspace: Workspace): Promise<void> {
  await rm(liveHashesOf(workspace), { force: true });
}

function liveHashesOf({ hashes }: Workspace): string {
  return `${hashes}.live`;
}

/** Where the contents of the last checkpoint lie. */
async function placesOf(claim: WorkspaceClaim, bounds: Bounds): Promise<Places> {
  const places = new Map<string, Place>();
  if (claim.checkpoint === undefined) return places;
  const tally = new RestoreTally(bounds);
  for await (const entry of entriesOf(claim, claim.checkpoint.root)) {
    tally.add(entry);
    if (entry.kind === 'place') places.set(entry.sha256, entry.place);
  }
  return places;
}

async function writeManifest(
  claim: WorkspaceClaim,
  header: string,
  places: Places,
  tree: LineFile,
): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of manifestOf(header, places, tree)) hash.update(part);
  const sha256 = hash.digest('hex');
  const before = claim.checkpoint?.root;
  if (before !== undefined && hashOf(before) === sha256) return before;
  return claim.write(sha256, manifestOf(header, places, tree));
}

async function* manifestOf(header: string, places: Places, tree: LineFile): AsyncGenerator<Uint8Array> {
  let text = `${header}\n`;
  for (const [sha256, place] of places) {
    text += `${lineOf({ kind: 'place', sha256, place })}\n`;
    if (text.length < PART_BYTES) continue;
    yield Buffer.from(text);
    text = '';
  }
  yield Buffer.from(text);
  yield* createReadStream(tree.path, { highWaterMark: PART_BYTES });
}

interface SavingPorts {
  readonly packs: Packs;
  readonly contents: FileContents;
  readonly tree: LineFile;
  readonly known: LineFile;
  readonly knownBefore: KnownHashes;
  readonly bounds: Bounds;
  /** Where a file is copied to that changes while it is read. */
  readonly copy: string;
}

/** One walk over a workspace. */
class Saving {
  files = 0;
  bytes = 0;
  leftOut = 0;
  header = HEADER;
  readonly #ports: SavingPorts;
  /** The numbers by which the second name of a file refers to the first, by inode. */
  readonly #links = new Map<string, number>();
  #entriesLeft: number;

  constructor(ports: SavingPorts) {
    this.#ports = ports;
    this.#entriesLeft = ports.bounds.entriesMax;
  }

  async add(path: string, name: string): Promise<void> {
    for await (const found of walk(path, name, this.#entriesLeft)) {
      if (found.kind !== 'up') this.#entriesLeft -= 1;
      if (found.kind === 'other') this.leftOut += 1;
      else if (found.kind === 'file') await this.#file(found);
      else await this.#say(found);
    }
  }

  async #file(file: FoundFile): Promise<void> {
    const { name, inode } = file;
    const before = this.#links.get(inode);
    if (before !== undefined) return this.#say({ kind: 'hard link', name, link: before });
    this.files += 1;
    const expected = Math.min(file.bytes, file.diskBytes);
    this.#count(expected); // before anything is read
    const stored = await this.#store(file);
    this.bytes -= expected;
    if (stored === undefined) return; // it has gone
    this.#count(stored.sparseBytes ?? stored.bytes);
    const link = file.names > 1 ? this.#links.size : undefined;
    if (link !== undefined) this.#links.set(inode, link);
    await this.#say({ ...file, ...stored, link });
  }

  async #say(entry: Entry): Promise<void> {
    if (isOfHeader2(entry)) this.header = HEADER_2;
    await this.#ports.tree.add(lineOf(entry));
  }

  #count(bytes: number): void {
    const { bytesMax } = this.#ports.bounds;
    this.bytes += bytes;
    if (this.bytes > bytesMax)
      throw new WorkspaceUnsaved(`Files of more than ${bytesMax} bytes in all are not saved.`);
  }

  /** Undefined when it has gone. */
  async #store(file: FoundFile): Promise<Stored | undefined> {
    const { packs, contents, known, knownBefore } = this.#ports;
    const { bytes, identity } = file;
    if (bytes === 0) return { bytes, sha256: undefined, sparseBytes: undefined };
    const before = knownBefore.files.get(identity);
    if (before !== undefined && (before.sha256 === undefined || packs.use(before.sha256))) {
      await known.add(hashLine(identity, before));
      return { bytes, ...before };
    }
    try {
      const stored = await reading(file, (it) => contents.store(it, bytes, file.diskBytes < bytes));
      if (isSettled(file.changedAtMs, knownBefore.clock)) await known.add(hashLine(identity, stored));
      return stored;
    } catch (error) {
      if (!isChange(error)) throw error;
    }
    return this.#storeCopy(file);
  }

  /** Of a file that changes while it is read: as much as there is now, read once. */
  async #storeCopy(file: FoundFile): Promise<Stored | undefined> {
    const { contents, copy: path } = this.#ports;
    const copy = await open(path, 'w+', 0o600);
    try {
      const bytes = await reading(file, (it) => contents.copy(it, file.bytes, copy));
      if (bytes === 0) return { bytes, sha256: undefined, sparseBytes: undefined };
      return await contents.store(copy, bytes, true);
    } catch (error) {
      if (isChange(error)) return undefined;
      throw error;
    } finally {
      await copy.close();
      await rm(path, { force: true });
    }
  }
}

async function reading<T>(file: FoundFile, work: (handle: FileHandle) => Promise<T>): Promise<T> {
  const handle = await file.open();
  try {
    if (!(await handle.stat()).isFile()) throw new FileChanged();
    return await work(handle);
  } finally {
    await handle.close();
  }
}
