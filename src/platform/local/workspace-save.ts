/**
 * Makes the checkpoint of a workspace. Only what the last one does not have is written, and nothing when the workspace is as it
 * was. Memory holds one pack, one part of a large file, and a line for each file at most; the rest is streamed.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Checkpoint,
  CheckpointDamaged,
  type WorkspaceClaim,
  WorkspaceUnsaved,
} from '../../supervisor/workspace-archive.ts';
import { readHashes } from './known-hashes.ts';
import { LineFile } from './line-file.ts';
import { entriesOf, hashOf } from './workspace-contents.ts';
import { HEADER, lineOf, type Place, ROOTS } from './workspace-manifest.ts';
import { PACKED_BYTES_MAX, Packs } from './workspace-packs.ts';
import type { Workspace } from './workspace-store.ts';
import { type FoundFile, walk } from './workspace-tree.ts';

const PART_BYTES = 256 * 1024;

export interface Bounds {
  readonly bytesMax: number;
  readonly entriesMax: number;
}

export interface Saved {
  readonly checkpoint: Checkpoint;
  readonly files: number;
  readonly bytes: number;
  /** Written into the archive for it. */
  readonly storedBytes: number;
}

/** Rejects with WorkspaceUnsaved, with ClaimLost, or as the archive does; the checkpoint before is whole then. */
export async function save(claim: WorkspaceClaim, workspace: Workspace, bounds: Bounds): Promise<Saved> {
  try {
    return await saveUpon(claim, await placesOf(claim), workspace, bounds);
  } catch (error) {
    if (!(error instanceof CheckpointDamaged)) throw error;
    return saveUpon(claim, new Map(), workspace, bounds); // what was kept is of no use: keep all of it anew
  }
}

async function saveUpon(
  claim: WorkspaceClaim,
  before: ReadonlyMap<string, Place>,
  workspace: Workspace,
  bounds: Bounds,
): Promise<Saved> {
  const { folder, hashes } = workspace;
  const tree = await LineFile.make(join(folder, 'tree.tmp'));
  const known = await LineFile.make(join(folder, 'hashes.tmp'));
  try {
    const packs = new Packs(claim, before);
    const saving = new Saving({ packs, tree, known, bounds, knownBefore: await readHashes(hashes) });
    for (const root of ROOTS) await saving.add(workspace[root], root);
    await Promise.all([tree.flush(), known.flush()]);
    const places = await packs.finish();
    const root = await writeManifest(claim, places, tree);
    const contents = new Set([...places.values()].map(({ content }) => content));
    const checkpoint = await claim.settle(root, contents);
    await known.moveTo(hashes);
    return { checkpoint, files: saving.files, bytes: saving.bytes, storedBytes: packs.storedBytes };
  } finally {
    await Promise.all([tree.close(), known.close()]);
    await Promise.all([tree.remove(), known.remove()]);
  }
}

/** Where the contents of the last checkpoint lie. */
async function placesOf(claim: WorkspaceClaim): Promise<ReadonlyMap<string, Place>> {
  const places = new Map<string, Place>();
  if (claim.checkpoint === undefined) return places;
  for await (const entry of entriesOf(claim, claim.checkpoint.root))
    if (entry.kind === 'place') places.set(entry.sha256, entry.place);
  return places;
}

async function writeManifest(
  claim: WorkspaceClaim,
  places: ReadonlyMap<string, Place>,
  tree: LineFile,
): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of manifestOf(places, tree)) hash.update(part);
  const sha256 = hash.digest('hex');
  const before = claim.checkpoint?.root;
  if (before !== undefined && hashOf(before) === sha256) return before;
  return claim.write(sha256, manifestOf(places, tree));
}

async function* manifestOf(places: ReadonlyMap<string, Place>, tree: LineFile): AsyncGenerator<Uint8Array> {
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
      await tree.add(lineOf(found.kind === 'file' ? { ...found, sha256: await this.#store(found) } : found));
    }
  }

  /** The hash of what is now in the archive; undefined when there is nothing in the file. */
  async #store(file: FoundFile): Promise<string | undefined> {
    const { packs, known, knownBefore, bounds } = this.#ports;
    this.files += 1;
    this.bytes += file.bytes;
    if (this.bytes > bounds.bytesMax)
      throw new WorkspaceUnsaved(`Files of more than ${bounds.bytesMax} bytes in all are not saved.`);
    if (file.bytes === 0) return undefined;
    const before = knownBefore.get(file.identity);
    const sha256 =
      before !== undefined && packs.use(before)
        ? before
        : await reading(file, (it) => store(it, file.bytes, packs));
    await known.add(`${file.identity} ${sha256}`);
    return sha256;
  }
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

class FileChanged extends WorkspaceUnsaved {
  constructor() {
    super('A file changed while it was saved.');
  }
}
