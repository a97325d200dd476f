/**
 * The queue (webhooks/queue.ts) in the data file. Each call is one transaction, so the groups need no lock: a group's row says
 * when it may give its next message, which is while one is in flight the end of that one's visibility (QUEUE-4).
 *
 * A deleted message stays as a row without a body until its id may be used again (QUEUE-5).
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../kernel/clock.ts';
import { must } from '../../kernel/assert.ts';
import { LongPoll } from '../../webhooks/long-poll.ts';
import {
  type DeadLetter,
  type DeadLetterPage,
  parseMessage,
  parsePage,
  parseReceive,
  parseRedrive,
  parseVisibility,
  QUEUE_DEDUPE_MS,
  QUEUE_RECEIVE_COUNT_MAX,
  type Queue,
  type QueueCounts,
  type QueueMessage,
  type ReceivedMessage,
  type ReceiveRequest,
  type Sent,
} from '../../webhooks/queue.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';
import { queueStatements } from './queue-statements.ts';
import { translated } from './translate-error.ts';

export interface SqliteQueueOptions {
  readonly database: Database;
  readonly clock: Clock;
  readonly receiveCountMax?: number | undefined;
}

export class SqliteQueue implements Queue {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #receiveCountMax: number;
  readonly #poll: LongPoll;
  readonly #sql: ReturnType<typeof queueStatements>;

  constructor({ database, clock, receiveCountMax = QUEUE_RECEIVE_COUNT_MAX }: SqliteQueueOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#receiveCountMax = receiveCountMax;
    this.#poll = new LongPoll(clock);
    this.#sql = queueStatements(database);
  }

  async send(message: QueueMessage): Promise<Sent> {
    const { id, group, body, delayMs } = parseMessage(message);
    const now = this.#clock.now();
    // QUEUE-1
    const sent = await this.#database.write(() => {
      this.#sql.forget.run(now);
      if (rowOf(this.#sql.known, id) !== undefined) return false;
      this.#enqueue({ id, group, body }, now, now + delayMs);
      return true;
    });
    if (sent) this.#poll.ring();
    return { duplicate: !sent };
  }

  async receive(request: ReceiveRequest): Promise<readonly ReceivedMessage[]> {
    parseReceive(request);
    return this.#poll.receive(request, () => this.#take(request));
  }

  async delete(receipt: string): Promise<boolean> {
    const now = this.#clock.now();
    const outcome = await this.#database.write(() => {
      const row = rowOf(this.#sql.byReceipt, receipt);
      if (row === undefined) return 'stale'; // QUEUE-7
      const [id, group, state] = row as readonly [string, string, string]; // columns of byReceipt
      if (state === 'deleted') return 'again';
      this.#sql.bury.run(now + QUEUE_DEDUPE_MS, id);
      this.#release(group, now);
      return 'deleted';
    });
    if (outcome === 'deleted') this.#poll.ring(); // the next of its group may be waited for
    return outcome !== 'stale';
  }

  async changeVisibility(receipt: string, visibilityMs: number): Promise<boolean> {
    parseVisibility(visibilityMs);
    const changed = await this.#database.write(() => {
      const [, group, state] = rowOf(this.#sql.byReceipt, receipt) ?? [];
      if (state !== 'live') return false; // QUEUE-7
      this.#sql.hold.run(this.#clock.now() + visibilityMs, group as string); // column of byReceipt
      return true;
    });
    if (changed && visibilityMs === 0) this.#poll.ring();
    return changed;
  }

  async deadLetters(page: DeadLetterPage): Promise<readonly DeadLetter[]> {
    parsePage(page);
    const { deadAt, id } = page.after ?? { deadAt: -1, id: '' }; // before all
    return translated(() => rowsOf(this.#sql.deadAfter, deadAt, id, page.limit).map(deadLetterOf));
  }

  async redrive(ids: readonly string[]): Promise<number> {
    parseRedrive(ids);
    const now = this.#clock.now();
    // QUEUE-1
    const count = await this.#database.write(() => {
      let redriven = 0;
      for (const id of ids) {
        const row = rowOf(this.#sql.takeDead, id);
        if (row === undefined) continue;
        const [group, body] = row as readonly [string, string]; // columns of takeDead
        this.#enqueue({ id, group, body }, now, now);
        redriven += 1;
      }
      return redriven;
    });
    if (count > 0) this.#poll.ring();
    return count;
  }

  async counts(): Promise<QueueCounts> {
    return translated(() => {
      const [live, dead, inFlight] = rowOf(this.#sql.count, this.#clock.now()) as readonly number[]; // its columns
      const held = must(inFlight, 'count has three columns');
      return { waiting: must(live, 'so it has') - held, inFlight: held, dead: must(dead, 'so it has') };
    });
  }

  /** Within a transaction. */
  #enqueue({ id, group, body }: QueueMessage, now: number, visibleAt: number): void {
    this.#sql.insert.run(id, group, body, now, visibleAt);
    this.#sql.addGroup.run(group, visibleAt);
  }

  async #take({ max, visibilityMs }: ReceiveRequest): Promise<readonly ReceivedMessage[]> {
    const now = this.#clock.now();
    const dueRows = translated(() => rowsOf(this.#sql.due, now, max)); // most looks find nothing and write nothing
    if (dueRows.length === 0) return [];
    return this.#database.write(() => {
      const taken: ReceivedMessage[] = [];
      for (let due = dueRows; due.length > 0; due = rowsOf(this.#sql.due, now, max - taken.length)) {
        for (const [name] of due) {
          const message = this.#takeFrom(name as string, now, now + visibilityMs); // its one column
          if (message !== undefined) taken.push(message);
        }
        if (taken.length === max) break;
      }
      return taken;
    });
  }

  /** The head of a group that is due. Without one that may be taken, the group is not due afterwards. */
  #takeFrom(group: string, now: number, until: number): ReceivedMessage | undefined {
    for (;;) {
      const row = rowOf(this.#sql.head, group);
      // Columns of head.
      const [id, body, sentAt, visibleAt, count] = (row ?? []) as readonly [
        string,
        string,
        number,
        number,
        number,
      ];
      if (row === undefined || visibleAt > now) {
        this.#release(group, now);
        return undefined;
      }
      if (count >= this.#receiveCountMax) {
        this.#sql.die.run(now, id); // QUEUE-6
        continue;
      }
      const receipt = randomUUID();
      this.#sql.take.run(receipt, now, now, id);
      this.#sql.hold.run(until, group); // QUEUE-4
      return { id, group, body, receipt, receiveCount: count + 1, sentAt }; // QUEUE-2
    }
  }

  /** Nothing of the group is in flight: it is due with its head, behind the groups that are due already; or it is gone. */
  #release(group: string, now: number): void {
    const head = rowOf(this.#sql.head, group);
    if (head === undefined) this.#sql.dropGroup.run(group);
    else this.#sql.unhold.run(Math.max(now, Number(head[3])), group);
  }
}

function deadLetterOf(row: Row): DeadLetter {
  // Columns of deadAfter.
  const [deadAt, id, group, body, receiveCount, sentAt, firstReceivedAt, lastReceivedAt] = row as readonly [
    number,
    string,
    string,
    string,
    number,
    number,
    number,
    number,
  ];
  const times = { sentAt, firstReceivedAt, lastReceivedAt, deadAt };
  return { id, group, body, reason: 'received-too-often', receiveCount, ...times };
}
