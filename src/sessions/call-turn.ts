/** The turn of a model call: its number stands in the call's id (brain/call-id.ts), so that it is known when the turn is over, too. */
import { type TurnId, turnIdOf } from '../kernel/id.ts';
import type { Session } from './session.ts';

const CALL = /^t([1-9][0-9]{0,8})[a-z]/;

/** A call that names no turn of this session counts to its last one. */
export function turnOfCall(session: Session, callId: string): TurnId | undefined {
  const number = Number(CALL.exec(callId)?.[1] ?? Number.NaN);
  return number <= session.turnCount ? turnIdOf(session.id, number) : session.turn?.id;
}
