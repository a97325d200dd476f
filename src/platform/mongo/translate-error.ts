/**
 * What the driver throws, in words that say what to do, and what compare-and-set may conclude from it. Everything
 * that this adapter throws has passed here once.
 */
import {
  MongoBulkWriteError,
  MongoClientClosedError,
  MongoCompatibilityError,
  MongoError,
  MongoNetworkError,
  MongoNetworkTimeoutError,
  MongoNotConnectedError,
  MongoOperationTimeoutError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
  type TopologyDescription,
} from 'mongodb';
import { Outage } from '../../kernel/outage.ts';
import { DatabaseUnusable } from './faults.ts';

type Failure = readonly [reason: string, sentence: string];

const NO_ANSWER: Failure = [
  'NO_ANSWER',
  'The database does not answer. Check the server and the network; this server goes on by itself.',
];
const NO_PRIMARY: Failure = [
  'NO_PRIMARY',
  'The replica set has no primary at the moment. It elects one within seconds if most of its members live; this server goes on by itself.',
];
const TIMEOUT: Failure = [
  'TIMEOUT',
  'The database did not finish in time. Check its load and its disk; this server goes on by itself.',
];
const DISK_FULL: Failure = [
  'DISK_FULL',
  'The disk of the database is full: nothing was written. Make room there; this server goes on by itself.',
];
const REFUSED: Failure = [
  'REFUSED',
  'The database does not let this user do that. Give the user of DATABASE_URL the role readWrite on the database.',
];
const NOT_REPLICATED: Failure = [
  'NOT_REPLICATED',
  'A write did not reach most members of the replica set in time. Check that they live and keep up.',
];
const TOO_LARGE: Failure = [
  'TOO_LARGE',
  'A document is larger than the database can hold; this is a defect.',
];
const CLOSED: Failure = ['CLOSED', 'The database was closed while something was under way.'];

const DUPLICATE_KEY = 11_000;
/**
 * What a code says of the command. `unknown`: it may or may not be done, or be rolled back. `passing`: it was not done, and may
 * be the next time. `lasting`: it was not done, and will not be either.
 */
type After = 'unknown' | 'passing' | 'lasting';
/** Server error codes (mongodb/mongo, src/mongo/base/error_codes.yml). */
const CODES: ReadonlyMap<unknown, readonly [after: After, failure?: Failure]> = new Map([
  [6, ['unknown', NO_ANSWER]], // host unreachable: as mongos says it of a shard
  [7, ['unknown', NO_ANSWER]], // host not found
  [89, ['unknown', NO_ANSWER]], // network timeout
  [202, ['unknown', NO_ANSWER]], // mongos waited too long for a shard
  [317, ['unknown', NO_ANSWER]], // the pool between mongos and a shard was emptied
  [384, ['unknown', NO_ANSWER]], // the connection between mongos and a shard broke
  [9_001, ['unknown', NO_ANSWER]], // socket
  [91, ['unknown', NO_PRIMARY]], // shutting down
  [189, ['unknown', NO_PRIMARY]], // stepped down
  [10_058, ['unknown', NO_PRIMARY]], // not primary, as of old
  [10_107, ['unknown', NO_PRIMARY]], // not primary
  [11_600, ['unknown', NO_PRIMARY]], // cut off by a shutdown
  [11_602, ['unknown', NO_PRIMARY]], // cut off by an election
  [13_435, ['unknown', NO_PRIMARY]], // not primary, for a read
  [13_436, ['unknown', NO_PRIMARY]], // not primary and not secondary: starting or recovering
  [50, ['unknown', TIMEOUT]], // the time that it was given
  [262, ['unknown', TIMEOUT]], // the time that the server gives
  [64, ['unknown', NOT_REPLICATED]], // the time that the majority was given
  [79, ['unknown', NOT_REPLICATED]], // unknown write concern
  [100, ['unknown', NOT_REPLICATED]], // not enough members for the write concern
  [43, ['passing']], // a cursor that went with its server
  [237, ['passing']], // a cursor that was killed
  [63, ['passing']], // mongos knew an older routing, and the driver gave up
  [150, ['passing']], // the same, after a collection was sharded anew
  [13_388, ['passing']], // the same, of the whole configuration
  [112, ['passing']], // another's write in the way
  [133, ['passing', NO_PRIMARY]], // no member to read from
  [134, ['passing', NO_PRIMARY]], // no majority yet to read from
  [175, ['passing']], // a plan that went with its index
  [365, ['passing']], // a cache under pressure
  [462, ['passing']], // more requests than the server lets in
  [11, ['lasting', REFUSED]], // no such user
  [13, ['lasting', REFUSED]], // may not do that
  [18, ['lasting', REFUSED]], // login
  [8_000, ['lasting', REFUSED]], // login, at Atlas
  [10_334, ['lasting', TOO_LARGE]], // a document
  [17_280, ['lasting', TOO_LARGE]], // a key
  [17_419, ['lasting', TOO_LARGE]], // a document after its update
  [17_420, ['lasting', TOO_LARGE]], // a document after its update, in a pipeline
  [14_031, ['lasting', DISK_FULL]],
]);
/** With one of these labels the server asks for the same again, a little later. */
const PASSING_LABELS = ['RetryableError', 'SystemOverloadedError'] as const;
/** The operating system's word for it comes through in the message of other codes. */
const NO_SPACE = /no space left|out of disk space|ENOSPC/i;

