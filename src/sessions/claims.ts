/**
 * Claims: somebody takes up what a session waits for, so that no two people work at it. Pure, as all of lifecycle.ts.
 *
 * INBOX-1 One claim at a time: whoever has it may renew it, others are refused until it is over or was released, and are told whose it is.
 *    A claim keeps nobody from answering (docs/adr/0031): what was answered waits no more, and its claim is gone with it.
 */
import type { Actor, BodyOf } from '../journal/event.ts';
import type { Decision } from '../journal/journal.ts';
import { AlreadyClaimed, RequestGone } from './faults.ts';
import type { Session } from './session.ts';
import { type Claim, claimAt, waitsOf } from './waits.ts';

export interface ClaimRequest {
  readonly kind: 'claimRequest';
  readonly requestId: string;
  readonly assignee?: string | undefined;
  readonly seconds: number;
  /** Milliseconds since the epoch, of whoever decides. */
  readonly now: number;
  readonly actor: Actor;
}

export interface ReleaseRequest {
  readonly kind: 'releaseRequest';
  readonly requestId: string;
  readonly now: number;
  readonly actor: Actor;
}

const NOTHING: Decision = { kind: 'nothing' };

export function claimRequest(session: Session, command: ClaimRequest): Decision {
  const { requestId, assignee, seconds, now, actor } = command;
  const wait = waitsOf(session).find(({ id }) => id === requestId);
  if (wait === undefined) return { kind: 'refuse', fault: new RequestGone(requestId) };
  const claim = claimAt(wait, now);
  if (claim !== undefined && !isOf(claim, command)) {
    const by = claim.assignee ?? claim.by.display ?? claim.by.id ?? 'somebody';
    return { kind: 'refuse', fault: new AlreadyClaimed(by, claim.expiresAt) };
  }
  const { id, display } = actor;
  const by = { ...(id === undefined ? {} : { id }), ...(display === undefined ? {} : { display }) };
  const named = assignee === undefined ? {} : { assignee };
  const body = { requestId, ...named, by, expiresAt: now + seconds * 1000, seconds };
  return {
    kind: 'append',
    events: [{ type: 'request.claimed', actor, turnId: session.turn?.id, body }],
  };
}

/** Also by others than those who claimed it: who went home does not release. What nobody has is free already. */
export function releaseRequest(session: Session, { requestId, now, actor }: ReleaseRequest): Decision {
  const wait = waitsOf(session).find(({ id }) => id === requestId);
  if (wait === undefined || claimAt(wait, now) === undefined) return NOTHING;
  const event = {
    type: 'request.released',
    actor,
    turnId: session.turn?.id,
    body: { requestId },
  } as const;
  return { kind: 'append', events: [event] };
}

/** The fold of both events. */
export function claimed(session: Session, body: BodyOf<'request.claimed'>, at: number): Session {
  const { requestId, assignee, expiresAt } = body;
  const by = body.by as Claim['by']; // claimRequest wrote it
  const claim: Claim = { requestId, ...(assignee === undefined ? {} : { assignee }), by, at, expiresAt };
  return withClaims(session, [...claimsWithout(session, requestId), claim]);
}

export function released(session: Session, { requestId }: BodyOf<'request.released'>): Session {
  return withClaims(session, claimsWithout(session, requestId));
}

function claimsWithout({ waits }: Session, id: string): readonly Claim[] {
  return (waits?.claims ?? []).filter(({ requestId }) => requestId !== id);
}

/** Its seq is the event's, which waits.ts puts there. */
function withClaims(session: Session, claims: readonly Claim[]): Session {
  return { ...session, waits: { seq: session.waits?.seq ?? 0, claims } };
}

/** The same key for the same person. */
function isOf({ by, assignee }: Claim, { actor, assignee: asked }: ClaimRequest): boolean {
  return by.id === actor.id && assignee === asked;
}
