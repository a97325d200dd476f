/**
 * A database whose n-th write is the last that happens: it fails before it is made, or it is made and its answer is lost. Nothing
 * after it reaches the server, as after a crash. Reads go on until then.
 */
import type { MongoDatabase } from '../../src/platform/mongo/database.ts';

const WRITES = new Set([
  'insertOne',
  'updateOne',
  'replaceOne',
  'deleteOne',
  'deleteMany',
  'findOneAndUpdate',
]);

export interface FailingWrites {
  readonly database: Pick<MongoDatabase, 'client' | 'db'>;
  hasFailed(): boolean;
  /** From now on nothing is written. */
  cut(): void;
  /** From now on everything is written. */
  mend(): void;
}

/** `before` and `after` are waited for before and after each write, with its name and collection. */
export function failingAt(
  { client, db }: Pick<MongoDatabase, 'client' | 'db'>,
  at: number,
  isAnswerLost: boolean,
  before: (write: string, collection: string) => Promise<void> = async () => undefined,
  after: typeof before = async () => undefined,
): FailingWrites {
  let writes = 0;
  let last = at;
  const isCut = (): boolean => writes >= last;
  const write = async (name: string, collection: string, call: () => unknown): Promise<unknown> => {
    await before(name, collection);
    const wasCut = isCut();
    writes += 1;
    if (wasCut || (isCut() && !isAnswerLost)) throw new Error('cut here');
    const answer = await call();
    await after(name, collection);
    if (isCut()) throw new Error('cut here');
    return answer;
  };
  const watched = (collection: object, name: string): object =>
    new Proxy(collection, {
      get(target, property) {
        const found: unknown = Reflect.get(target, property, target);
        if (typeof found !== 'function') return found;
        return (...args: unknown[]): unknown => {
          const call = (): unknown => Reflect.apply(found, target, args);
          return WRITES.has(String(property)) ? write(String(property), name, call) : call();
        };
      },
    });
  /** What leads to collections: a database, and a client to databases. */
  const leading = <T extends object>(root: T): T =>
    new Proxy(root, {
      get(target, property) {
        const found: unknown = Reflect.get(target, property, target);
        if (typeof found !== 'function') return found;
        return (...args: unknown[]): unknown => {
          const made: unknown = Reflect.apply(found, target, args);
          // both are objects
          if (property === 'collection') return watched(made as object, String(args[0]));
          return property === 'db' ? leading(made as object) : made;
        };
      },
    });
  return {
    database: { client: leading(client), db: leading(db) },
    hasFailed: isCut,
    cut: () => (last = writes),
    mend: () => (last = Infinity),
  };
}
