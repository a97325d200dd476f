/** What the running turn has done so far, as brain/resume.ts looks at it. */
import type { BodyOf } from '../journal/event.ts';
import type { ToolOutcome } from '../journal/event-catalog.ts';
import type { Failure } from '../sessions/session.ts';
import type { Purpose } from './call-id.ts';
import {
  type AnswerItem,
  cutOff,
  keptBlocks,
  MODEL_UNAVAILABLE,
  REQUEST_REFUSED,
  saidNothing,
} from './item.ts';
import { PROMPT_TOO_LONG } from './model.ts';

/** The code of model.retried under which a compaction is made again that brought no summary; REQUEST_REFUSED is another. */
export const SUMMARY_INVALID = 'summary_invalid';

/** A model call that has started and not ended. */
export interface OpenCall {
  readonly callId: string;
  readonly purpose: Purpose;
  /** Where it is not the session's own model. */
  readonly model?: string | undefined;
  readonly failures: number;
  /** How many of them said that the request was too long. */
  readonly refusedAsTooLong: number;
  /** How many attempts of a compaction brought nothing that counts as a summary. */
  readonly badSummaries: number;
  /** The service refused the request of a compaction: it is made again in plain words. */
  readonly plain: boolean;
  /** Of a compaction: what the model wrote last that does not count as a summary. */
  readonly wrote?: string | undefined;
  /** Set after a failure: when it happened, and the wait that was journalled. */
  readonly retry?: { readonly at: number; readonly waitMs: number } | undefined;
}

export interface ToolEnd {
  readonly outcome: ToolOutcome;
  readonly output: string;
  /** Its place in the log. */
  readonly seq: number;
  /** The model service declined to read it. */
  readonly withheld?: boolean | undefined;
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
  /** The last answers that came to an end with nothing said, in a row. */
  readonly silences: number;
  /** The last answers in a row of whose calls none could be made as they were written. */
  readonly defects: number;
  /** The last answers that paused, in a row. */
  readonly pauses: number;
  /** The last requests and answers that did not fit into the context, in a row. */
  readonly overflows: number;
  /** Repairs of the conversation in this turn. */
  readonly repairs: number;
  /** Whether the conversation was condensed in this turn because the service refused something in it. */
  readonly condensed: boolean;
  /** Whether this turn goes on with the fallback model. */
  readonly onFallback: boolean;
  /** The turns before this one, in a row, that ended since the service refused their request. */
  readonly refusedTurns: number;
  /** Set by error.model: the turn can only end. */
  readonly failure?: Failure | undefined;
}

export const NO_PROGRESS: TurnProgress = {
  calls: 0,
  emptyCuts: 0,
  silences: 0,
  defects: 0,
  pauses: 0,
  overflows: 0,
  repairs: 0,
  condensed: false,
  onFallback: false,
  refusedTurns: 0,
};

/** After a failure of the open call that was journalled at `at`. */
export function retried(open: OpenCall, body: BodyOf<'model.retried'>, at: number): OpenCall {
  const { attempt, waitMs, code } = body;
  const refused = code === REQUEST_REFUSED;
  return {
    ...open,
    failures: attempt,
    refusedAsTooLong: open.refusedAsTooLong + (code === PROMPT_TOO_LONG ? 1 : 0),
    badSummaries: open.badSummaries + (code === SUMMARY_INVALID || refused ? 1 : 0),
    plain: open.plain || refused,
    wrote: body.wrote ?? open.wrote,
    retry: { at, waitMs },
  };
}

/** After `answer`. A call that ended without one leaves what is counted in a row as it is. */
export function answered(progress: TurnProgress, answer: AnswerItem): TurnProgress {
  const { stopReason } = answer;
  const next = { ...progress, open: undefined, last: answer };
  if (stopReason === MODEL_UNAVAILABLE) return { ...next, onFallback: true };
  if (stopReason === REQUEST_REFUSED) return next;
  if (overflowed(answer)) return { ...next, overflows: progress.overflows + 1 };
  return {
    ...next,
    emptyCuts: cutOff(answer) && keptBlocks(answer).length === 0 ? progress.emptyCuts + 1 : 0,
    silences: saidNothing(answer) ? progress.silences + 1 : 0,
    defects: isDefective(answer) ? progress.defects + 1 : 0,
    pauses: stopReason === 'pause_turn' ? progress.pauses + 1 : 0,
    overflows: 0,
  };
}

function isDefective({ tools }: AnswerItem): boolean {
  return tools.length > 0 && tools.every(({ defect }) => defect !== undefined);
}

/** Whether the request, or what the model had to say, did not fit into its context. */
export function overflowed(answer: AnswerItem | undefined): boolean {
  return answer?.stopReason === 'model_context_window_exceeded' || answer?.stopReason === PROMPT_TOO_LONG;
}
