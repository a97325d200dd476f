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
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { WORKSPACE_BYTES_MAX, WORKSPACE_ENTRIES_MAX } from '../../../hands/limit.ts';
import {
  type Checkpoint,
  CheckpointDamaged,
  type LogPlace,
  type WorkspaceClaim,
  WorkspaceUnsaved,
} from '../../../hands/workspace-archive.ts';
import { readHashes } from './known-hashes.ts';
import { LineFile } from './line-file.ts';
import { entriesOf, hashOf } from './workspace-contents.ts';
import { HEADER, lineOf, type Place, ROOTS } from './workspace-manifest.ts';
import { PACKED_BYTES_MAX, Packs } from './workspace-packs.ts';
import type { Workspace } from './workspace-store.ts';
import { FileChanged, type FoundFile, isChange, walk } from './workspace-tree.ts';

const PART_BYTES = 256 * 1024;
/** A file that was changed so shortly before may change again and show the same time: kernels count it in steps of some milliseconds. */
const RECENT_MS = 1_000;

export interface Bounds {
  readonly bytesMax: number;
  readonly entriesMax: number;
}

/**
 * What is saved at most. Twice what hands may fill: their bound is measured from time to time and may be passed in between, and here
 * a sparse file counts as its length. Beyond this a workspace stays where it is.
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
  readonly bytes: number;
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
    return await saveUpon(claim, options.places ?? (await placesOf(claim)), workspace, bounds, options);
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
  try {
    const packs = new Packs(claim, before);
    const knownBefore = new Map(await readHashes(workspace.hashes));
    if (isLive) for (const [identity, sha256] of await readHashes(hashes)) knownBefore.set(identity, sha256);
    const copy = join(folder, 'copy.tmp');
    const saving = new Saving({ packs, tree, known, bounds, knownBefore, copy, isLive });
    for (const root of ROOTS) await saving.add(workspace[root], root);
    await Promise.all([tree.flush(), known.flush()]);
    const places = await packs.finish();
    const root = await writeManifest(claim, places, tree);
    const contents = new Set([...places.values()].map(({ content }) => content));
    const checkpoint = await (isLive
      ? claim.keep(root, contents, place)
      : claim.settle(root, contents, place));
    await known.moveTo(hashes);
    const { files, bytes } = saving;
    return { checkpoint, files, bytes, storedBytes: packs.storedBytes, places };
  } finally {
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
async function placesOf(claim: WorkspaceClaim): Promise<Places> {
  const places = new Map<string, Place>();
  if (claim.checkpoint === undefined) return places;
  for await (const entry of entriesOf(claim, claim.checkpoint.root))
    if (entry.kind === 'place') places.set(entry.sha256, entry.place);
  return places;
}

async function writeManifest(claim: WorkspaceClaim, places: Places, tree: LineFile): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of manifestOf(places, tree)) hash.update(part);
  const sha256 = hash.digest('hex');
  const before = claim.checkpoint?.root;
  if (before !== undefined && hashOf(before) === sha256) return before;
  return claim.write(sha256, manifestOf(places, tree));
}

async function* manifestOf(places: Places, tree: LineFile): AsyncGenerator<Uint8Array> {
  let text = `${HEADER}\n`;
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
  readonly tree: LineFile;
  readonly known: LineFile;
  readonly knownBefore: ReadonlyMap<string, string>;
  readonly bounds: Bounds;
  /** Where a file is copied to that changes while it is read. */
  readonly copy: string;
  readonly isLive: boolean;
}

/** What is now in the archive of a file; no hash for one with nothing in it. */
interface Stored {
  readonly bytes: number;
  readonly sha256: string | undefined;
}

/** One walk over a workspace. */
class Saving {
  files = 0;
  bytes = 0;
  readonly #ports: SavingPorts;
  #entriesLeft: number;

  constructor(ports: SavingPorts) {
    this.#ports = ports;
    this.#entriesLeft = ports.bounds.entriesMax;
  }

  async add(path: string, name: string): Promise<void> {
    const { tree } = this.#ports;
    for await (const found of walk(path, name, this.#entriesLeft)) {
      if (found.kind !== 'up') this.#entriesLeft -= 1;
      const stored = found.kind === 'file' ? await this.#store(found) : found;
      if (stored !== undefined) await tree.add(lineOf({ ...found, ...stored }));
    }
  }

  /** Undefined when it has gone. */
  async #store(file: FoundFile): Promise<Stored | undefined> {
    const { packs, known, knownBefore, bounds, copy, isLive } = this.#ports;
    this.files += 1;
    this.bytes += file.bytes;
    if (this.bytes > bounds.bytesMax)
      throw new WorkspaceUnsaved(`Files of more than ${bounds.bytesMax} bytes in all are not saved.`);
    const { bytes, identity } = file;
    if (bytes === 0) return { bytes, sha256: undefined };
    const before = knownBefore.get(identity);
    if (before !== undefined && packs.use(before)) {
      await known.add(`${identity} ${before}`);
      return { bytes, sha256: before };
    }
    const isSettled = !isLive || Date.now() - file.changedAtMs > RECENT_MS;
    try {
      const sha256 = await reading(file, (it) => store(it, bytes, packs));
      if (isSettled) await known.add(`${identity} ${sha256}`);
      return { bytes, sha256 };
    } catch (error) {
      if (!isChange(error)) throw error;
    }
    return storeCopy(file, copy, packs);
  }
}

/** Of a file that changes while it is read: as much as there is now, read once. */
async function storeCopy(file: FoundFile, path: string, packs: Packs): Promise<Stored | undefined> {
  const copy = await open(path, 'w+', 0o600);
  try {
    const bytes = await reading(file, (it) => copyOf(it, file.bytes, copy));
    return { bytes, sha256: bytes === 0 ? undefined : await store(copy, bytes, packs) };
  } catch (error) {
    if (isChange(error)) return undefined;
    throw error;
  } finally {
    await copy.close();
    await rm(path, { force: true });
  }
}

async function copyOf(file: FileHandle, bytesMax: number, copy: FileHandle): Promise<number> {
  let bytes = 0;
  try {
    for await (const part of partsOf(file, bytesMax)) {
      await copy.appendFile(part);
      bytes += part.length;
    }
  } catch (error) {
    if (!(error instanceof FileChanged)) throw error; // it has become shorter
  }
  return bytes;
}

async function store(file: FileHandle, bytes: number, packs: Packs): Promise<string> {
  if (bytes <= PACKED_BYTES_MAX) {
    const whole = await wholeOf(file, bytes);
    const sha256 = createHash('sha256').update(whole).digest('hex');
    if (!packs.use(sha256)) await packs.pack(sha256, whole);
    return sha256;
  }
  const hash = createHash('sha256');
  for await (const part of partsOf(file, bytes)) hash.update(part);
  const sha256 = hash.digest('hex');
  if (!packs.use(sha256)) await packs.storeAlone(sha256, bytes, unchanged(partsOf(file, bytes), sha256));
  return sha256;
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

async function wholeOf(file: FileHandle, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of partsOf(file, bytes)) parts.push(part);
  return Buffer.concat(parts);
}

/** As many bytes as the file had when it was found. */
async function* partsOf(file: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let position = 0; position < bytes; ) {
    const part = Buffer.alloc(Math.min(PART_BYTES, bytes - position));
    const { bytesRead } = await file.read(part, 0, part.length, position);
    if (bytesRead === 0) throw new FileChanged();
    position += bytesRead;
    yield part.subarray(0, bytesRead);
  }
}

/** What is stored is what was hashed. */
async function* unchanged(parts: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const part of parts) {
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== sha256) throw new FileChanged();
}
