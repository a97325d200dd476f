/**
 * Which steps a database has taken, and the lock under which it takes more: both in one document, `holdfast/schema`.
 *
 * SCHEMA-1 That document is written before anything else. A database with collections and without it belongs to something else,
 *    and is refused untouched; so is one that has taken more steps than this version knows.
 * SCHEMA-2 One process at a time takes steps, and `version` is raised, by compare-and-set, after each. Any number of processes may
 *    start at once: the others wait for the version.
 * SCHEMA-3 A holder shows that it lives by raising `lock.beat`. Who has watched the same beat for LOCK_MS by its own clock takes
 *    the lock over, so clocks that disagree do no harm. A holder that was only slow cannot raise the version any more, and
 *    what it did in its step was idempotent.
 * SCHEMA-4 A step that ends in silence is taken again by its holder, whose lock beats meanwhile, and so are the updates of the lock:
 *    an index that takes longer to build than an answer is waited for goes on in the server, and who asks again waits for it.
 * SCHEMA-5 That a database is at the newest version is seen by one read.
 */
import { randomUUID } from 'node:crypto';
import type { Collection, Db } from 'mongodb';
import type { Clock } from '../../kernel/clock.ts';
import type { Logger } from '../../kernel/logger.ts';
import { DatabaseUnusable } from './faults.ts';
import type { Step } from './migrations.ts';
import { isDuplicateKey, isPassing } from './translate-error.ts';

export interface MigrateOptions {
  readonly db: Db;
  /** For sentences. */
  readonly address: string;
  readonly steps: readonly Step[];
  readonly clock: Clock;
  readonly logger: Logger;
}

interface SchemaDocument {
  readonly _id: 'schema';
  /** The number of steps that were taken. */
  readonly version: number;
  readonly lock?: Lock;
}

interface Lock {
  readonly holder: string;
  readonly beat: number;
}

/** The collection's name marks a database as ours. */
const COLLECTION = 'holdfast';
/** A holder beats three times in this time; after a crash the next one to start waits this long. */
const LOCK_MS = 9_000;
const BEAT_MS = LOCK_MS / 3;
/** Those who wait look this often: first steps take some hundred milliseconds. */
const LOOK_MS = 50;
/** The wait before something is asked again that nobody answered: each time is a line in the log. */
const AGAIN_MS = 1_000;
/** An index over a large collection takes minutes; what takes longer than this is for someone to look at. */
const WAIT_MS_MAX = 15 * 60_000;

/** Takes the steps that are missing, or waits until another process has. Throws DatabaseUnusable. */
export async function migrate(options: MigrateOptions): Promise<void> {
  const { address, steps, clock } = options;
  const schema = options.db.collection<SchemaDocument>(COLLECTION);
  const holder = randomUUID();
  const giveUpAt = clock.monotonicNow() + WAIT_MS_MAX;
  let watched: { lock: Lock | undefined; since: number } = { lock: undefined, since: clock.monotonicNow() };
  for (;;) {
    const found = await schema.findOne({ _id: 'schema' });
    if (found === null) {
      await begin(options, schema);
    } else {
      refuseUnknown(address, found, steps.length); // SCHEMA-1
      if (found.version === steps.length) return; // SCHEMA-5
      if (!isSame(found.lock, watched.lock)) watched = { lock: found.lock, since: clock.monotonicNow() };
      const isOurs = found.lock?.holder === holder; // the answer to an update of it was lost
      const isFree = found.lock === undefined || isOurs || clock.monotonicNow() - watched.since >= LOCK_MS; // SCHEMA-3
      const insist: Insist = (work) => untilAnswered(options, giveUpAt, work); // SCHEMA-4
      if (isFree && (await insist(() => takeLock(schema, holder, found.lock)))) {
        await takeSteps(options, schema, holder, found.version, insist);
        continue;
      }
    }
    if (clock.monotonicNow() > giveUpAt) throw stillLocked(address);
    await clock.sleep(LOOK_MS);
  }
}

