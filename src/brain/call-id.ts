/**
 * The ids of model and tool calls are derived from their place in the session, so a brain that comes back finds the same
 * ones: `t3m2` is the second model call of turn 3, `t3c2` one that compacts, `t3m2.0` the first tool call of its answer.
 */
import { compacts } from '../sessions/call-turn.ts';

export type Purpose = 'answer' | 'compaction';

export function modelCallId(turn: number, call: number, purpose: Purpose): string {
  return `t${turn}${purpose === 'answer' ? 'm' : 'c'}${call}`;
}

export function toolCallId(callId: string, index: number): string {
  return `${callId}.${index}`;
}

/** What a model call is for. */
export function purposeOf(callId: string): Purpose {
  return compacts(callId) ? 'compaction' : 'answer';
}
