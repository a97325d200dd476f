/** What the running turn has done so far, as brain/resume.ts looks at it. */
import type { ToolOutcome } from '../journal/event-catalog.ts';
import type { Failure } from '../sessions/session.ts';
import type { Purpose } from './call-id.ts';
import type { AnswerItem } from './item.ts';

/** A model call that has started and not ended. */
export interface OpenCall {
  readonly callId: string;
  readonly purpose: Purpose;
  readonly failures: number;
  /** How many of them said that the request was too long. */
  readonly refusedAsTooLong: number;
  /** Set after a failure: when it happened, and the wait that was journalled. */
  readonly retry?: { readonly at: number; readonly waitMs: number } | undefined;
}

export interface ToolEnd {
  readonly outcome: ToolOutcome;
  readonly output: string;
}

/** What the running turn has done so far. */
export interface TurnProgress {
  /** Model calls that were started, compactions too. */
  readonly calls: number;
  readonly open?: OpenCall | undefined;
  /** The last answer of this turn that is still in the conversation. */
  readonly last?: AnswerItem | undefined;
  /** Seq of the question that `last` asked. */
  readonly askedSeq?: number | undefined;
  /** The last answers that were cut off before anything of them could be kept, in a row. */
  readonly emptyCuts: number;
  /** The last requests that the service refused as too long, in a row. */
  readonly overflows: number;
  /** Set by error.model: the turn can only end. */
  readonly failure?: Failure | undefined;
}

export const NO_PROGRESS: TurnProgress = { calls: 0, emptyCuts: 0, overflows: 0 };
