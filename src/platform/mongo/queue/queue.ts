/**
 * The queue (webhooks/queue.ts) for those who run without SQS (docs/adr/0014-queue.md). A send is three writes: a place in its
 * group, the message, a word to the group that it is there. A receive claims a group that is due (QUEUE-4) and takes its head (QUEUE-3).
 *
 * A crash between any two writes leaves: a place that nobody has, which is passed over; a message that was not acknowledged,
 * which is received or is sent again (QUEUE-5); a claimed group, which is due again when the visibility ends (QUEUE-2).
 */
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { LongPoll } from '../../../webhooks/long-poll.ts';
import {
  type DeadLetter,
  type DeadLetterPage,
  parseMessage,
  parsePage,
  parseReceive,
  parseRedrive,
  parseVisibility,
  QUEUE_RECEIVE_COUNT_MAX,
  type Queue,
  type QueueCounts,
  type QueueMessage,
  type ReceivedMessage,
  type ReceiveRequest,
  type Sent,
} from '../../../webhooks/queue.ts';
import type { MongoDatabase } from '../database.ts';
import { type Claim, QueueGroups } from './groups.ts';
import { QueueMessages } from './messages.ts';
import { translated } from '../translate-error.ts';

/** Groups that one look may find empty before it gives up until the next: a dead sender's leftover is one each. */
const EMPTY_CLAIMS_MAX = 100;
/** How often a process forgets deleted messages and empty groups: they only take room. */
const SWEEP_MS = 60_000;

export interface MongoQueueOptions {
  readonly database: Pick<MongoDatabase, 'db'>;
  readonly clock?: Clock | undefined;
  readonly receiveCountMax?: number | undefined;
}

/** What a receipt says: the message and the claim that received it. */
interface Receipt extends Claim {
  readonly id: string;
}

interface Taken {
  readonly message: ReceivedMessage;
  readonly until: number;
}

export class MongoQueue implements Queue {
  readonly #clock: Clock;
  readonly #groups: QueueGroups;
  readonly #messages: QueueMessages;
  readonly #poll: LongPoll;
  #sweepAt = 0;

  constructor({
    database,
    clock = systemClock,
    receiveCountMax = QUEUE_RECEIVE_COUNT_MAX,
  }: MongoQueueOptions) {
    this.#clock = clock;
    this.#groups = new QueueGroups(database.db);
    this.#messages = new QueueMessages(database.db, receiveCountMax);
    this.#poll = new LongPoll(clock);
  }

