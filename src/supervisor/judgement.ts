/**
 * What a slot makes of its session and brain at one moment: go on waiting, or end the brain for a reason. Pure: the log and
 * the clock come in, so every row of the table can be tested. The first row that applies is taken. All times are of the monotonic clock of
 * this process (sighting.ts TIME-1).
 *
 *   told to shut down                                          shutdown
 *   another epoch, or the lease has ended (also by an archive)  replaced
 *   the brain's process has ended                              lost
 *   messages wait and the brain has not taken them up in time  lost (it hangs)
 *   a turn was asked to stop and has not in time               stopOverdue
 *   a turn runs past its deadline                              deadline
 *   nothing to do for long enough and no command runs in the
 *   background, or evicted                                     idle
 *   otherwise                                                  wait, until the earliest of these times
 */
import { turnMsMax, wantsBrain } from '../sessions/lifecycle.ts';
import type { Session } from '../sessions/session.ts';
import { waitsInTurn } from '../sessions/tool-requests.ts';
import { BEGIN_MS_MAX, STOP_GRACE_MS } from './limit.ts';
import type { Seen } from './sighting.ts';

/** What the slot knows beside the log. */
export interface Watched extends Seen {
  readonly epoch: number;
  /** When a brain got the session; Infinity while there is none. */
  readonly assignedAt: number;
  /** How the brain's process ended, if it has. */
  readonly ended: string | undefined;
  readonly shutdown: boolean;
  /** The slot is needed for another session. */
  readonly evicted: boolean;
  /** Commands run in the background: not idle before then. */
  readonly busyUntil: number;
  readonly idleMs: number;
}

export type Judgement =
  | { readonly kind: 'wait'; readonly until: number }
  | { readonly kind: 'idle' }
  | { readonly kind: 'lost'; readonly how: string }
  | { readonly kind: 'deadline'; readonly turn: number }
  | { readonly kind: 'stopOverdue'; readonly turn: number; readonly outcome: 'canceled' | 'interrupted' }
  | { readonly kind: 'replaced' }
  | { readonly kind: 'shutdown' };

export function judge(session: Session, watched: Watched, now: number): Judgement {
  if (watched.shutdown) return { kind: 'shutdown' };
  if (session.epoch !== watched.epoch || session.lease === undefined) return { kind: 'replaced' };
  if (watched.ended !== undefined) return { kind: 'lost', how: watched.ended };

  const beginBy = beginDeadline(session, watched);
  if (now >= beginBy) return { kind: 'lost', how: `took up no message within ${BEGIN_MS_MAX / 1000} s` };
  const stopBy = watched.stopSince === undefined ? Infinity : watched.stopSince + STOP_GRACE_MS;
  const outcome = stoppingOf(session);
  if (outcome !== undefined && now >= stopBy)
    return { kind: 'stopOverdue', turn: session.turnCount, outcome };
  const endBy = turnDeadline(session, watched) ?? Infinity;
  if (now >= endBy) return { kind: 'deadline', turn: session.turnCount };
  const idleBy = idleDeadline(session, watched);
  if (now >= idleBy) return { kind: 'idle' };
  return { kind: 'wait', until: Math.min(beginBy, stopBy, endBy, idleBy) };
}

/** Set while the running turn was asked to end: how it will have ended. */
export function stoppingOf({ turn }: Session): 'canceled' | 'interrupted' | undefined {
  return turn?.state === 'running' ? turn.stopping : undefined;
}

/** When the running turn must end; not while it waits for somebody outside. */
export function turnDeadline(session: Session, { turnSince }: Pick<Seen, 'turnSince'>): number | undefined {
  return session.turn?.state === 'running' && !waitsInTurn(session)
    ? turnSince + turnMsMax(session)
    : undefined;
}

function beginDeadline({ status }: Session, { statusSince, assignedAt }: Watched): number {
  return status === 'queued' ? Math.max(statusSince, assignedAt) + BEGIN_MS_MAX : Infinity;
}

function idleDeadline(session: Session, { evicted, idleMs, busyUntil, statusSince }: Watched): number {
  if (wantsBrain(session)) return Infinity;
  return evicted ? 0 : Math.max(statusSince + idleMs, busyUntil);
}
