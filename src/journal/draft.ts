/**
 * What is being written: the message and the thinking so far of each model call, apart, in memory only. A draft is forgotten when
 * the message of its call is in the log, also one that was cut, and starts again when its call is made again.
 */
import type { RecordedEvent } from './event.ts';

/** A longer text goes on without deltas; its readers get it whole when it lands. */
const DRAFT_CHARS_MAX = 512 * 1024;
/** Two of each call; of one session at a time: the turn's call, and one that compacts. More are left over from calls that were cut. */
const DRAFTS_MAX = 8;
/** Drafts that have ended, kept so that a late delta does not bring them back. */
const ENDED_MAX = 32;

const DRAFT_KINDS = ['message', 'thinking'] as const;
/** What a model writes in a call; each has offsets of its own. */
export type DraftKind = (typeof DRAFT_KINDS)[number];

/** A piece of text that goes at `offset` (UTF-16 units) of the message, or of the thinking, of `callId`. */
export interface Delta {
  readonly callId: string;
  /** Default: message. */
  readonly kind?: DraftKind | undefined;
  /** 0 starts the text again. */
  readonly offset: number;
  readonly text: string;
}

export interface Draft {
  readonly callId: string;
  readonly kind: DraftKind;
  readonly text: string;
  /** Another one means that the text does not continue what was there before. */
  readonly generation: number;
}

/** A delta on its way to readers. */
export interface DeltaFrame {
  /** delta: of the message. thinking: of the thinking. */
  readonly kind: 'delta' | 'thinking';
  readonly callId: string;
  readonly offset: number;
  readonly text: string;
}

export function frameOf({ kind, callId, offset, text }: Delta): DeltaFrame {
  return { kind: kind === 'thinking' ? 'thinking' : 'delta', callId, offset, text };
}

/** Tells apart the texts of all calls. */
export function draftKey({ kind = 'message', callId }: Pick<Delta, 'kind' | 'callId'>): string {
  return `${kind}/${callId}`;
}

export class Drafts {
  /** By draftKey, and so is #ended. */
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
  write({ callId, kind = 'message', offset, text }: Delta): Delta | undefined {
    const key = draftKey({ kind, callId });
    if (this.#ended.has(key) || text === '') return undefined;
    const draft = offset === 0 ? undefined : this.#drafts.get(key);
    const known = draft?.text ?? '';
    if (offset > known.length) return undefined;
    const added = text.slice(known.length - offset);
    if (added === '') return undefined;
    if (known.length + added.length > DRAFT_CHARS_MAX) {
      this.#end(key);
      return undefined;
    }
    if (draft === undefined) this.#generation += 1;
    this.#drafts.set(key, {
      callId,
      kind,
      text: known + added,
      generation: draft?.generation ?? this.#generation,
    });
    this.#forgetOldest();
    return { callId, kind, offset: known.length, text: added };
  }

  /** Forgets the drafts that these events end. A call that begins again, after a crash or by another model, is written again. */
  landed(events: readonly RecordedEvent[]): void {
    for (const { type, body } of events) {
      if (type === 'brain.started') this.#ended.clear(); // it goes on with the calls of the brain before it
      if (type === 'model.started') this.#beginCall(callIdOf(body));
      if (type === 'agent.message' || type === 'model.completed') this.#endCall(callIdOf(body));
      if (type === 'turn.completed' || type === 'brain.lost') this.#drafts.clear();
    }
  }

  clear(): void {
    this.#drafts.clear();
  }

  /** Its drafts stay: in another process than the brain's, this event may come after its first deltas. */
  #beginCall(callId: string): void {
    for (const kind of DRAFT_KINDS) this.#ended.delete(draftKey({ kind, callId }));
  }

  /** Its thinking came before its message, and is over with it. */
  #endCall(callId: string): void {
    for (const kind of DRAFT_KINDS) this.#end(draftKey({ kind, callId }));
  }

  #end(key: string): void {
    this.#drafts.delete(key);
    this.#ended.add(key);
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
