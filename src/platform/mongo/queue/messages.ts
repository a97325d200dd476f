/**
 * One document per message of the queue, with its id as `_id`, so that it is known once (QUEUE-5) in whatever state it is. A message
 * changes its state by one write: it is live, dead or deleted, never two of them and never none.
 *
 * `fence` is the version of the claim (queue-groups.ts) that received it last. A receiver that was overtaken comes with a lower
 * one and gets nothing.
 */
import type { Collection, Db } from 'mongodb';
import {
  type DeadLetter,
  type DeadLetterPage,
  QUEUE_DEDUPE_MS,
  type QueueMessage,
} from '../../../webhooks/queue.ts';
import type { Claim } from './groups.ts';
import { isDuplicateKey } from '../translate-error.ts';

/** The primary as it is: an answer that may be older could call a group empty that is not. */
const NEWEST = { readConcern: { level: 'local' } } as const;

export interface MessageDocument {
  readonly _id: string;
  readonly group: string;
  readonly number: number;
  readonly body: string;
  readonly state: 'live' | 'dead' | 'deleted';
  readonly sentAt: number;
  readonly visibleAt: number;
  readonly fence: number;
  readonly receiveCount: number;
  /** 0 before it was received. */
  readonly firstReceivedAt: number;
  readonly lastReceivedAt: number;
  /** When it died; when a deleted one may be forgotten; 0 while it lives. */
  readonly doneAt: number;
}

export class QueueMessages {
  readonly #messages: Collection<MessageDocument>;
  readonly #receiveCountMax: number;

  constructor(db: Db, receiveCountMax: number) {
    this.#messages = db.collection('queue_message');
    this.#receiveCountMax = receiveCountMax;
  }

  /** Answers undefined when it was written, else the message of that id that is there. */
  async insert(
    message: QueueMessage,
    place: { readonly number: number; readonly now: number; readonly visibleAt: number },
  ): Promise<MessageDocument | undefined> {
    const { id, group, body } = message;
    const { now, ...where } = place;
    const document = { _id: id, group, body, ...where, sentAt: now, ...UNTOUCHED };
    for (;;) {
      try {
        await this.#messages.insertOne(document);
        return undefined;
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
      const known = await this.#messages.findOne({ _id: id }, NEWEST);
      if (known === null) continue; // forgotten since: each turn of this loop takes another writer's step
      if (known.state !== 'deleted' || known.doneAt > now) return known;
      const { doneAt } = known;
      const { matchedCount } = await this.#messages.replaceOne(
        { _id: id, state: 'deleted', doneAt },
        document,
      );
      if (matchedCount === 1) return undefined;
    }
  }

  /** The head of the claimed group after the claim has taken it, or killed it (QUEUE-6), or left it as it was. */
  async takeHead({ group, version }: Claim, now: number): Promise<MessageDocument | undefined> {
    const isAhead = { $lt: ['$fence', version] };
    const isSpent = { $gte: ['$receiveCount', this.#receiveCountMax] };
    const dies = { $and: [isAhead, isSpent] };
    const taken = { $and: [isAhead, { $not: [isSpent] }, { $lte: ['$visibleAt', now] }] };
    const isFirst = { $eq: ['$firstReceivedAt', 0] };
    const head = await this.#messages.findOneAndUpdate(
      { group, state: 'live' },
      [
        {
          $set: {
            fence: { $cond: [taken, version, '$fence'] },
            receiveCount: { $cond: [taken, { $add: ['$receiveCount', 1] }, '$receiveCount'] },
            firstReceivedAt: { $cond: [{ $and: [taken, isFirst] }, now, '$firstReceivedAt'] },
            lastReceivedAt: { $cond: [taken, now, '$lastReceivedAt'] },
            state: { $cond: [dies, 'dead', '$state'] },
            doneAt: { $cond: [dies, now, '$doneAt'] },
          },
        },
      ],
      { sort: { number: 1 }, returnDocument: 'after' },
    );
    return head ?? undefined;
  }

  /** Deletes what this claim received. False when another received it since, or it is dead. */
  async bury(id: string, { version }: Claim, now: number): Promise<boolean> {
    const { matchedCount } = await this.#messages.updateOne(
      { _id: id, fence: version, state: { $in: ['live', 'deleted'] } },
      { $set: { state: 'deleted', body: '', doneAt: now + QUEUE_DEDUPE_MS } },
    );
    return matchedCount === 1;
  }

  /** When the next message of the group besides `id` is visible. */
  async nextAt(group: string, id: string): Promise<number | undefined> {
    const next = await this.#messages.findOne(
      { group, state: 'live', _id: { $ne: id } },
      { sort: { number: 1 }, projection: { visibleAt: 1 }, ...NEWEST },
    );
    return next?.visibleAt;
  }

  async get(id: string): Promise<MessageDocument | undefined> {
    return (await this.#messages.findOne({ _id: id }, NEWEST)) ?? undefined;
  }

  /** A dead message lives again, at that place. */
  async revive(id: string, number: number, now: number): Promise<boolean> {
    const { matchedCount } = await this.#messages.updateOne(
      { _id: id, state: 'dead' },
      { $set: { number, sentAt: now, visibleAt: now, ...UNTOUCHED } },
    );
    return matchedCount === 1;
  }

  async deadLetters({ limit, after }: DeadLetterPage): Promise<readonly DeadLetter[]> {
    const { deadAt, id } = after ?? { deadAt: -1, id: '' }; // before all
    const documents = await this.#messages
      .find({ state: 'dead', $or: [{ doneAt: deadAt, _id: { $gt: id } }, { doneAt: { $gt: deadAt } }] })
      .sort({ doneAt: 1, _id: 1 })
      .limit(limit)
      .toArray();
    return documents.map(deadLetterOf);
  }

  async count(state: 'live' | 'dead'): Promise<number> {
    return this.#messages.countDocuments({ state });
  }

  async forgetDeleted(now: number): Promise<void> {
    await this.#messages.deleteMany({ state: 'deleted', doneAt: { $gte: 0, $lte: now } });
  }
}

/** As if it had never been received. */
const UNTOUCHED = {
  state: 'live',
  fence: 0,
  receiveCount: 0,
  firstReceivedAt: 0,
  lastReceivedAt: 0,
  doneAt: 0,
} as const;

function deadLetterOf(document: MessageDocument): DeadLetter {
  const { _id, group, body, receiveCount, sentAt, firstReceivedAt, lastReceivedAt, doneAt } = document;
  const times = { sentAt, firstReceivedAt, lastReceivedAt, deadAt: doneAt };
  return { id: _id, group, body, reason: 'received-too-often', receiveCount, ...times };
}
