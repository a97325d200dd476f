/**
 * What the rows on MongoDB ask of both sides, ours (ours/mongo-log.ts) and the bare driver (reference/mongo-log.ts), on one server
 * in one run. The times of such a server say little; their ratios are what counts, and the server's name stands beside them.
 */
import { join } from 'node:path';
import { MongoClient } from 'mongodb';
import { type MongoServer, mongoServer } from '../support/mongo.ts';
import { Child } from './child.ts';
import { withFolders } from './folders.ts';

/** Milliseconds of the machine's clock, the same for all of its processes. */
export type Moment = number;

export type LogCommands = Readonly<{
  /** Makes the sessions that are written to. */
  start: (sessions: number) => Promise<void>;
  /** p50 of `count` appends of one event to one session, one after the other, in ms. */
  one: (count: number) => Promise<number>;
  /** Appends of one event, `width` at a time, each to another session; answers how many seconds all took. */
  many: (load: { readonly count: number; readonly width: number }) => Promise<number>;
  /** The same with as few requests as the side knows: the bare driver puts `width` documents into each insertMany. */
  grouped: (load: { readonly count: number; readonly width: number }) => Promise<number>;
  /** Writes `count` events to the session that is replayed. */
  fill: (count: number) => Promise<void>;
  /** Reads it page by page; answers how many seconds that took. Throws when it is not whole. */
  replay: (count: number) => Promise<number>;
  /** The session of `append`. */
  appended: () => Promise<string>;
  /** Follows it from here on. Resolves when what is appended from then on will be seen. */
  follow: (session: string) => Promise<void>;
  /** Appends one event; answers when that began. */
  append: () => Promise<Moment>;
  /** When the next of the followed events was there. */
  arrival: () => Promise<Moment>;
}>;

export type Side = Child<LogCommands>;

/** Events in one append of the log that is replayed: what brains write. */
export const FILL_EVENTS = 3;
/** Milliseconds since 1970, with fractions. */
export function moment(): Moment {
  return performance.timeOrigin + performance.now();
}

/** The times at which followed events were there, until they are asked for. */
export class Arrivals {
  readonly #come: Moment[] = [];
  #wake: () => void = () => undefined;

  came(): void {
    this.#come.push(moment());
    this.#wake();
  }

  async next(): Promise<Moment> {
    for (;;) {
      const come = this.#come.shift();
      if (come !== undefined) return come;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

export interface Bench {
  readonly server: MongoServer;
  /** A fresh process on the side's own database of this row. */
  ours(): Promise<Side>;
  bare(): Promise<Side>;
}

export async function withMongo<T>(work: (bench: Bench) => Promise<T>): Promise<T> {
  const server = await mongoServer();
  const started: Side[] = [];
  const start = async (side: string, args: readonly string[]): Promise<Side> => {
    const child = await Child.start<LogCommands>(join(import.meta.dirname, side, 'mongo-log.ts'), args);
    started.push(child);
    return child;
  };
  const [oursUri, bareUri] = [server.uri(), server.uri()];
  try {
    return await withFolders((folder) =>
      work({
        server,
        ours: async () => start('ours', [await folder(), oursUri]),
        bare: () => start('reference', [bareUri]),
      }),
    );
  } finally {
    for (const child of started) await child.stop();
    for (const uri of [oursUri, bareUri]) {
      await using client = new MongoClient(uri);
      await client.db().dropDatabase();
    }
    await server.close();
  }
}
