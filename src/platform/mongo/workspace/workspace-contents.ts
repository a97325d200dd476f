/** The contents of checkpoints as files of a GridFS bucket (workspace-archive.ts GRIDFS-1 to GRIDFS-3). */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Db, GridFSBucket, MongoGridFSChunkError, MongoRuntimeError } from 'mongodb';
import type { SessionId } from '../../../kernel/id.ts';
import { CheckpointDamaged, type ContentId } from '../../../hands/workspace-archive.ts';
import { translateError } from '../translate-error.ts';

export const BUCKET = 'workspace';
/** One chunk is one round trip: larger than GridFS's 255 KiB, and small enough to be held a few times. */
const CHUNK_BYTES = 1024 * 1024;
/** Contents removed by one command. */
const REMOVED_AT_ONCE = 500;
const CONTENT = /^\d{1,15}\/[0-9a-f]{64}$/;

export class WorkspaceContents {
  readonly #db: Db;
  readonly #bucket: GridFSBucket;

  /** GridFS takes no read concern of its own: it reads as its database does. */
  constructor(db: Db) {
    this.#db = db;
    this.#bucket = new GridFSBucket(db, { bucketName: BUCKET, chunkSizeBytes: CHUNK_BYTES });
  }

  async *read(id: string): AsyncIterable<Uint8Array> {
    try {
      yield* this.#bucket.openDownloadStream(id as never); // the driver's types know ObjectIds only
    } catch (cause) {
      if (!isMissing(cause)) throw translateError(cause);
      throw new CheckpointDamaged('a part is missing in the database', cause);
    }
  }

  async write(
    id: string,
    sessionId: SessionId,
    bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    const upload = this.#bucket.openUploadStreamWithId(id as never, sessionId); // as above
    await pipeline(Readable.from(bytes, { objectMode: false }), upload);
  }

  /** All that there is of a session, what was cut included (GRIDFS-3). */
  async of(sessionId: SessionId): Promise<string[]> {
    const db = this.#db;
    const files = await db
      .collection<{ _id: string }>(`${BUCKET}.files`)
      .find({ filename: sessionId }, { projection: { _id: 1 } })
      .toArray();
    const range = { $gte: `${sessionId}/`, $lt: `${sessionId}0` }; // '0' comes after '/'
    const withChunks = await db
      .collection<{ files_id: string }>(`${BUCKET}.chunks`)
      .distinct('files_id', { files_id: range });
    return [...new Set([...files.map(({ _id }) => _id), ...withChunks])];
  }

  async remove(ids: readonly string[]): Promise<void> {
    const db = this.#db;
    for (let from = 0; from < ids.length; from += REMOVED_AT_ONCE) {
      const some = ids.slice(from, from + REMOVED_AT_ONCE);
      await db.collection<{ _id: string }>(`${BUCKET}.files`).deleteMany({ _id: { $in: some } });
      await db.collection<{ files_id: string }>(`${BUCKET}.chunks`).deleteMany({ files_id: { $in: some } });
    }
  }
}

/** Only what a claim's `write` can have answered: a manifest that says anything else leads nowhere (ARCHIVE-4). */
export function fileIdOf(sessionId: SessionId, content: ContentId): string {
  if (!CONTENT.test(content)) throw new CheckpointDamaged('it refers to a part that cannot be');
  return `${sessionId}/${content}`;
}

/** The driver has no class of its own for a file that is not there. */
function isMissing(error: unknown): boolean {
  if (error instanceof MongoGridFSChunkError) return true;
  return error instanceof MongoRuntimeError && error.message.startsWith('FileNotFound');
}
