/**
 * The collections and indexes, as numbered steps that only go forward. A step that has been released is never changed; a new one
 * is added. How they are taken, by one process at a time: schema.ts.
 *
 * A step may be cut off anywhere and taken again from its beginning, so everything in it is idempotent; and servers of the
 * version before may still be running on the database while it is taken, so it adds and does not take away.
 */
import { type CreateCollectionOptions, type Db, MongoServerError } from 'mongodb';

export type Step = (db: Db) => Promise<void>;

const NAMESPACE_EXISTS = 48;

export const STEPS: readonly Step[] = [
  async (db) => {
    await db.collection('agent').createIndex({ name: 1 }, { unique: true });
    await db.collection('agent').createIndex({ createdAt: -1, _id: -1 });
    await ensureCollection(db, 'agent_revision');
    // the journal: session-document.ts
    await db.collection('session').createIndex({ key: 1 }, { unique: true, sparse: true });
    await db.collection('session').createIndex({ createdAt: -1, _id: -1 });
    await db.collection('session').createIndex({ status: 1, createdAt: -1, _id: -1 });
    await db.collection('session').createIndex({ agentId: 1, createdAt: -1, _id: -1 });
    // of the version before: the next step has another one for the same question
    await db
      .collection('session')
      .createIndex(
        { wantedSince: 1, _id: 1 },
        { partialFilterExpression: { wantedSince: { $exists: true } } },
      );
    // the version before looked for no lease of a session at rest: whoever held it may be dead
    await db
      .collection('session')
      .updateMany({ 'state.lease': { $exists: true }, wantedSince: { $exists: false } }, [
        { $set: { wantedSince: '$state.statusAt' } },
      ]);
    await db.collection('page').createIndex({ 'keys.id': 1 }, { sparse: true });
    await ensureCollection(db, 'turn');
    await ensureCollection(db, 'body');
    await db.collection('credential').createIndex({ createdAt: -1, _id: -1 });
    await db.collection('credential').createIndex({ provider: 1, claim: -1 });
    await ensureCollection(db, 'credential_default');
    await db.collection('api_key').createIndex({ name: 1, order: -1 });
    await db.collection('owner').createIndex({ expiresAt: 1 });
    await db.collection('queue_message').createIndex({ group: 1, state: 1, number: 1 });
    await db.collection('queue_message').createIndex({ state: 1, doneAt: 1, _id: 1 });
    await db.collection('queue_group').createIndex({ dueAt: 1, touchedAt: 1 });
    await ensureCollection(db, 'numbering');
    // a process that has gone leaves its last document behind
    await db.collection('live').createIndex({ at: 1 }, { expireAfterSeconds: 3_600 });
    await ensureCollection(db, 'workspace');
    // those of GridFS, as its specification wants them
    await db.collection('workspace.files').createIndex({ filename: 1, uploadDate: 1 });
    await db.collection('workspace.chunks').createIndex({ files_id: 1, n: 1 }, { unique: true });
  },
  async (db) => {
    // holds all that SessionCollection.wanted() asks for: of sessions that others look after it reads no document
    await db
      .collection('session')
      .createIndex(
        { wantedSince: 1, 'state.lease.owner': 1, _id: 1 },
        { partialFilterExpression: { wantedSince: { $exists: true } } },
      );
  },
];

/** Made now and not by the first write: a capped or clustered one must be, and the others cost nothing then. */
export async function ensureCollection(
  db: Db,
  name: string,
  options: CreateCollectionOptions = {},
): Promise<void> {
  try {
    await db.createCollection(name, options);
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === NAMESPACE_EXISTS)) throw error;
  }
}