/** The same `_id`, or the same value of a unique index, is there already: this write did nothing. */
export function isDuplicateKey(error: unknown): boolean {
  const cause = driverErrorOf(error);
  return cause instanceof MongoServerError && cause.code === DUPLICATE_KEY;
}

/** The same of a write of many: nothing but that is wrong with any of them. */
export function isOnlyDuplicates(error: unknown): boolean {
  if (!(error instanceof MongoBulkWriteError)) return isDuplicateKey(error);
  const errors = [error.writeErrors].flat();
  return (
    errors.length > 0 &&
    errors.every(({ code }) => code === DUPLICATE_KEY) &&
    error.result.getWriteConcernError() === undefined
  );
}

/**
 * Nobody said whether the write happened: read before anything is concluded. True also for what was surely not sent, where
 * the driver does not tell the difference.
 */
export function isUnknownOutcome(error: unknown): boolean {
  const cause = driverErrorOf(error);
  if (!(cause instanceof MongoError)) return false;
  if (isNoAnswer(cause) || isClosed(cause) || cause instanceof MongoOperationTimeoutError) return true;
  if (cause instanceof MongoWriteConcernError || cause.hasErrorLabel('RetryableWriteError')) return true;
  if (cause instanceof MongoBulkWriteError && cause.result?.getWriteConcernError() !== undefined) return true;
  return CODES.get(cause.code)?.[0] === 'unknown';
}

/** The database is away or busy for a moment: what may be done twice may succeed the next time. */
export function isPassing(error: unknown): boolean {
  const cause = driverErrorOf(error);
  if (!(cause instanceof MongoError) || isClosed(cause)) return false;
  if (isUnknownOutcome(cause) || PASSING_LABELS.some((label) => cause.hasErrorLabel(label))) return true;
  return CODES.get(cause.code)?.[0] === 'passing';
}

/** An error of a command. Anything that is not the driver's own comes back as it is. */
export function translateError(error: unknown): unknown {
  if (!(error instanceof MongoError)) return error;
  const cause = driverErrorOf(error);
  const [reason, sentence] = failureOf(cause instanceof MongoError ? cause : error);
  if (sentence === TOO_LARGE[1]) return new Error(sentence, { cause: error }); // a defect of ours
  return new Outage(reason, sentence, error);
}

/** Runs `work` and translates what it throws. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw translateError(error);
  }
}

/** An error of opening the database at `address`. */
export function translateOpenError(address: string, error: unknown): unknown {
  if (error instanceof DatabaseUnusable || !(error instanceof Error)) return error;
  if (error instanceof MongoCompatibilityError || error.cause instanceof MongoCompatibilityError) {
    return new DatabaseUnusable(
      address,
      `${address} is too old or too new for the driver (${error.message}).`,
      error,
    );
  }
  if (error instanceof MongoServerSelectionError || error instanceof MongoNetworkError) {
    return new DatabaseUnusable(address, unreachable(address, error), error);
  }
  if (error instanceof MongoServerError && CODES.get(error.code)?.[1] === REFUSED) {
    const isLogin = error.code !== 13;
    const sentence = isLogin
      ? `${address} refuses the user or password of DATABASE_URL. Mend them; a user that is kept in another database needs ?authSource=<that database>.`
      : `${address} does not let the user of DATABASE_URL use this database. Give that user the role readWrite on it, or put a user and password into DATABASE_URL.`;
    return new DatabaseUnusable(address, sentence, error);
  }
  if (error instanceof MongoError) {
    const [, sentence] = failureOf(error);
    return new DatabaseUnusable(address, `${address}: ${sentence}`, error);
  }
  if ('syscall' in error && 'code' in error) {
    return new DatabaseUnusable(address, outside(address, error), error);
  }
  return error;
}

