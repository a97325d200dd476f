/**
 * The port of the queue between the relay and the courier, in the words of SQS FIFO. What is waited on may take days:
 * a queue lasts like the journal does.
 *
 * QUEUE-1 durable   `send` and `redrive` answer when a crash cannot take the message back.
 * QUEUE-2 at least once   a message is received again, with a count one higher, when its visibility ends before it is deleted.
 * QUEUE-3 in order  messages of a group, sent one after the other was acknowledged, are received in that order. Sends at the
 *    same time are in some order; a redriven message goes to the end. A delayed message holds back those after it.
 * QUEUE-4 one hand  a group with a message in flight gives no other until that one is deleted, dead or visible again; groups
 *    do not wait for each other. Processes whose clocks differ see a visibility end that much earlier or later.
 * QUEUE-5 once      an id that is sent again is one message: as long as the message waits or is in flight, and for
 *    QUEUE_DEDUPE_MS after the send. Our adapters know it longer: also dead, and QUEUE_DEDUPE_MS after the delete.
 * QUEUE-6 dead      a message that was received `receiveCountMax` times is a dead letter at the next receive, and holds nobody up.
 * QUEUE-7 current   a receipt counts until the message is received again; after that it changes nothing and answers false.
 *
 * Adapters: platform/sqlite, platform/mongo. Contract: test/contracts/queue.ts.
 */
import { InvalidInput } from '../kernel/fault.ts';
import { parseCount } from '../kernel/parse.ts';

const KIB = 1024;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A message's body (SQS's classic figure): larger things are named in it, not put into it. */
export const QUEUE_BODY_BYTES_MAX = 256 * KIB;
/** Ids and groups are indexed, and SQS takes no longer ones. */
export const QUEUE_NAME_CHARS_MAX = 128;
/** Messages of one receive: SQS gives no more. */
export const QUEUE_RECEIVE_MAX = 10;
/** Longest visibility and thereby the longest step of a retry schedule (SQS's figure). */
export const QUEUE_VISIBILITY_MS_MAX = 12 * HOUR_MS;
/** Longest delay of a send (SQS's figure). */
export const QUEUE_DELAY_MS_MAX = 15 * MINUTE_MS;
/** Longest poll (SQS's figure): proxies and failovers end longer ones anyway. */
export const QUEUE_WAIT_MS_MAX = 20 * SECOND_MS;
/** QUEUE-5: how long an id is known at least (SQS's figure): a sender that is not sure tries again sooner than that. */
export const QUEUE_DEDUPE_MS = 5 * MINUTE_MS;
/** QUEUE-6 where nobody says otherwise: a retry schedule of some days fits in. */
export const QUEUE_RECEIVE_COUNT_MAX = 12;
/** Dead letters of one page and of one redrive. */
export const QUEUE_PAGE_MAX = 100;

/** What SQS takes: letters, digits and punctuation of ASCII. */
const NAME = /^[!-~]+$/;
/** What SQS refuses (not in XML 1.0): JSON escapes most of it, so nobody misses it. */
// oxlint-disable-next-line no-control-regex -- naming them is the point.
const UNSENDABLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;

export interface QueueMessage {
  /** QUEUE-5. The sender's name for it, the same when it tries again. */
  readonly id: string;
  /** QUEUE-3, QUEUE-4. */
  readonly group: string;
  readonly body: string;
  /** Not received before this many milliseconds have passed. */
  readonly delayMs?: number | undefined;
}

export interface Sent {
  /** True when the id was known: nothing was sent now (QUEUE-5). */
  readonly duplicate: boolean;
}

export interface ReceiveRequest {
  /** At most this many messages, each of another group. */
  readonly max: number;
  /** How long nobody else receives them. */
  readonly visibilityMs: number;
  /** When there is nothing, wait so long for something. A send in this process ends the wait at once. */
  readonly waitMs?: number | undefined;
  /** Ends the wait. What was taken by then is answered all the same. */
  readonly signal?: AbortSignal | undefined;
}

export interface ReceivedMessage {
  readonly id: string;
  readonly group: string;
  readonly body: string;
  /** Names this receive (QUEUE-7); opaque. */
  readonly receipt: string;
  /** 1 at the first time. */
  readonly receiveCount: number;
  /** When it was sent or redriven, by the clock of the sender. */
  readonly sentAt: number;
}

