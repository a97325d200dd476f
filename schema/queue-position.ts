/**
 * The place of sessions in the queue of their organisation: `Session.queuePosition`.
 *
 * ADMIT-6 A session that waits for a slot has a place among those of its organisation: up to QUEUE_POSITION_MAX it is told exactly, beyond it that it
 *    is beyond. The queue is read once for an operation, however many sessions it looks at, and in turn (BUDGET-2).
 */
import type { SessionId } from '../src/kernel/id.ts';
import { QUEUE_POSITION_MAX } from '../src/kernel/limit.ts';
import { wantsBrain } from '../src/sessions/lifecycle.ts';
import type { Session } from '../src/sessions/session.ts';
import type { Context } from './context.ts';

type Places = ReadonlyMap<SessionId, number>;

/** As long as its operation. */
const queues = new WeakMap<Context, Promise<Places>>();

/** 1: it is next in its organisation; QUEUE_POSITION_MAX + 1: so many are before it, or more; undefined: it does not wait for a slot. */
export async function queuePositionOf(session: Session, context: Context): Promise<number | undefined> {
  if (!wantsBrain(session) || session.lease !== undefined) return undefined;
  const known = queues.get(context) ?? read(context); // ADMIT-6
  queues.set(context, known);
  const places = await known;
  const place = places.get(session.id);
  if (place !== undefined || places.size < QUEUE_POSITION_MAX) return place; // without one, somebody has taken it meanwhile
  return QUEUE_POSITION_MAX + 1;
}

async function read({ budget, sessions }: Context): Promise<Places> {
  await budget.turn();
  return new Map((await sessions.waiting()).map((id, at) => [id, at + 1]));
}
