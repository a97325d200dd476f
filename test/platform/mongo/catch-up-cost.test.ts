/**
 * What a page of a long log costs: a fixed number of commands, as many documents as the page may hold, each range bounded at both
 * ends. On mongod the documents that it looks at are counted too; others scan where they have an index (secantus.ts).
 */
import type { Document } from 'mongodb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SessionId } from '../../../src/kernel/id.ts';
import { PAGE_EVENTS_MAX } from '../../../src/kernel/limit.ts';
import { type MongoStore, openMongo } from '../../../src/platform/mongo/store.ts';
import { type Asked, DriverWatch, watchedUri } from '../../support/driver-watch.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { randomOf } from '../../support/random.ts';
import { appending, nothing, originOf, spoken } from '../../support/session-log.ts';

const SEED = Number(process.env['HOLDFAST_TEST_SEED'] ?? Date.now() % 1_000_000);
const APPENDS = 200;
/** Mostly what brains write, now and then an answer with all of its tool calls. */
const SIZES = [1, 1, 1, 1, 1, 1, 2, 3, 40] as const;
const READS = 60;
/** Some hundred appends, one after the other, on a busy machine. */
const FILL_MS_MAX = 300_000;
/** The session; the page that begins there, or else the one before; the pages after it. */
const COMMANDS_MAX = 4;

await mongoSuite('a page of a long log', (server) => {
  const random = randomOf(SEED);
  let store: MongoStore;
  let watch: DriverWatch;
  let sessions: readonly [SessionId, SessionId, SessionId];

  beforeAll(async () => {
    say(`seed ${SEED} (HOLDFAST_TEST_SEED), ${server.name}`);
    store = await openMongo({ uri: watchedUri(server.uri()) });
    watch = new DriverWatch(store.database.client);
    sessions = [await filled(APPENDS / 10), await filled(APPENDS / 10), await filled(APPENDS)];
  }, FILL_MS_MAX);
  afterAll(() => store.close());

  async function filled(appends: number): Promise<SessionId> {
    const { session } = await store.sessions.create(originOf(), nothing);
    for (let count = 0; count < appends; count += 1) {
      const events = Array.from({ length: random.pick(SIZES) }, (_, at) => spoken(`${count}.${at}`));
      await store.journal.append(session.id, { decide: appending(...events) });
    }
    return session.id;
  }

  it('costs a few commands and as many documents as it may hold, wherever in the log it begins', async () => {
    const dear: string[] = [];
    const most = { commands: 0, pages: 0 };
    for (let count = 0; count < READS; count += 1) {
      const id = random.pick(sessions);
      const head = await store.journal.head(id);
      const [after, limit] = [random.below(head), 1 + random.below(PAGE_EVENTS_MAX)];
      const asked = await askedBy(() => store.journal.read(id, { after, limit }));
      const pages = asked.filter(({ collection }) => collection === 'page');
      const returned = pages.reduce((sum, { documents }) => sum + documents, 0);
      const plans = server.isMongod ? await Promise.all(asked.map(looksAt)) : [];
      const looked = plans.reduce((sum, documents) => sum + documents, 0);
      const isCheap =
        asked.length <= COMMANDS_MAX &&
        returned <= limit + 1 &&
        pages.every((one) => isBounded(one, limit)) &&
        looked <= returned + 1; // the session's document is one more
      if (!isCheap)
        dear.push(`after ${after} of ${head}, limit ${limit}: ${told(asked)}, looked at ${looked}`);
      most.commands = Math.max(most.commands, asked.length);
      most.pages = Math.max(most.pages, returned);
    }
    say(`at most ${most.commands} commands and ${most.pages} pages for up to ${PAGE_EVENTS_MAX} events`);
    expect(dear).toEqual([]);
  });

  it('costs no more where the log is ten times as long', async () => {
    for (const id of [sessions[0], sessions[2]]) {
      const after = Math.floor((await store.journal.head(id)) / 2);
      const asked = await askedBy(() => store.journal.read(id, { after, limit: 20 }));

      expect(asked.length).toBeLessThanOrEqual(COMMANDS_MAX);
      expect(asked.reduce((sum, { documents }) => sum + documents, 0)).toBeLessThanOrEqual(20 + 2);
    }
  });

  /** Without the change stream of the process, which asks whoever reads. */
  async function askedBy(work: () => Promise<unknown>): Promise<readonly Asked[]> {
    return (await watch.during(work)).filter(({ collection }) => collection !== 'live');
  }

  async function looksAt({ name, command }: Asked): Promise<number> {
    if (name !== 'find') return 0; // a getMore goes on with what its find has found
    const { find, filter, projection, sort, limit, singleBatch } = command;
    const query = { find, filter, projection, sort, limit, singleBatch };
    const plan = await store.database.db.command({ explain: query, verbosity: 'executionStats' });
    return plan['executionStats'].totalDocsExamined;
  }
});

/** One document by its id, or a range with two ends that answers no more than it may. */
function isBounded({ name, command }: Asked, limit: number): boolean {
  if (name !== 'find') return name === 'killCursors';
  const { _id: id }: Document = command['filter'];
  if (typeof id === 'string') return true;
  const least = id.$gt ?? id.$gte;
  return typeof least === 'string' && typeof id.$lte === 'string' && command['limit'] <= limit;
}

function told(asked: readonly Asked[]): string {
  return asked.map(({ name, collection, documents }) => `${name} ${collection} ${documents}`).join(', ');
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