  async send(given: QueueMessage): Promise<Sent> {
    const { delayMs, ...message } = parseMessage(given);
    return translated(() => this.#send(message, delayMs));
  }

  async receive(request: ReceiveRequest): Promise<readonly ReceivedMessage[]> {
    parseReceive(request);
    return translated(() => this.#poll.receive(request, () => this.#look(request)));
  }

  async delete(text: string): Promise<boolean> {
    const receipt = receiptOf(text);
    if (receipt === undefined) return false;
    return translated(() => this.#delete(receipt));
  }

  async changeVisibility(text: string, visibilityMs: number): Promise<boolean> {
    parseVisibility(visibilityMs);
    const receipt = receiptOf(text);
    if (receipt === undefined) return false;
    const until = this.#clock.now() + visibilityMs;
    const changed = await translated(() => this.#groups.hold(receipt, until)); // QUEUE-7
    if (changed && visibilityMs === 0) this.#poll.ring();
    return changed;
  }

  async deadLetters(page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    parsePage(page);
    return translated(() => this.#messages.deadLetters(page));
  }

  async redrive(ids: readonly string[]): Promise<number> {
    parseRedrive(ids);
    return translated(() => this.#redrive(ids));
  }

  async counts(): Promise<QueueCounts> {
    const [live, dead, inFlight] = await translated(() =>
      Promise.all([
        this.#messages.count('live'),
        this.#messages.count('dead'),
        this.#groups.countHeld(this.#clock.now()),
      ]),
    );
    return { waiting: Math.max(0, live - inFlight), inFlight, dead };
  }

  async #send(message: QueueMessage, delayMs: number): Promise<Sent> {
    const now = this.#clock.now();
    const number = await this.#groups.number(message.group, now);
    const known = await this.#messages.insert(message, { number, now, visibleAt: now + delayMs });
    // The sender of one that is known may have died before it told the group.
    if (known === undefined || known.state === 'live') {
      const { group, visibleAt } = known ?? { group: message.group, visibleAt: now + delayMs };
      await this.#groups.wake(group, visibleAt, now);
      this.#poll.ring();
    }
    return { duplicate: known !== undefined };
  }

  async #delete(receipt: Receipt): Promise<boolean> {
    const now = this.#clock.now();
    const [buried, nextAt] = await Promise.all([
      this.#messages.bury(receipt.id, receipt, now),
      this.#messages.nextAt(receipt.group, receipt.id),
    ]);
    if (!buried) return false; // QUEUE-7
    await this.#groups.release(receipt, nextAt, now);
    this.#poll.ring(); // the next of its group may be waited for
    return true;
  }

  /** One after the other: their order is the caller's. */
  async #redrive(ids: readonly string[]): Promise<number> {
    let redriven = 0;
    for (const id of ids) {
      const message = await this.#messages.get(id);
      if (message === undefined || message.state === 'deleted') continue;
      const now = this.#clock.now();
      const number = await this.#groups.number(message.group, now);
      if (await this.#messages.revive(id, number, now)) redriven += 1;
      // Also when it lives already: whoever revived it may have died before it told the group.
      await this.#groups.wake(message.group, now, now);
    }
    if (redriven > 0) this.#poll.ring();
    return redriven;
  }

  async #look(request: ReceiveRequest): Promise<readonly ReceivedMessage[]> {
    await this.#sweep();
    const first = await this.#take(request);
    if (first === undefined) return [];
    const more = await Promise.allSettled(Array.from({ length: request.max - 1 }, () => this.#take(request)));
    // A failure among them does not take back what the others hold; it meets the next receive as well.
    const taken = [first, ...more.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []))];
    // QUEUE-4: what took longer than its own visibility is lost, and may be in other hands.
    const now = this.#clock.now();
    return taken.filter(({ until }) => now < until).map(({ message }) => message);
  }

  async #take({ visibilityMs }: ReceiveRequest): Promise<Taken | undefined> {
    for (let claims = 0; claims < EMPTY_CLAIMS_MAX; claims += 1) {
      const now = this.#clock.now();
      const until = now + visibilityMs;
      const claim = await this.#groups.claim(now, until);
      if (claim === undefined) return undefined;
      const message = await this.#takeFrom(claim, now);
      if (message !== undefined) return { message, until };
    }
    return undefined;
  }

  async #takeFrom(claim: Claim, now: number): Promise<ReceivedMessage | undefined> {
    for (;;) {
      const head = await this.#messages.takeHead(claim, now);
      if (head?.state === 'dead') continue; // QUEUE-6: the next one
      if (head?.fence === claim.version) {
        const { _id: id, group, body, receiveCount, sentAt } = head;
        return { id, group, body, receipt: textOf({ ...claim, id }), receiveCount, sentAt };
      }
      // Empty or delayed; or overtaken, and then the release changes nothing.
      await this.#groups.release(claim, head?.visibleAt, now);
      return undefined;
    }
  }

  async #sweep(): Promise<void> {
    const now = this.#clock.now();
    if (now < this.#sweepAt) return;
    this.#sweepAt = now + SWEEP_MS;
    await this.#messages.forgetDeleted(now);
    await this.#groups.forgetEmpty(now);
  }
}

function textOf({ group, version, id }: Receipt): string {
  return Buffer.from(`${version} ${group} ${id}`).toString('base64url'); // neither group nor id has a space
}

/** Undefined for what was never a receipt of ours. */
function receiptOf(text: string): Receipt | undefined {
  const [version, group, id, ...more] = Buffer.from(text, 'base64url').toString().split(' ');
  if (group === undefined || id === undefined || more.length > 0) return undefined;
  const claim = Number(version);
  return Number.isSafeInteger(claim) && claim > 0 ? { version: claim, group, id } : undefined; // 0 is nobody's
}
