/**
 * The databases in test/fixtures/upgrade: what they tell, and how one is laid out for a server. Each was written by the version that its
 * folder names (test/support/make-upgrade.ts) and killed in the middle of a turn.
 */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { BSON, MongoClient } from 'mongodb';
import type { Store } from './stores.ts';

export const UPGRADE = join(import.meta.dirname, '../fixtures/upgrade');
/** The commits that wrote them, the last one that was landed at the end. */
export const OLDER = ['d3f00fe', '5405710', '3ab6a9d', '59ccafc', '4302c8b'] as const;
export type Older = (typeof OLDER)[number];
export const SCRIPTS = join(UPGRADE, 'scripts');

/** What was asked and answered then, for asking again. */
export interface Then {
  /** The commit that wrote it. */
  readonly commit: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly clientToken: string;
  readonly agentId: string;
  /** By what became of them: idle, hibernated, failed, killed. */
  readonly sessions: Readonly<Record<string, string>>;
  /** Mutations of then with an idempotency key or a key by nature, and their answers. */
  readonly asked: readonly { readonly query: string; readonly variables: object; readonly answer: unknown }[];
  /** Session -> its log as it was answered then. */
  readonly logs: Readonly<Record<string, readonly unknown[]>>;
}

export interface Fixture {
  readonly told: Then;
  /** Of the data folder, beside the database: path -> base64. */
  readonly files: Readonly<Record<string, string>>;
  /** Of MongoDB, as extended JSON. */
  readonly collections?: readonly {
    readonly name: string;
    readonly indexes: readonly BSON.Document[];
    readonly documents: readonly BSON.Document[];
  }[];
}

export async function readFixture(older: Older, store: Store): Promise<Fixture> {
  return BSON.EJSON.parse(await readFile(join(UPGRADE, older, `${store}.json`), 'utf8')); // make-upgrade.ts wrote it
}

/**
 * A data folder as it was left then. The turn that was cut has begun just now: turns have a deadline, and the fixture grows older.
 */
export async function layOut(
  older: Older,
  store: Store,
): Promise<{ folder: string; remove(): Promise<void> }> {
  const { files, told } = await readFixture(older, store);
  const { hibernated = '', killed = '' } = told.sessions;
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-then-'));
  for (const [path, base64] of Object.entries(files)) {
    if (store === 'mongo' && path.startsWith(`workspaces/${hibernated}/`)) continue; // its checkpoint is in the database
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, Buffer.from(base64, 'base64'), { mode: 0o600 });
  }
  if (store === 'sqlite') {
    await copyFile(join(UPGRADE, older, 'sqlite.db'), join(folder, 'holdfast.db'));
    await chmod(join(folder, 'holdfast.db'), 0o600);
    using database = new DatabaseSync(join(folder, 'holdfast.db'));
    const begun = database.prepare(
      "UPDATE session SET state = json_set(state, '$.turn.startedAt', ?) WHERE id = ?",
    );
    begun.run(Date.now(), killed);
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Fills the database that `uri` names with what the fixture has, the turn that was cut as in layOut. */
export async function loadInto(older: Older, uri: string): Promise<void> {
  const { collections = [], told } = await readFixture(older, 'mongo');
  await using client = new MongoClient(uri);
  for (const { name, indexes, documents } of collections) {
    const collection = client.db().collection(name);
    if (documents.length > 0) await collection.insertMany(documents.map((document) => ({ ...document })));
    for (const { key, v: _version, ...options } of indexes) await collection.createIndex(key, options);
  }
  const { killed = '' } = told.sessions;
  const sessions = client.db().collection<{ _id: string }>('session');
  await sessions.updateOne({ _id: killed }, { $set: { 'state.turn.startedAt': Date.now() } });
}
