/**
 * The collections and indexes, as numbered steps that only go forward. A step that has been released is never changed; a new one
 * is added. How they are taken, by one process at a time: schema.ts.
 *
 * A step may be cut off anywhere and taken again from its beginning, so everything in it is idempotent; and servers of the
 * version before may still be running on the database while it is taken, so it adds, and takes away only what they can be without.
 */
import { type CreateCollectionOptions, type Db, MongoServerError } from 'mongodb';
import { systemClock } from '../../kernel/clock.ts';
import { firstOrganisationOf } from './first-organisation.ts';

export type Step = (db: Db) => Promise<void>;

const NAMESPACE_NOT_FOUND = 26;
const INDEX_NOT_FOUND = 27;
const NAMESPACE_EXISTS = 48;

/** A key before it had scopes: it may do everything. */
interface OlderKeyDocument {
  readonly _id: string;
  readonly id: string;
  readonly name: string;
  readonly order: number;
}
const SCOPES_OF_OLDER_KEYS = [
  'sessions:read',
  'sessions:write',
  'agents:write',
  'credentials:write',
  'keys:write',
  'operator',
];

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
  async (db) => {
    // Everything belongs to an organisation: lists begin with it, names and keys are unique in it. What is there is the first one's as
    // it is, and so is what servers of the version before go on to write (ownership.ts): for those the new unique indexes say what the old
    // ones said. Without the others they list by looking through the collection, which is slower and no less right.
    const newest = { createdAt: -1, _id: -1 } as const;
    const first = await firstOrganisationOf(db);
    const organisations = db.collection<{ _id: string }>('organisation');
    await organisations.createIndex({ name: 1 }, { unique: true });
    await organisations.createIndex(newest);
    const record = { name: 'first', createdAt: systemClock.now() };
    await organisations.updateOne({ _id: first }, { $setOnInsert: record }, { upsert: true });
    const ofOrganisation = { organisationId: 1 } as const;
    await db.collection('agent').createIndex({ ...ofOrganisation, name: 1 }, { unique: true });
    await db.collection('agent').createIndex({ ...ofOrganisation, ...newest });
    const withKey = { unique: true, partialFilterExpression: { key: { $exists: true } } };
    await db.collection('session').createIndex({ ...ofOrganisation, key: 1 }, withKey);
    await db.collection('session').createIndex({ ...ofOrganisation, ...newest });
    await db.collection('session').createIndex({ ...ofOrganisation, status: 1, ...newest });
    await db.collection('session').createIndex({ ...ofOrganisation, agentId: 1, ...newest });
    await db.collection('credential').createIndex({ ...ofOrganisation, ...newest });
    await db.collection('credential').createIndex({ ...ofOrganisation, provider: 1, claim: -1 });
    await db.collection('api_key').createIndex({ ...ofOrganisation, name: 1, order: -1 });
    await dropIndexes(db, 'agent', ['name_1', 'createdAt_-1__id_-1']);
    await dropIndexes(db, 'session', [
      'key_1',
      'createdAt_-1__id_-1',
      'status_1_createdAt_-1__id_-1',
      'agentId_1_createdAt_-1__id_-1',
    ]);
    await dropIndexes(db, 'credential', ['createdAt_-1__id_-1', 'provider_1_claim_-1']);
    await dropIndexes(db, 'api_key', ['name_1_order_-1']);
  },
  async (db) => {
    // the audit log (audit-store.ts)
    await db.collection('audit').createIndex({ organisationId: 1, createdAt: -1, _id: -1 });
  },
  async (db) => {
    // what waits, by organisation, so that nobody stands behind all that another one has (session-queue.ts)
    await db
      .collection('session')
      .createIndex(
        { organisationId: 1, wantedSince: 1, 'state.lease.owner': 1, _id: 1 },
        { partialFilterExpression: { wantedSince: { $exists: true } } },
      );
  },
  async (db) => {
    // An API key has scopes, an end and more than one value (key-store.ts). Servers of the version before go on to look into `api_key`, which has a
    // document for each value and knows no scopes: so what is new is in a collection of its own, that they do not see.
    const records = db.collection<{ _id: string }>('api_key_record');
    await records.createIndex({ hashes: 1 });
    await records.createIndex({ organisationId: 1, createdAt: -1, _id: -1 });
    for await (const key of db.collection<OlderKeyDocument>('api_key').find()) {
      const { _id: hash, id, order, ...rest } = key;
      const isRoot = key.name === 'root' ? { rootHashes: [hash] } : {};
      const record = {
        ...rest,
        hash,
        hashes: [hash],
        order,
        version: 1,
        scopes: SCOPES_OF_OLDER_KEYS,
        ...isRoot,
      };
      await records.updateOne({ _id: id }, { $setOnInsert: record }, { upsert: true });
    }
  },
  async (db) => {
    await ensureCollection(db, 'token_generation'); // found by its _id, the session's or the key's
  },
  async (db) => {
    // What a deleted session has left is looked for: journal/deletions.ts.
    await db
      .collection('session')
      .createIndex(
        { 'deleted.pending': 1, _id: 1 },
        { partialFilterExpression: { 'deleted.pending': true } },
      );
    await db.collection('turn').createIndex({ sessionId: 1 });
  },
  async (db) => {
    // Agents that were deleted are in no list, and what has rested longest is found for the rules of retention.
    const ofOrganisation = { organisationId: 1 } as const;
    await db.collection('agent').createIndex({ ...ofOrganisation, deletedAt: 1, createdAt: -1, _id: -1 });
    await db
      .collection('session')
      .createIndex(
        { ...ofOrganisation, status: 1, 'state.statusAt': 1, _id: 1 },
        { partialFilterExpression: { status: { $in: ['idle', 'awaiting_input', 'failed', 'archived'] } } },
      );
    await ensureCollection(db, 'retention');
  },
  async (db) => {
    // What is due for sessions by itself (stores/due-store.ts): in the index are those alone for which something is.
    await db
      .collection('session')
      .createIndex({ dueAt: 1, _id: 1 }, { partialFilterExpression: { dueAt: { $exists: true } } });
  },
  async (db) => {
    // What waits for people, and what of that has changed (stores/inbox-store.ts); also of sessions that were deleted. What asks something
    // already is there as of now. Servers of the version before do not keep it: what they add shows once a server of this one has touched it.
    const sessions = db.collection('session');
    await sessions.updateMany(
      { status: 'awaiting_input', waitsAt: { $exists: false }, deleted: { $exists: false } },
      [{ $set: { waitsSince: '$state.statusAt', waitsAt: '$$NOW' } }],
    );
    const places = { waitsAt: 1, _id: 1, 'state.waits.seq': 1 } as const;
    await sessions.createIndex(
      { organisationId: 1, waitsSince: 1, _id: 1 },
      { partialFilterExpression: { waitsSince: { $exists: true } } },
    );
    await sessions.createIndex(
      { organisationId: 1, ...places },
      { partialFilterExpression: { waitsAt: { $exists: true } } },
    );
    await sessions.createIndex(
      { 'deleted.organisationId': 1, 'deleted.waitsAt': 1, _id: 1 },
      { partialFilterExpression: { 'deleted.waitsAt': { $exists: true } } },
    );
  },
];

/** Those that are still there. */
async function dropIndexes(db: Db, name: string, indexes: readonly string[]): Promise<void> {
  for (const index of indexes) {
    try {
      await db.collection(name).dropIndex(index);
    } catch (error) {
      const isGone =
        error instanceof MongoServerError &&
        (error.code === INDEX_NOT_FOUND || error.code === NAMESPACE_NOT_FOUND);
      if (!isGone) throw error;
    }
  }
}

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