/** A place in the list of dead letters; a dead letter is the place after itself. */
export interface DeadLetterPlace {
  readonly deadAt: number;
  readonly id: string;
}

export interface DeadLetter extends DeadLetterPlace {
  readonly group: string;
  readonly body: string;
  /** QUEUE-6 is the only way there; a word all the same, for whoever reads the list. */
  readonly reason: 'received-too-often';
  readonly receiveCount: number;
  readonly sentAt: number;
  readonly firstReceivedAt: number;
  readonly lastReceivedAt: number;
}

export interface DeadLetterPage {
  readonly limit: number;
  readonly after?: DeadLetterPlace | undefined;
}

/** Each is right when nothing moves, and near it otherwise. */
export interface QueueCounts {
  /** Delayed ones and those behind a message in flight are among them. */
  readonly waiting: number;
  readonly inFlight: number;
  readonly dead: number;
}

/** Bad input throws InvalidInput and changes nothing. */
export interface Queue {
  send(message: QueueMessage): Promise<Sent>;

  /** Those that have waited longest for their turn first. Empty when there was nothing in all of `waitMs`. */
  receive(request: ReceiveRequest): Promise<readonly ReceivedMessage[]>;

  /** False when the receipt is not current (QUEUE-7). True again when it is said twice. */
  delete(receipt: string): Promise<boolean>;

  /** Visible again after so many milliseconds from now; 0 gives it back. False when the receipt is not current (QUEUE-7). */
  changeVisibility(receipt: string, visibilityMs: number): Promise<boolean>;

  /** Oldest death first. */
  deadLetters(page: DeadLetterPage): Promise<readonly DeadLetter[]>;

  /**
   * Sends these dead letters again, in the order given, each to the end of its group with a count of 0. Answers how many
   * went; ids that are not dead are passed over. At most QUEUE_PAGE_MAX ids.
   */
  redrive(ids: readonly string[]): Promise<number>;

  counts(): Promise<QueueCounts>;
}

/** Checks what every adapter must refuse; answers the message with its delay. */
export function parseMessage({
  id,
  group,
  body,
  delayMs = 0,
}: QueueMessage): QueueMessage & { delayMs: number } {
  parseName('id', id);
  parseName('group', group);
  const bytes = Buffer.byteLength(body);
  if (bytes < 1 || bytes > QUEUE_BODY_BYTES_MAX) {
    throw new InvalidInput('body', `expected 1 to ${QUEUE_BODY_BYTES_MAX} bytes, got ${bytes}.`);
  }
  if (UNSENDABLE.test(body) || !body.isWellFormed()) {
    throw new InvalidInput('body', 'expected text without control characters and lone surrogates.');
  }
  parseCount('delayMs', delayMs, 0, QUEUE_DELAY_MS_MAX);
  return { id, group, body, delayMs };
}

/** Checks what every adapter must refuse. */
export function parseReceive({ max, visibilityMs, waitMs }: ReceiveRequest): void {
  parseCount('max', max, 1, QUEUE_RECEIVE_MAX);
  parseCount('visibilityMs', visibilityMs, 1, QUEUE_VISIBILITY_MS_MAX);
  parseCount('waitMs', waitMs, 0, QUEUE_WAIT_MS_MAX);
}

export function parseVisibility(visibilityMs: number): void {
  parseCount('visibilityMs', visibilityMs, 0, QUEUE_VISIBILITY_MS_MAX);
}

export function parsePage({ limit }: DeadLetterPage): void {
  parseCount('limit', limit, 1, QUEUE_PAGE_MAX);
}

export function parseRedrive(ids: readonly string[]): void {
  parseCount('ids', ids.length, 0, QUEUE_PAGE_MAX);
}

function parseName(field: string, name: string): void {
  if (name.length > QUEUE_NAME_CHARS_MAX || !NAME.test(name)) {
    throw new InvalidInput(
      field,
      `expected 1 to ${QUEUE_NAME_CHARS_MAX} visible ASCII characters without spaces.`,
    );
  }
}
