/**
 * Where the bytes of a workspace's files lie in the archive: each content once, by its SHA-256. Files of up to PACKED_BYTES_MAX lie
 * together in packs, since a file in the archive costs two writes of the database; larger ones lie alone.
 *
 * What the last checkpoint has is used again and not rewritten, except that packs of which most is no longer used, and small packs
 * once there are many, are packed anew. So a session has at most about twice what it uses.
 */
import { createHash } from 'node:crypto';
import { CheckpointDamaged, type ContentId, type WorkspaceClaim } from '../../../hands/workspace-archive.ts';
import { packOf } from './workspace-contents.ts';
import { PACK_BYTES_MAX, type Place } from './workspace-manifest.ts';

/** Read as a whole and kept until its pack is full. */
export const PACKED_BYTES_MAX = 256 * 1024;
/** Packs smaller than this count as small: most checkpoints make one. */
const SMALL_PACK_BYTES = PACK_BYTES_MAX / 4;
/** More small packs are put together, so that a workspace that changes a little each time does not end as thousands of them. */
const SMALL_PACKS_MAX = 8;

interface Member {
  readonly sha256: string;
  readonly offset: number;
  readonly bytes: Buffer;
}

/** A pack of the last checkpoint, with what is still used of it. */
interface UsedPack {
  readonly content: ContentId;
  readonly contentBytes: number;
  usedBytes: number;
  readonly members: { readonly sha256: string; readonly place: Place }[];
}

export class Packs {
  readonly #claim: WorkspaceClaim;
  readonly #before: ReadonlyMap<string, Place>;
  /** In the order of first use; undefined while its pack is being filled. */
  readonly #used = new Map<string, Place | undefined>();
  #open: Member[] = [];
  #openBytes = 0;
  #storedBytes = 0;

  /** `before` is where the contents of the last checkpoint lie. */
  constructor(claim: WorkspaceClaim, before: ReadonlyMap<string, Place>) {
    this.#claim = claim;
    this.#before = before;
  }

  /** What was written into the archive. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** False when its bytes are not known and must be given. */
  use(sha256: string): boolean {
    if (this.#used.has(sha256)) return true;
    const place = this.#before.get(sha256);
    if (place === undefined) return false;
    this.#used.set(sha256, place);
    return true;
  }

  async pack(sha256: string, bytes: Buffer): Promise<void> {
    if (this.#openBytes + bytes.length > PACK_BYTES_MAX) await this.#flush();
    this.#open.push({ sha256, offset: this.#openBytes, bytes });
    this.#openBytes += bytes.length;
    this.#used.set(sha256, undefined);
  }

  async storeAlone(sha256: string, bytes: number, stream: AsyncIterable<Uint8Array>): Promise<void> {
    const content = await this.#claim.write(sha256, stream);
    this.#storedBytes += bytes;
    this.#used.set(sha256, { content, offset: 0, bytes, contentBytes: bytes });
  }

  /** Where everything lies that was used, in the order of first use. */
  async finish(): Promise<ReadonlyMap<string, Place>> {
    for (const { content, members } of this.#wasteful()) {
      const whole = await packOf(this.#claim, content);
      for (const { sha256, place } of members) {
        const bytes = Buffer.from(whole.subarray(place.offset, place.offset + place.bytes));
        if (createHash('sha256').update(bytes).digest('hex') !== sha256)
          throw new CheckpointDamaged('a file is not where it says');
        await this.pack(sha256, bytes);
      }
    }
    await this.#flush();
    // nothing is undefined any more: the pack that was being filled has just been written
    return this.#used as ReadonlyMap<string, Place>;
  }

  #wasteful(): UsedPack[] {
    const packs = [...this.#usedPacks().values()];
    const smallCount = packs.filter(isSmall).length;
    return packs.filter(
      (pack) => pack.usedBytes * 2 < pack.contentBytes || (smallCount > SMALL_PACKS_MAX && isSmall(pack)),
    );
  }

  #usedPacks(): ReadonlyMap<ContentId, UsedPack> {
    const packs = new Map<ContentId, UsedPack>();
    for (const [sha256, place] of this.#used) {
      if (place === undefined || place.bytes > PACKED_BYTES_MAX) continue; // new, or alone
      if (this.#before.get(sha256) !== place) continue; // in a pack that was made just now
      const { content, contentBytes } = place;
      const pack = packs.get(content) ?? { content, contentBytes, usedBytes: 0, members: [] };
      pack.usedBytes += place.bytes;
      pack.members.push({ sha256, place });
      packs.set(content, pack);
    }
    return packs;
  }

  async #flush(): Promise<void> {
    if (this.#open.length === 0) return;
    const members = this.#open;
    const contentBytes = this.#openBytes;
    this.#open = [];
    this.#openBytes = 0;
    const parts = members.map(({ bytes }) => bytes);
    const hash = createHash('sha256');
    for (const part of parts) hash.update(part);
    const content = await this.#claim.write(hash.digest('hex'), parts);
    this.#storedBytes += contentBytes;
    for (const { sha256, offset, bytes } of members)
      this.#used.set(sha256, { content, offset, bytes: bytes.length, contentBytes });
  }
}

function isSmall({ contentBytes }: UsedPack): boolean {
  return contentBytes < SMALL_PACK_BYTES;
}
