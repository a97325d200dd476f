/** Opening a follower: what it may see and from where, or the frame that refuses it. */
import { isAbsent } from '../src/journal/absent.ts';
import { parseCursor } from '../src/journal/cursor.ts';
import { type EventFilter, isOpen, passes } from '../src/journal/event-filter.ts';
import { viewOf } from '../src/access/principal.ts';
import type { RecordedEvent } from '../src/journal/event.ts';
import { SessionNotFound } from '../src/journal/faults.ts';
import { follow } from '../src/journal/follow.ts';
import { Forbidden, InvalidInput } from '../src/kernel/fault.ts';
import { isId, type SessionId } from '../src/kernel/id.ts';
import { tail, type TailSource } from '../src/kernel/tail.ts';
import { charsOf } from './body-weight.ts';
import { type Context, permit } from './context.ts';
import { type GivenFilter, parseFilter, viewedFilter } from './event-list.ts';
import type { FrameCut } from './frame-cut.ts';
import type { Frame } from './frame.ts';

/** A filtered follower is told its cursor at least every so many events, so that a resume does not read them again. */
const SKIPPED_EVENTS_MAX = 1_000;

export interface FollowArgs {
  readonly sessionId: string;
  readonly after?: string | null | undefined;
  readonly filter?: GivenFilter | null | undefined;
  readonly deltas?: boolean | null | undefined;
}

export interface Opened {
  readonly kind: 'opened';
  readonly sessionId: SessionId;
  readonly after: number;
  readonly filter: EventFilter;
  readonly deltas: boolean;
  /** Whether thinking is among the deltas. */
  readonly thinking: boolean;
}

/** Throws Forbidden (a token without the scope, or that sees nothing of what is asked for) and InvalidInput (a filter that means nothing). */
export async function openFollow(context: Context, args: FollowArgs): Promise<Opened | Frame> {
  const { sessionId, after } = args;
  const view = viewOf(context.principal);
  const filter = viewedFilter(parseFilter(args.filter ?? {}), view);
  try {
    if (!isId('session', sessionId)) throw new SessionNotFound(sessionId.slice(0, 64));
    permit(context, 'session.read', sessionId);
    const { head } = await context.sessions.get(sessionId);
    const seq = after === undefined || after === null ? 0 : seqOf(sessionId, after);
    if (seq === undefined) return { kind: 'refused', sessionId, reason: 'foreign' };
    if (seq > head) return { kind: 'refused', sessionId, reason: 'ahead' };
    const deltas = args.deltas === true && view.level !== 'user'; // TOKEN-4: whether it is narration is known when it is written
    const thinking = view.thinking && (view.level ?? 'internal') === 'internal';
    return { kind: 'opened', sessionId, after: seq, filter, deltas, thinking };
  } catch (error) {
    return goneFrame(error);
  }
}

/** What ends a follower whose session is not there, from the beginning or since; throws every other error. */
export function goneFrame(error: unknown): Frame {
  if (!isAbsent(error)) throw error;
  const { code, message, sessionId } = error;
  return { kind: 'gone', code, message, sessionId };
}

/**
 * A reader of its own: for transports where followers are not grouped (api/graphql/fanout.ts is for those that are). It ends when
 * the client token does; a socket is closed as a whole then.
 */
export async function openFrames(
  context: Context,
  args: FollowArgs,
  cut: FrameCut,
): Promise<AsyncIterableIterator<Frame>> {
  const opened = await openFollow(context, args);
  if (opened.kind !== 'opened') return once(opened);
  const { sessionId, after, filter, deltas, thinking } = opened;
  const abort = new AbortController();
  const turn = (): Promise<void> => context.budget.turn(sessionId); // BUDGET-2
  const source = follow(context, { sessionId, after, deltas, thinking, filter, turn }, abort.signal);
  const sift = new Sift(sessionId, after, filter);
  const waiting: Frame[] = []; // the rest of one page, cut: FRAME-1
  let revoked: string | undefined;
  const refuseRevoked = (): void => {
    if (revoked !== undefined) throw new Forbidden(revoked); // ACCESS-2
  };
  const frames: TailSource<Frame> = {
    async pull() {
      context.reading.renew(); // the frame before this one is made
      for (;;) {
        refuseRevoked();
        const cutBefore = waiting.shift();
        if (cutBefore !== undefined) return cutBefore;
        const next = await source.next().catch(goneFrame);
        if ('kind' in next) return next;
        const { done, value } = next;
        refuseRevoked();
        if (done === true) return undefined;
        switch (value.kind) {
          case 'events': {
            await context.budget.turnToMake(charsOf(value.events), sessionId); // TURNS-1
            const parts = cut.parts(value.events);
            for (const [at, part] of parts.entries()) {
              const last = at === parts.length - 1 ? undefined : part.at(-1);
              const frame = sift.events(part, last?.seq ?? value.seq);
              if (frame !== undefined) waiting.push(frame);
            }
            break;
          }
          case 'caughtUp':
            return { kind: 'caughtUp', sessionId, seq: value.seq };
          case 'delta':
          case 'thinking':
            waiting.push(...cut.pieces(value));
            break;
        }
      }
    },
    release() {
      clearTimeout(expiry);
      unwatch?.();
      abort.abort();
    },
  };
  const { principal, signal } = context;
  const unwatch = context.onRevoked?.((why) => {
    revoked = why;
    abort.abort(); // a pull that waits comes back, and tells it
  });
  const end = (): void => void reader.return?.();
  const isStream = context.renewed === undefined; // a socket ends with the last of its tokens, and closes all that is on it
  const expiry =
    principal.kind === 'client' && isStream
      ? setTimeout(end, Math.max(0, principal.expiresAt - Date.now()))
      : undefined;
  // The signal releases the reader at once when a client goes, whatever the layers of streams above do about it.
  const reader = tail(frames, signal);
  return reader;
}

/** Filters pages of events into frames, and remembers what the follower was told last. */
export class Sift {
  readonly #sessionId: SessionId;
  readonly #filter: EventFilter | undefined;
  #told: number;

  constructor(sessionId: SessionId, after: number, filter: EventFilter) {
    this.#sessionId = sessionId;
    this.#filter = isOpen(filter) ? undefined : filter;
    this.#told = after;
  }

  /** `seq`: how far the page goes. Undefined when nothing passed and the cursor need not be told yet. */
  events(page: readonly RecordedEvent[], seq: number): Extract<Frame, { kind: 'events' }> | undefined {
    const filter = this.#filter;
    const events = filter === undefined ? page : page.filter((event) => passes(filter, event));
    if (events.length === 0 && seq - this.#told < SKIPPED_EVENTS_MAX) return undefined;
    this.#told = seq;
    return { kind: 'events', sessionId: this.#sessionId, events, seq };
  }
}

function seqOf(sessionId: SessionId, cursor: string): number | undefined {
  try {
    return parseCursor(sessionId, cursor);
  } catch (error) {
    if (error instanceof InvalidInput) return undefined;
    throw error;
  }
}

function once(frame: Frame): AsyncIterableIterator<Frame> {
  let given = false;
  return tail<Frame>({
    pull: () => {
      const value = given ? undefined : frame;
      given = true;
      return Promise.resolve(value);
    },
  });
}
