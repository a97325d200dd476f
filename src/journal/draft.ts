/**
 * Messages that are being written: the text so far of each model call, in memory only. A draft is forgotten when its message
 * is in the log, and starts again when its call is made again.
 */
import type { RecordedEvent } from './event.ts';

/** A longer message goes on without deltas; its readers get it whole when it lands. */
const DRAFT_CHARS_MAX = 512 * 1024;
/** Calls of one session at a time: the turn's, and one that compacts. More are left over from calls that were cut. */
const DRAFTS_MAX = 4;
/** Calls that have ended, kept so that a late delta does not bring their draft back. */
const ENDED_MAX = 16;

/** A piece of text that goes at `offset` (UTF-16 units) of the message of `callId`. */
export interface Delta {
  readonly callId: string;
  /** 0 starts the message again. */
  readonly offset: number;
  readonly text: string;
}

export interface Draft {
  readonly callId: string;
  readonly text: string;
  /** Another one means that the text does not continue what was there before. */
  readonly generation: number;
}

export class Drafts {
  readonly #drafts = new Map<string, Draft>();
  readonly #ended = new Set<string>();
  #generation = 0;

  get size(): number {
    return this.#drafts.size;
  }

  all(): Iterable<Draft> {
    return this.#drafts.values();
  }

  /** Takes in a delta; answers what is new of it, or undefined when nothing is: doubled, after a gap, or too late. */
  write({ callId, offset, text }: Delta): Delta | undefined {
    if (this.#ended.has(callId) || text === '') return undefined;
    const draft = offset === 0 ? undefined : this.#drafts.get(callId);
    const known = draft?.text ?? '';
    if (offset > known.length) return undefined;
    const added = text.slice(known.length - offset);
    if (added === '') return undefined;
    if (known.length + added.length > DRAFT_CHARS_MAX) {
      this.#end(callId);
      return undefined;
    }
    if (draft === undefined) this.#generation += 1;
    this.#drafts.set(callId, {
      callId,
      text: known + added,
      generation: draft?.generation ?? this.#generation,
    });
    this.#forgetOldest();
    return { callId, offset: known.length, text: added };
  }

  /** Forgets the drafts that these events end. */
  landed(events: readonly RecordedEvent[]): void {
    for (const { type, body } of events) {
      if (type === 'agent.message' || type === 'model.completed') this.#end(callIdOf(body));
      if (type === 'turn.completed' || type === 'brain.lost') this.#drafts.clear();
    }
  }

  clear(): void {
    this.#drafts.clear();
  }

  #end(callId: string): void {
    this.#drafts.delete(callId);
    this.#ended.add(callId);
    for (const oldest of this.#ended) {
      if (this.#ended.size <= ENDED_MAX) return;
      this.#ended.delete(oldest);
    }
  }

  #forgetOldest(): void {
    for (const oldest of this.#drafts.keys()) {
      if (this.#drafts.size <= DRAFTS_MAX) return;
      this.#drafts.delete(oldest);
    }
  }
}

/** Of a body or its preview: ids are whole in both. */
function callIdOf(body: string): string {
  const { callId }: { callId?: unknown } = JSON.parse(body);
  return typeof callId === 'string' ? callId : '';
}
