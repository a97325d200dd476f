/**
 * The log as this brain has read it so far, and waits on it. The reader calls `absorb` while steps are being performed,
 * so a message that arrives in the middle of a model call is known at once.
 */
import type { Assignment, UnitEvents } from '../sessions/unit-wire.ts';
import { Conversation } from './conversation.ts';
import type { Unit } from './unit.ts';

export class LogView {
  readonly conversation: Conversation;
  readonly #listeners = new Set<() => void>();
  readonly #assignment: Assignment;
  #caughtUp = false;

  constructor(assignment: Assignment) {
    this.conversation = new Conversation(assignment);
    this.#assignment = assignment;
  }

  /** True once everything that was in the log when the brain came has been read. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** Reads the log from where the brain begins, and goes on as `unit.follow` does. */
  async read(unit: Pick<Unit, 'read' | 'follow'>, signal: AbortSignal): Promise<void> {
    const { wake } = this.#assignment;
    const { conversation } = this;
    if (wake !== undefined) {
      const absorb = ({ events }: UnitEvents): void => {
        for (const event of events) conversation.absorb(event);
      };
      if (wake.beginningTo > 0) await unit.read(0, wake.beginningTo, absorb, signal);
      conversation.begin(wake, this.#assignment);
    }
    await unit.follow(conversation.head, (batch) => this.absorb(batch), signal);
  }

  absorb(batch: UnitEvents): void {
    for (const event of batch.events) this.conversation.absorb(event);
    // Who reads the log for us may be behind and not know it: our own lease is in it, and was before we came.
    const { head, session } = this.conversation;
    if (head >= batch.head && session.epoch >= this.#assignment.epoch) this.#caughtUp = true;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls back after each batch, until the function that it answers is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when `holds` does, or `signal` aborts; never rejects. */
  until(holds: () => boolean, signal: AbortSignal): Promise<void> {
    if (holds() || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const check = (): void => {
        if (!holds() && !signal.aborted) return;
        unsubscribe();
        signal.removeEventListener('abort', check);
        resolve();
      };
      const unsubscribe = this.onChange(check);
      signal.addEventListener('abort', check, { once: true });
    });
  }
}
