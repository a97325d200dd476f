/** What stands in the id of a model call (brain/call-id.ts): its turn, so that it is known when the turn is over, too, and what it is for. */
import { type TurnId, turnIdOf } from '../kernel/id.ts';
import type { Session } from './session.ts';

/** Of an answer or a compaction, in a turn: both are counted. */
export const MODEL_CALL_ID = /^t[1-9][0-9]{0,8}[mc][1-9][0-9]{0,8}$/;
const CALL = /^t([1-9][0-9]{0,8})[a-z]/;
const COMPACTION = /^t[0-9]+c/;

/** A call that names no turn of this session counts to its last one. */
export function turnOfCall(session: Session, callId: string): TurnId | undefined {
  const number = turnNumberOf(callId);
  return number <= session.turnCount ? turnIdOf(session.id, number) : session.turn?.id;
}

/** NaN: it names none. */
export function turnNumberOf(callId: string): number {
  return Number(CALL.exec(callId)?.[1] ?? Number.NaN);
}

/** Whether the call condenses the conversation. */
export function compacts(callId: string): boolean {
  return COMPACTION.test(callId);
}