function failureOf(error: MongoError): Failure {
  if (NO_SPACE.test(error.message)) return DISK_FULL;
  const known = CODES.get(error.code)?.[1];
  if (known !== undefined) return known;
  if (error instanceof MongoWriteConcernError) return NOT_REPLICATED;
  if (error instanceof MongoServerSelectionError) return isWithoutPrimary(error) ? NO_PRIMARY : NO_ANSWER;
  if (error instanceof MongoNetworkTimeoutError || error instanceof MongoOperationTimeoutError)
    return TIMEOUT;
  if (isNoAnswer(error)) return NO_ANSWER;
  if (isClosed(error)) return CLOSED;
  const reason = error instanceof MongoServerError ? (error.codeName ?? error.code) : error.name;
  // Callers read the sentence: what the driver says, which may name what is in the database, is in the cause.
  return [String(reason ?? error.name), 'The database refused a command: the log of the server says why.'];
}

/** What went wrong as the driver tells it of a single command: also after it was translated, and out of the wrapping of a bulk write. */
export function driverErrorOf(error: unknown): unknown {
  const isTranslated = error instanceof Error && error.cause instanceof MongoError;
  const thrown = isTranslated && !(error instanceof MongoError) ? error.cause : error;
  const isWrapping = thrown instanceof MongoBulkWriteError && thrown.errorResponse instanceof MongoError;
  return isWrapping ? thrown.errorResponse : thrown;
}

function isNoAnswer(error: MongoError): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  // The driver does not export the class of a pool that had no connection to give in time.
  return error.name === 'MongoWaitQueueTimeoutError' || error.name === 'MongoPoolClearedError';
}

function isClosed(error: MongoError): boolean {
  return (
    error instanceof MongoClientClosedError ||
    error instanceof MongoTopologyClosedError ||
    error instanceof MongoNotConnectedError
  );
}

/** Members answer, and none of them is primary. */
function isWithoutPrimary({ reason }: MongoServerSelectionError): boolean {
  return serversOf(reason).some(({ type }) => type === 'RSSecondary' || type === 'RSOther');
}

function unreachable(address: string, error: MongoError): string {
  const reason = error instanceof MongoServerSelectionError ? error.reason : undefined;
  const servers = serversOf(reason);
  if (error instanceof MongoServerSelectionError && isWithoutPrimary(error)) {
    return `The replica set at ${address} has no primary. Start most of its members, then start again.`;
  }
  // The driver drops servers that say they are of no set, or of another one than the URI names.
  if (reason?.setName !== null && reason?.setName !== undefined && servers.length === 0) {
    return `${address} is not in a replica set called "${reason.setName}". Mend replicaSet in DATABASE_URL, or start the server as a member of that set.`;
  }
  const said = servers.find((server) => server.error !== null)?.error?.message ?? error.message;
  return `No MongoDB server answers at ${address} (${said}). ${mendOf(said)}`;
}

function mendOf(said: string): string {
  if (/tls|ssl|certificate|secureConnect|EPROTO|CERT/i.test(said)) {
    return 'The two sides do not agree on TLS: check tls, tlsCAFile and the certificate.';
  }
  if (said.endsWith(' closed')) {
    return 'Something there closes the connection: check host and port in DATABASE_URL; a server that wants TLS needs tls=true.';
  }
  return 'Check that the server runs, and host and port in DATABASE_URL.';
}

/** A name that cannot be resolved, a certificate file that cannot be read. */
function outside(address: string, error: Error): string {
  const mend = String(Object(error).syscall).startsWith('query')
    ? 'The name has no SRV record, or DNS does not answer: check the host in DATABASE_URL.'
    : 'Check DATABASE_URL and the files that it names.';
  return `${address} cannot be opened (${error.message}). ${mend}`;
}

function serversOf(reason: TopologyDescription | undefined) {
  return [...(reason?.servers.values() ?? [])];
}
