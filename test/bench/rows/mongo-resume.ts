/**
 * The row `resume` on MongoDB. A range over _id must be found by an index, as mongod does: elsewhere the script runs on a short log,
 * to show that it works, and nothing is judged.
 */
import { MongoClient } from 'mongodb';
import { mongoServer, type MongoServer } from '../../support/mongo.ts';
import { Child } from '../child.ts';
import { withFolders } from '../folders.ts';
import type { ServerCommands } from '../ours/server.ts';
import type { Figure, Goal, Row, RunOptions } from '../row.ts';
import { fillLogs, RESUMES_PER_RUN, resumeOurs, SERVER } from './resume.ts';

const LENGTHS = [10_000, 100_000, 1_000_000];
const LENGTHS_QUICK = [1_000, 10_000];
/** Where every page is a scan of all pages. */
const LENGTHS_WITHOUT_MONGOD = [2_000];
const GOAL: Goal = { kind: 'figure', atMost: 100 };

export const mongoResume: Row = {
  name: 'mongo-resume',
  measures:
    'The row resume on MongoDB: from subscribe with a cursor 50 events before the end to the first event. It needs mongod: on ' +
    'another server the log has 2,000 events and there is no goal. Nothing stands beside it.',
  run: async (options) => {
    const server = await mongoServer();
    const uri = server.uri();
    try {
      return await withFolders(async (folder) => measureAll(options, server, [await folder(), uri]));
    } finally {
      await using client = new MongoClient(uri);
      await client.db().dropDatabase();
      await server.close();
    }
  },
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  { name, isMongod }: MongoServer,
  args: readonly string[],
): Promise<readonly Figure[]> {
  const lengths = isMongod ? (quick ? LENGTHS_QUICK : LENGTHS) : LENGTHS_WITHOUT_MONGOD;
  if (!isMongod) say(`${name} is not mongod: the goal for 1,000,000 events cannot be looked at here`);
  const filled = await fillLogs(args, lengths, say);
  const server = await Child.start<ServerCommands>(SERVER, args);
  try {
    const { graphql } = await server.ask('ports');
    const figures: Figure[] = [];
    for (const { length, session } of filled) {
      const ours: number[] = [];
      for (let run = 0; run < runs * RESUMES_PER_RUN; run += 1)
        ours.push(await resumeOurs(graphql, session, length));
      const label = `resume near the end of ${length.toLocaleString('en')} events, ${name}`;
      figures.push({ label, unit: 'ms', ours, goal: isMongod ? GOAL : undefined });
    }
    return figures;
  } finally {
    await server.stop();
  }
}
