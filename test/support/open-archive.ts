/** Workspace archives on a database of their own, each as the server of one owner has it. */
import { systemClock as clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { MongoDatabase } from '../../src/platform/mongo/database.ts';
import { MongoWorkspaceArchive } from '../../src/platform/mongo/workspace/workspace-archive.ts';
import type { OpenArchive } from '../contracts/workspace-archive.ts';

export interface OpenMongoArchive extends OpenArchive {
  readonly database: MongoDatabase;
  /** As `as`, but through another view of the database. */
  through(database: Pick<MongoDatabase, 'client' | 'db'>, owner: string): Promise<MongoWorkspaceArchive>;
}

export async function openArchive(uri: string): Promise<OpenMongoArchive> {
  const database = await MongoDatabase.open({ uri });
  const { db } = database;
  const living = new Set<string>();
  const owners = { alive: async () => [...living] };
  const through: OpenMongoArchive['through'] = async (view, owner) => {
    living.add(owner);
    return new MongoWorkspaceArchive({ database: view, owners, owner, clock });
  };
  return {
    database,
    through,
    as: (owner) => through(database, owner),
    async die(owner) {
      living.delete(owner);
    },
    async stored(sessionId: SessionId) {
      const range = { $gte: `${sessionId}/`, $lt: `${sessionId}0` };
      const files = await db.collection<{ _id: string }>('workspace.files').find({ _id: range }).toArray();
      const chunked = await db.collection('workspace.chunks').distinct('files_id', { files_id: range });
      return [...new Set([...files.map(({ _id }) => _id), ...chunked.map(String)])].toSorted();
    },
    close: () => database.close(),
  };
}
