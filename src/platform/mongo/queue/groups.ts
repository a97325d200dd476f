/**
 * One document per group of the queue: the lock that keeps its messages apart and in order. Every write to it is one
 * compare-and-set.
 *
 * `version` goes up with every send, wake and claim. A send's place in the group is a version, a claim's fence is one, and a
 * group may be called empty only by a claim that no send has come after. It starts at the time, so a group that was
 * forgotten goes on above what it had.
 * `dueAt` is when somebody should look for a message: NEVER in an empty group, the end of the visibility while one is in flight.
 * `held` is the claim of the message in flight, or 0.
 */
import type { Collection, Db } from 'mongodb';
import { must } from '../../../kernel/assert.ts';
import { isDuplicateKey } from '../translate-error.ts';

/** Larger than every time. */
const NEVER = Number.MAX_SAFE_INTEGER;
/** Sends, wakes and claims of one group in a millisecond: far more than a server can do. */
const VERSIONS_PER_MS = 1_024;
/** A sender that is not back by then is taken for dead: what it may have left behind is looked for. */
const SEND_GRACE_MS = 5_000;
/** An empty group is forgotten after a day: one comes into being for every session and destination. */
const EMPTY_KEPT_MS = 86_400_000;
/** The primary as it is: what an older answer does not show yet waits for the next poll. */
const NEWEST = { readConcern: { level: 'local' } } as const;

interface GroupDocument {
  readonly _id: string;
  readonly version: number;
  readonly dueAt: number;
  readonly held: number;
  readonly touchedAt: number;
}

export interface Claim {
  readonly group: string;
  readonly version: number;
}

export class QueueGroups {
  readonly #groups: Collection<GroupDocument>;

  constructor(db: Db) {
    this.#groups = db.collection('queue_group');
  }

  /** The place of a message that is about to be written. Nothing depends on its being used. */
  async number(group: string, now: number): Promise<number> {
    return this.#touch(group, now + SEND_GRACE_MS, now);
  }

  /** A message was written: whoever finds the group empty from now on has to look again. */
  async wake(group: string, visibleAt: number, now: number): Promise<void> {
    await this.#touch(group, visibleAt, now);
  }

  /**
   * The group that has been due for longest is the caller's until then. Whoever polls an idle queue only reads, of the index
   * alone: also a write that finds nothing to change waits for a majority.
   */
  async claim(now: number, until: number): Promise<Claim | undefined> {
    const isDue = { dueAt: { $gte: 0, $lte: now } };
    if ((await this.#groups.findOne(isDue, { projection: { _id: 0, dueAt: 1 }, ...NEWEST })) === null)
      return undefined;
    const document = await this.#groups.findOneAndUpdate(
      isDue,
      [
        {
          $set: {
            version: { $add: ['$version', 1] },
            held: { $add: ['$version', 1] },
            dueAt: until,
            touchedAt: now,
          },
        },
      ],
      { sort: { dueAt: 1 }, returnDocument: 'after' },
    );
    return document === null ? undefined : { group: document._id, version: document.version };
  }

  /** Holds on until then. False when the claim is not the last. */
  async hold({ group, version }: Claim, until: number): Promise<boolean> {
    const { matchedCount } = await this.#groups.updateOne(
      { _id: group, held: version },
      { $set: { dueAt: until } },
    );
    return matchedCount === 1;
  }

  /**
   * Gives the group back; `nextAt` is when its next message is visible, undefined when none was seen since the claim.
   * It goes behind the groups that are due already, so a long one does not starve the others.
   */
  async release({ group, version }: Claim, nextAt: number | undefined, now: number): Promise<void> {
    if (nextAt === undefined) {
      const { matchedCount } = await this.#groups.updateOne(
        { _id: group, held: version, version },
        { $set: { dueAt: NEVER, held: 0 } },
      );
      if (matchedCount === 1) return;
    }
    await this.#groups.updateOne(
      { _id: group, held: version },
      { $set: { dueAt: Math.max(now, nextAt ?? now), held: 0 } },
    );
  }

  async countHeld(now: number): Promise<number> {
    return this.#groups.countDocuments({ dueAt: { $gt: now, $lt: NEVER }, held: { $gt: 0 } });
  }

  async forgetEmpty(now: number): Promise<void> {
    await this.#groups.deleteMany({ dueAt: NEVER, touchedAt: { $gte: 0, $lte: now - EMPTY_KEPT_MS } });
  }

  /** One version up, and due then at the latest unless a message is in flight. Answers the version. */
  async #touch(group: string, lookAt: number, now: number): Promise<number> {
    const held = { $ifNull: ['$held', 0] };
    const dueAt = { $ifNull: ['$dueAt', NEVER] };
    const version = { $add: [{ $ifNull: ['$version', now * VERSIONS_PER_MS] }, 1] };
    const sooner = { $cond: [{ $gt: [held, 0] }, dueAt, { $min: [dueAt, lookAt] }] };
    const write = () =>
      this.#groups.findOneAndUpdate(
        { _id: group },
        [{ $set: { version, held, dueAt: sooner, touchedAt: now } }],
        { upsert: true, returnDocument: 'after', projection: { version: 1 } },
      );
    // The first two of a group may meet: the one that lost is told of a duplicate key, or of nothing. The group is there then.
    const document = await write().catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error;
      return null;
    });
    return must(document ?? (await write()), 'an upsert answers what it wrote').version;
  }
}
