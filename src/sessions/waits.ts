/**
 * What a session waits for from people, derived from its record: a question, tool calls that somebody has to allow, tool calls that somebody
 * has to run. Pure.
 *
 * WAIT-1 `waits.seq` of the record is the event with which what it waits for, or who looks after it, changed last. Stores find by it which
 *    sessions an inbox has to show anew, and those that never waited have none: they cost an inbox nothing.
 */
import type { ToolRequestKind } from '../journal/tool-request-events.ts';
import type { Session } from './session.ts';
import { openRequests } from './tool-requests.ts';

export type WaitKind = 'question' | ToolRequestKind;

/** Who looks after it, until when. */
export interface Claim {
  readonly requestId: string;
  readonly assignee?: string | undefined;
  readonly by: { readonly id?: string | undefined; readonly display?: string | undefined };
  readonly at: number;
  readonly expiresAt: number;
}

/** In the record (WAIT-1). */
export interface Waits {
  readonly seq: number;
  /** Of what is waited for; one of something that is not is forgotten with it. */
  readonly claims?: readonly Claim[] | undefined;
}

export interface Wait {
  /** The id of the tool call; of a question that of the event that asks. */
  readonly id: string;
  readonly kind: WaitKind;
  readonly since: number;
  /** Of a tool call. */
  readonly tool?: string | undefined;
  /** Of its tool.requested; of a question none. */
  readonly seq?: number | undefined;
  readonly expiresAt?: number | undefined;
  readonly claim?: Claim | undefined;
}

/** In the order in which they came. A turn that is being ended waits for nobody any more. */
export function waitsOf(session: Session): readonly Wait[] {
  const { status, statusAt, turn, waits } = session;
  if (status === 'archived' || turn === undefined) return [];
  const claimOf = (id: string) => waits?.claims?.find(({ requestId }) => requestId === id);
  if (turn.state === 'completed') {
    if (status !== 'awaiting_input') return [];
    const id = turn.resultEventId ?? turn.id;
    return [{ id, kind: 'question', since: turn.completedAt ?? statusAt, claim: claimOf(id) }];
  }
  if (turn.stopping !== undefined) return [];
  return openRequests(turn).flatMap(({ callId, tool, request }) => {
    if (request === undefined) return [];
    const { kind, seq, since, expiresAt } = request;
    return [{ id: callId, kind, since, tool, seq, expiresAt, claim: claimOf(callId) }];
  });
}

/** The oldest of them: what inboxes are ordered by. */
export function waitingSince(session: Session): number | undefined {
  const times = waitsOf(session).map(({ since }) => since);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** A claim counts until it is over. */
export function claimAt({ claim }: Wait, now: number): Claim | undefined {
  return claim !== undefined && claim.expiresAt > now ? claim : undefined;
}

/** WAIT-1. `after` is what the event of this seq has made of `before`. */
export function withWaits(before: Session, after: Session, seq: number): Session {
  const isSame = before.turn === after.turn && before.status === after.status && before.waits === after.waits;
  if (isSame) return after;
  const now = waitsOf(after);
  if (before.waits === after.waits && namesOf(waitsOf(before)) === namesOf(now)) return after;
  const claims = after.waits?.claims?.filter(({ requestId }) => now.some(({ id }) => id === requestId));
  return { ...after, waits: claims === undefined || claims.length === 0 ? { seq } : { seq, claims } };
}

function namesOf(waits: readonly Wait[]): string {
  return waits.map(({ id, seq, since }) => `${id} ${seq ?? since}`).join('\n');
}

/** Whether the last `count` events of the log up to `head` have changed what is waited for. */
export function waitsChanged({ waits }: Pick<Session, 'waits'>, head: number, count: number): boolean {
  return waits !== undefined && waits.seq > head - count;
}

/** Whether inboxes may know of it, also of one whose last change was before there were inboxes. */
export function hasWaited(session: Session): boolean {
  return session.waits !== undefined || waitsOf(session).length > 0;
}