/** SCHEMA-1. Another process may begin at the same time: its document is there before its collections are, so it is looked for again. */
async function begin({ db, address }: MigrateOptions, schema: Collection<SchemaDocument>): Promise<void> {
  const listed = await db.listCollections({}, { nameOnly: true }).toArray();
  const foreign = listed
    .map(({ name }) => name)
    .filter((name) => name !== COLLECTION && !name.startsWith('system.'));
  if (foreign.length > 0) {
    if ((await schema.findOne({ _id: 'schema' })) !== null) return;
    throw new DatabaseUnusable(
      address,
      `The database ${address} belongs to something else (it has a collection "${foreign[0]}" and is not marked as Holdfast's). ` +
        'Name a database of its own in DATABASE_URL: one that is not there yet is made.',
    );
  }
  try {
    await schema.insertOne({ _id: 'schema', version: 0 });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

function refuseUnknown(address: string, { version }: SchemaDocument, known: number): void {
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new DatabaseUnusable(
      address,
      `The database ${address} is not Holdfast's, or is damaged (its ${COLLECTION} document has no version). ` +
        'Name another database in DATABASE_URL, or restore this one from a backup.',
    );
  }
  if (version > known) {
    throw new DatabaseUnusable(
      address,
      `The database ${address} was written by a newer Holdfast (schema ${version}; this one knows ${known}). ` +
        'Start the newer version, or name another database in DATABASE_URL.',
    );
  }
}

async function takeLock(
  schema: Collection<SchemaDocument>,
  holder: string,
  seen: Lock | undefined,
): Promise<boolean> {
  const asSeen =
    seen === undefined
      ? { lock: { $exists: false } }
      : { 'lock.holder': seen.holder, 'lock.beat': seen.beat };
  const { matchedCount } = await schema.updateOne(
    { _id: 'schema', ...asSeen },
    { $set: { lock: { holder, beat: 0 } } },
  );
  return matchedCount === 1;
}

/** Takes steps from `version` on, until there are no more or the lock is lost; then lets go of the lock. */
async function takeSteps(
  { db, address, steps, clock, logger }: MigrateOptions,
  schema: Collection<SchemaDocument>,
  holder: string,
  version: number,
  insist: Insist,
): Promise<void> {
  const held = { _id: 'schema' as const, 'lock.holder': holder };
  const done = new AbortController();
  const beats = beatUntil(done.signal, { schema, held, clock, logger });
  try {
    for (const [index, step] of steps.entries()) {
      if (index < version) continue;
      logger.info('the database takes a schema step', { address, step: index + 1 });
      await insist(() => step(db));
      // SCHEMA-2
      const raised = await insist(() =>
        schema.updateOne({ ...held, version: index }, { $set: { version: index + 1 } }),
      );
      if (raised.matchedCount === 0) return; // SCHEMA-3: someone took over; or it was raised, in silence
    }
  } finally {
    done.abort();
    await beats;
    await letGo(schema, held, logger);
  }
}

type Insist = <T>(work: () => Promise<T>) => Promise<T>;

/** SCHEMA-4. `work` may be done more than once. */
async function untilAnswered<T>(
  { address, clock, logger }: MigrateOptions,
  giveUpAt: number,
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (clock.monotonicNow() > giveUpAt) throw unfinished(address, error);
      logger.warn('the database did not say how a part of a schema step ended; it is asked again', { error });
    }
    await clock.sleep(AGAIN_MS);
  }
}

interface Beats {
  readonly schema: Collection<SchemaDocument>;
  readonly held: { readonly _id: 'schema'; readonly 'lock.holder': string };
  readonly clock: Clock;
  readonly logger: Logger;
}

/** SCHEMA-3. A beat that fails is only a beat: the next one, or the step itself, will tell. */
async function beatUntil(signal: AbortSignal, { schema, held, clock, logger }: Beats): Promise<void> {
  for (;;) {
    await clock.sleep(BEAT_MS, signal);
    if (signal.aborted) return;
    try {
      await schema.updateOne(held, { $inc: { 'lock.beat': 1 } });
    } catch (error) {
      logger.warn('a beat of the schema lock failed', { error });
    }
  }
}

/** Not being able to let go hides no earlier error: the lock is taken over when it does not beat. */
async function letGo(schema: Collection<SchemaDocument>, held: Beats['held'], logger: Logger): Promise<void> {
  try {
    await schema.updateOne(held, { $unset: { lock: '' } });
  } catch (error) {
    logger.warn('the schema lock was not let go of', { error });
  }
}

function isSame(one: Lock | undefined, other: Lock | undefined): boolean {
  return one?.holder === other?.holder && one?.beat === other?.beat;
}

function stillLocked(address: string): DatabaseUnusable {
  return new DatabaseUnusable(
    address,
    `Another server has been bringing the database ${address} to a newer schema for ${WAIT_MS_MAX / 60_000} minutes. Look at its log; start this one again when it is done.`,
  );
}

function unfinished(address: string, cause: unknown): DatabaseUnusable {
  return new DatabaseUnusable(
    address,
    `The database ${address} has not finished a step of its schema for ${WAIT_MS_MAX / 60_000} minutes. Look at its log and its load: an index may still be being built there. Start this server again when it is done.`,
    cause,
  );
}
