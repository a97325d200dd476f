/** Contents as they come from the archive: nothing is used that does not have the hash by which it is called. */
import { createHash } from 'node:crypto';
import { Lines } from '../../../hands/lines.ts';
import { CheckpointDamaged, type ContentId, type WorkspaceClaim } from '../../../hands/workspace-archive.ts';
import {
  entryOf,
  type Entry,
  HEADER,
  HEADER_2,
  MANIFEST_LINE_BYTES_MAX,
  PACK_BYTES_MAX,
} from './workspace-manifest.ts';

/** The bytes as they come; throws CheckpointDamaged at their end when they are others, and at once when they are more. */
export async function* checked(
  claim: WorkspaceClaim,
  content: ContentId,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of claim.read(content)) {
    bytes += part.length;
    if (bytes > bytesMax) throw new CheckpointDamaged('a part of it is larger than it says');
    hash.update(part);
    yield part;
  }
  if (hash.digest('hex') !== hashOf(content)) throw new CheckpointDamaged('a part of it has changed');
}

/** A pack, in memory. */
export async function packOf(claim: WorkspaceClaim, content: ContentId): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of checked(claim, content, PACK_BYTES_MAX)) parts.push(part);
  return Buffer.concat(parts);
}

/** The manifest, entry by entry. What it says is proven to be what was written only at its end. */
export async function* entriesOf(claim: WorkspaceClaim, root: ContentId): AsyncGenerator<Entry> {
  let lines: string[] = [];
  let isFirst = true;
  const splitter = new Lines(MANIFEST_LINE_BYTES_MAX, (line) => line !== '' && lines.push(line));
  for await (const part of checked(claim, root, Infinity)) {
    if (!splitter.add(Buffer.from(part.buffer, part.byteOffset, part.byteLength)))
      throw new CheckpointDamaged('a line of it is too long');
    for (const line of lines) {
      if (!isFirst) yield entryOf(line);
      else if (line !== HEADER && line !== HEADER_2)
        throw new CheckpointDamaged('it is of a format that this server does not know');
      isFirst = false;
    }
    lines = [];
  }
}

export function hashOf(content: ContentId): string {
  return content.slice(content.indexOf('/') + 1);
}
