/**
 * A load on a queue that judges it: senders and receivers at once, receivers that die with a message in their hands or come
 * back too late. Every receive is held against what is known of its group (webhooks/queue.ts: QUEUE-1 to QUEUE-4).
 */
import { systemClock } from '../../src/kernel/clock.ts';
import { QUEUE_RECEIVE_MAX, type Queue, type ReceivedMessage } from '../../src/webhooks/queue.ts';
import type { Random } from './random.ts';

const VISIBILITY_MS = 1_500;
const WAIT_MS = 200;
const AGAIN_MS = 50;
/** One in a hundred sleeps until its visibility is over, and deletes then. */
const TOO_LATE = 99;

export interface QueueLoad {
  readonly queues: readonly Queue[];
  readonly random: Random;
  readonly groups: number;
  readonly messagesEach: number;
  readonly receivers: number;
  /** In a hundred receives. */
  readonly crashes: number;
  /** Whether an error of the queue is expected now: it is met by trying again. */
  readonly forgives?: ((error: unknown) => boolean) | undefined;
  /** Called after each acknowledged delete. */
  readonly onDeleted?: ((deleted: number) => void) | undefined;
}

interface GroupState {
  /** Their delete was acknowledged. */
  readonly deleted: Set<number>;
  /** Their delete is on its way: the one after it may be out already. */
  readonly deleting: Set<number>;
  /** Nobody gets another message before then, unless `held` is let go. */
  heldUntil: number;
  held: number;
}

export interface QueueLoadReport {
  readonly received: number;
  readonly crashed: number;
  readonly violations: readonly string[];
}

export async function loadQueue(load: QueueLoad): Promise<QueueLoadReport> {
  const judge = new Judge(load);
  await Promise.all([
    ...Array.from({ length: load.groups }, (_, group) => sendAll(load, group)),
    ...Array.from({ length: load.receivers }, (_, at) => receiveAll(load, at, judge)),
  ]);
  return { received: judge.received, crashed: judge.crashed, violations: judge.violations };
}

async function sendAll(load: QueueLoad, group: number): Promise<void> {
  for (let number = 0; number < load.messagesEach; number += 1) {
    const message = { id: `${group}/${number}`, group: `group-${group}`, body: `${number}` };
    await insisting(load, () => queueAt(load, group + number).send(message));
  }
}

async function receiveAll(load: QueueLoad, at: number, judge: Judge): Promise<void> {
  const queue = queueAt(load, at);
  while (!judge.isDone()) {
    const askedAt = Date.now();
    const request = {
      max: 1 + load.random.below(QUEUE_RECEIVE_MAX),
      visibilityMs: VISIBILITY_MS,
      waitMs: WAIT_MS,
    };
    const messages = await insisting(load, () => queue.receive(request));
    for (const message of messages) judge.onReceived(message, askedAt);
    for (const message of messages) {
      const fate = load.random.below(100);
      if (fate < load.crashes) {
        judge.crashed += 1;
        continue;
      }
      if (fate === TOO_LATE) await systemClock.sleep(VISIBILITY_MS);
      await judge.delete(message, () => insisting(load, () => queue.delete(message.receipt)));
    }
  }
}

function queueAt({ queues }: QueueLoad, at: number): Queue {
  return queues[at % queues.length] as Queue; // within
}

/** Tries again what failed for a reason that is expected. */
async function insisting<T>({ forgives }: QueueLoad, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (forgives?.(error) !== true) throw error;
      await systemClock.sleep(AGAIN_MS);
    }
  }
}

class Judge {
  readonly violations: string[] = [];
  received = 0;
  crashed = 0;
  readonly #load: QueueLoad;
  readonly #groups = new Map<string, GroupState>();
  #deleted = 0;

  constructor(load: QueueLoad) {
    this.#load = load;
  }

  isDone(): boolean {
    return this.#deleted >= this.#load.groups * this.#load.messagesEach || this.violations.length > 0;
  }

  /** The claim was made between `askedAt` and now, so the hold lasts until `askedAt` and the visibility at least. */
  onReceived({ group, id, body }: ReceivedMessage, askedAt: number): void {
    this.received += 1;
    const state = this.#of(group);
    const number = Number(body);
    const isLetGo = state.deleted.has(state.held) || state.deleting.has(state.held);
    const before = Array.from({ length: number }, (_, at) => at).find(
      (at) => !state.deleted.has(at) && !state.deleting.has(at),
    );
    if (state.deleted.has(number)) this.violations.push(`${id} was received after it was deleted`);
    if (before !== undefined) this.violations.push(`${id} was received before ${before}`);
    if (Date.now() < state.heldUntil && !isLetGo)
      this.violations.push(`${id} was received while ${state.held} was held`);
    state.heldUntil = askedAt + VISIBILITY_MS;
    state.held = number;
  }

  async delete({ group, body }: ReceivedMessage, work: () => Promise<boolean>): Promise<void> {
    const { deleted, deleting } = this.#of(group);
    const number = Number(body);
    deleting.add(number);
    if (await work()) {
      deleted.add(number);
      this.#deleted += 1;
      this.#load.onDeleted?.(this.#deleted);
    } else {
      deleting.delete(number); // it came too late; whoever has it now deletes it
    }
  }

  #of(group: string): GroupState {
    const state = this.#groups.get(group) ?? {
      deleted: new Set<number>(),
      deleting: new Set<number>(),
      heldUntil: 0,
      held: -1,
    };
    this.#groups.set(group, state);
    return state;
  }
}
