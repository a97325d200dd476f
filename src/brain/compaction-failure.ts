/**
 * Which failures of a compaction show that the model writes no summary, so that the runtime's takes its place in the end. That
 * cannot be undone, so only what a model wrote counts, and a refusal of something that stands in the conversation; whatever
 * else comes, a page of a proxy or a refusal that names nothing, ends the turn, and nothing is lost.
 */
import { REQUEST_REFUSED } from './item.ts';
import type { ModelFailure } from './model.ts';
import { type OpenCall, SUMMARY_INVALID, type TurnProgress } from './progress.ts';
import { isAboutFields, isAboutMessages } from './repair.ts';

/** The code of the model.retried under which the compaction is made once more, at once; undefined for other failures. */
export function lostSummary(
  call: OpenCall,
  failure: ModelFailure,
  progress: TurnProgress,
): string | undefined {
  if (call.purpose !== 'compaction') return undefined;
  const { code, type } = failure;
  if (type === SUMMARY_INVALID || code === 'MODEL_REFUSED' || code === 'MODEL_ANSWER_TOO_LARGE')
    return SUMMARY_INVALID;
  if (code !== 'MODEL_REQUEST_INVALID') return undefined;
  const { condensed, repairs, refusedTurns } = progress;
  // In this turn the service named something before, or a turn before this one ended with such a refusal too.
  const before = call.plain || condensed || repairs > 0 || (refusedTurns > 0 && !isAboutFields(failure));
  return before || isAboutMessages(failure) ? REQUEST_REFUSED : undefined;
}
