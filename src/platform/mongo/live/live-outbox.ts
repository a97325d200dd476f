/**
 * What this process has to tell the others and has not sent yet, and the document it is sent in.
 *
 * OUTBOX-1 Of a session only the newest head waits, or that it is gone; deltas of one message, or of one call's thinking, that continue each other wait as one text.
 * OUTBOX-2 What waits is bounded, and so is its document: less than a MiB. Deltas that do not fit are dropped, and so are deltas that
 *    have waited long: their message may have landed meanwhile. Hints have room of their own, so deltas never push one out.
 * OUTBOX-3 What stands in the collection may be by another version or by anyone: what is not understood is left out.
 */
import { type Delta, draftKey } from '../../../journal/draft.ts';
import type { Concern, Hint } from '../../../journal/journal.ts';
import { isId, type SessionId } from '../../../kernel/id.ts';

/** Some 100 bytes each in the document. The oldest go first: their readers look again by themselves. */
const HINTS_MAX = 5_000;
/** Three bytes of the document each at worst: a second and more of two hundred models that talk at once. */
const DELTA_CHARS_MAX = 128 * 1024;
/** Some 300 bytes each in the document, beside the text. */
const DELTAS_MAX = 500;
/** A reader that sees a text later than this sees the whole message soon after, and what came too late must not be shown after it. */
const DELTA_AGE_MS_MAX = 1_000;
/** As hands/wire.ts has it for the ids of calls. */
const CALL_ID_CHARS_MAX = 128;
/** A server names itself with twelve (processes/units.ts). */
const OWNER_CHARS_MAX = 64;

export type SessionDelta = Delta & { readonly sessionId: SessionId };

export interface LiveBatch {
  readonly hints: readonly Hint[];
  readonly deltas: readonly SessionDelta[];
}

export class LiveOutbox {
  /** OUTBOX-1, the longest waiting first. */
  readonly #hints = new Map<SessionId, Hint>();
  /** By session and draftKey. */
  readonly #deltas = new Map<string, SessionDelta>();
  #chars = 0;
  /** Since when the oldest delta waits. */
  #deltasSince = 0;

  get isEmpty(): boolean {
    return this.#hints.size === 0 && this.#deltas.size === 0;
  }

