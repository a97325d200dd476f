/**
 * What the driver throws, in words that say what to do, and the two questions that compare-and-set asks about it. Everything
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
import { DatabaseFailed, DatabaseUnusable } from './faults.ts';

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

// Server error codes (mongodb/mongo, src/mongo/base/error_codes.yml).
const DUPLICATE_KEY = 11_000;
const FAILURES: ReadonlyMap<number, Failure> = new Map([
  ...[6, 7, 89, 9_001].map((code) => [code, NO_ANSWER] as const), // host unreachable, not found, network timeout, socket
  ...[91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436].map((code) => [code, NO_PRIMARY] as const), // stepped down, shutting down
  ...[133, 134].map((code) => [code, NO_PRIMARY] as const), // no member to read from, no majority yet
  ...[50, 262].map((code) => [code, TIMEOUT] as const),
  ...[64, 79, 100].map((code) => [code, NOT_REPLICATED] as const),
  ...[11, 13, 18, 8_000].map((code) => [code, REFUSED] as const),
  ...[10_334, 17_280, 17_419, 17_420].map((code) => [code, TOO_LARGE] as const),
  [14_031, DISK_FULL],
]);
/** Codes after which a write may or may not be there, or may still be rolled back. */
const UNKNOWN_OUTCOME: ReadonlySet<number> = new Set([
  ...[6, 7, 89, 9_001, 91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436, 50, 262, 64, 79, 100],
]);
/** The operating system's word for it comes through in the message of other codes. */
const NO_SPACE = /no space left|out of disk space|ENOSPC/i;

/** The same `_id`, or the same value of a unique index, is there already: this write did nothing. */
export function isDuplicateKey(error: unknown): boolean {
  const cause = driverErrorOf(error);
  return cause instanceof MongoServerError && cause.code === DUPLICATE_KEY;
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
  return typeof cause.code === 'number' && UNKNOWN_OUTCOME.has(cause.code);
}

/** The client was closed: asking again answers the same. */
export function wasClosed(error: unknown): boolean {
  const cause = driverErrorOf(error);
  return cause instanceof MongoError && isClosed(cause);
}

/** An error of a command. Anything that is not the driver's own comes back as it is. */
export function translateError(error: unknown): unknown {
  if (!(error instanceof MongoError)) return error;
  const [reason, sentence] = failureOf(error);
  return new DatabaseFailed(reason, sentence, error);
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
  if (error instanceof MongoServerError && FAILURES.get(Number(error.code)) === REFUSED) {
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
  const known = typeof error.code === 'number' ? FAILURES.get(error.code) : undefined;
  if (known !== undefined) return known;
  if (error instanceof MongoWriteConcernError) return NOT_REPLICATED;
  if (error instanceof MongoServerSelectionError) return isWithoutPrimary(error) ? NO_PRIMARY : NO_ANSWER;
  if (error instanceof MongoNetworkTimeoutError || error instanceof MongoOperationTimeoutError)
    return TIMEOUT;
  if (isNoAnswer(error)) return NO_ANSWER;
  if (isClosed(error)) return CLOSED;
  const reason = error instanceof MongoServerError ? (error.codeName ?? error.code) : error.name;
  return [String(reason ?? error.name), `The database refused a command: ${error.message}.`];
}

/** The error as the driver threw it, also after it was translated. */
function driverErrorOf(error: unknown): unknown {
  return error instanceof DatabaseFailed ? error.cause : error;
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