  hint(sessionId: SessionId, head: number, concerns?: Concern, gone?: true): void {
    const waiting = this.#hints.get(sessionId);
    if (gone === true) this.#forget(sessionId);
    if (gone === true || (waiting?.gone !== true && head >= (waiting?.head ?? 0)))
      this.#hints.set(sessionId, { sessionId, head, concerns, gone });
    if (this.#hints.size <= HINTS_MAX) return;
    for (const oldest of this.#hints.keys()) {
      this.#hints.delete(oldest);
      break;
    }
  }

  delta(sessionId: SessionId, delta: Delta, now: number): void {
    const key = `${sessionId}/${draftKey(delta)}`;
    const waiting = this.#deltas.get(key);
    const joined = joinedOf(waiting, delta);
    const chars = this.#chars - (waiting?.text.length ?? 0) + joined.text.length;
    if (chars > DELTA_CHARS_MAX || (waiting === undefined && this.#deltas.size >= DELTAS_MAX)) return; // OUTBOX-2
    if (this.#deltas.size === 0) this.#deltasSince = now;
    this.#deltas.set(key, { sessionId, ...joined });
    this.#chars = chars;
  }

  /** What was being said in it is nobody's any more. */
  #forget(sessionId: SessionId): void {
    for (const [key, delta] of this.#deltas) {
      if (delta.sessionId !== sessionId) continue;
      this.#deltas.delete(key);
      this.#chars -= delta.text.length;
    }
  }

  /** All that waits; it waits no longer. */
  take(now: number): LiveBatch {
    const isLate = now - this.#deltasSince > DELTA_AGE_MS_MAX; // OUTBOX-2
    const batch: LiveBatch = {
      hints: [...this.#hints.values()],
      deltas: isLate ? [] : [...this.#deltas.values()],
    };
    this.#hints.clear();
    this.#deltas.clear();
    this.#chars = 0;
    return batch;
  }

  /** A batch that could not be sent: its hints wait again, its deltas are dropped. */
  putBack({ hints }: LiveBatch): void {
    const newer = [...this.#hints.values()];
    this.#hints.clear();
    for (const { sessionId, head, concerns, gone } of [...hints, ...newer])
      this.hint(sessionId, head, concerns, gone);
  }
}

/** OUTBOX-1. A text from offset 0 starts the message again; one after a gap is of no use to anyone, what waits before the gap is. */
function joinedOf(waiting: Delta | undefined, delta: Delta): Delta {
  if (waiting === undefined || delta.offset === 0) return delta;
  const known = delta.offset - waiting.offset;
  const isNews = known + delta.text.length > waiting.text.length;
  if (known < 0 || known > waiting.text.length || !isNews) return waiting;
  return { ...waiting, text: waiting.text.slice(0, known) + delta.text };
}

/** Raised when the shape changes; servers of both versions then run side by side for a while. */
const FORMAT = 1;

interface StoredHint {
  readonly sessionId: SessionId;
  readonly head: number;
  /** Hint.concerns: the owner of the lease, or empty for nobody. Absent for everybody, also in hints of the version before. */
  readonly owner?: string | undefined;
  /** A server of the version before takes it for a hint like any other, asks, and is told that there is no such session. */
  readonly gone?: true | undefined;
}

export interface LiveDocument {
  /** The process that wrote it: it has one document, and writes it anew each time. */
  readonly _id: string;
  readonly format: typeof FORMAT;
  /** When; documents of processes that have gone expire by it. */
  readonly at: Date;
  /** So that no two are the same: a write that changes nothing is not announced. */
  readonly number: number;
  readonly hints: readonly StoredHint[];
  /** Of messages. */
  readonly deltas: readonly SessionDelta[];
  /** Apart from the messages, for which a server of the version before there were any would take it. */
  readonly thinking?: readonly SessionDelta[] | undefined;
}

export function documentOf(batch: LiveBatch, number: number, now: number): Omit<LiveDocument, '_id'> {
  const hints = batch.hints.map(storedHint);
  const deltas = batch.deltas.filter(({ kind }) => kind !== 'thinking');
  const thinking = batch.deltas.filter(({ kind }) => kind === 'thinking');
  return { format: FORMAT, at: new Date(now), number, hints, deltas, thinking };
}

/** OUTBOX-3. */
export function batchOf(document: unknown): LiveBatch {
  const { format, hints, deltas, thinking } = recordOf(document);
  if (format !== FORMAT) return { hints: [], deltas: [] };
  const thoughts = listOf(thinking).flatMap(deltaOf);
  return {
    hints: listOf(hints).flatMap(hintOf),
    deltas: [
      ...listOf(deltas).flatMap(deltaOf),
      ...thoughts.map((delta): SessionDelta => ({ ...delta, kind: 'thinking' })),
    ],
  };
}

function storedHint({ sessionId, head, concerns, gone }: Hint): StoredHint {
  if (gone === true) return { sessionId, head, gone };
  if (concerns === undefined) return { sessionId, head };
  return { sessionId, head, owner: concerns.kind === 'owner' ? concerns.owner : '' };
}

function hintOf(value: unknown): readonly Hint[] {
  const { sessionId, head, owner, gone } = recordOf(value);
  if (typeof sessionId !== 'string' || !isId('session', sessionId) || !isCount(head)) return [];
  if (gone === true) return [{ sessionId, head, gone }];
  if (typeof owner !== 'string' || owner.length > OWNER_CHARS_MAX) return [{ sessionId, head }];
  return [{ sessionId, head, concerns: owner === '' ? { kind: 'nobody' } : { kind: 'owner', owner } }];
}

function deltaOf(value: unknown): readonly SessionDelta[] {
  const { sessionId, callId, offset, text } = recordOf(value);
  if (typeof sessionId !== 'string' || !isId('session', sessionId) || !isCount(offset)) return [];
  if (typeof callId !== 'string' || callId.length > CALL_ID_CHARS_MAX || typeof text !== 'string') return [];
  if (text.length > DELTA_CHARS_MAX) return [];
  return [{ sessionId, callId, offset, text }];
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
