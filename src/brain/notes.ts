/** The words of the runtime to the model, in the conversation. Short, and the same every time: they are part of the cached prefix. */
import type { BodyOf } from '../journal/event.ts';
import type { TurnOutcome } from '../journal/event-catalog.ts';
import { type AnswerItem, cutOff, keptBlocks, lacksCall, saidNothing } from './item.ts';

export const CANCELED =
  'The user stopped the turn here. Do not go on with what it was for, unless the user asks for it again.';
/** Stands where a refused message of the user was, so that roles stay in turn. */
export const RETRACTED =
  '[A part of the conversation was left out here: the model service declined to read it.]';
/** In place of a summary that is declined again and again. */
export const SUMMARY_RETRACTED =
  'What was said before this point was left out: the model service declined to read it. Ask the user for what you need.';
/** Of a log without a compaction, longer than what is read of it. */
export const SKIPPED = '[A part of the conversation was left out here: it is too long.]';
export const WITHHELD = '[Left out: the model service declined to read this result.]';
export const UNSENDABLE = '[What stood here cannot be sent to the model any more.]';

const GO_ON =
  'Your last answer was cut off because it was too long. Go on where it stopped, in smaller steps.';
const NOTHING_KEPT =
  'Your last answer was cut off because it was too long, inside a tool call or before anything was said: nothing of it \
could be kept. Go on in smaller steps, for example write a long file in several parts.';
const NO_CALL =
  'Your last answer stopped for a tool call, but there was none in it. Make the call, or say that you are done.';
const SAID_NOTHING =
  'You ended your turn and said nothing. Go on if there is something left to do; if not, tell the user how it went.';
const PAUSED = 'Your last answer paused. Go on where it stopped.';

const CUT: Readonly<Partial<Record<TurnOutcome, string>>> = {
  interrupted: '[The user interrupted you here.]',
  deadline_exceeded: '[The time of the turn was up here.]',
  budget_exceeded: '[The session had used up its tokens here.]',
};
const BROKE_OFF = '[Your answer broke off here.]';

/** What is said before the next call about the last answer of the same turn; undefined when it needs no word. */
export function continuationOf(last: AnswerItem): string | undefined {
  if (last.tools.length > 0) return undefined;
  if (lacksCall(last)) return NO_CALL;
  if (cutOff(last)) return keptBlocks(last).length > 0 ? GO_ON : NOTHING_KEPT;
  if (last.stopReason === 'pause_turn') return PAUSED;
  return saidNothing(last) ? SAID_NOTHING : undefined;
}

/** What follows the text of an answer whose turn ended with `outcome`. */
export function cutNoteOf(outcome: TurnOutcome): string {
  return CUT[outcome] ?? BROKE_OFF;
}

export function revertedNews({ savedAt }: BodyOf<'workspace.reverted'>): string {
  if (savedAt === undefined)
    return '[Files: all that was in /workspace is lost; it is empty. Look before you rely on a file.]';
  const since = new Date(savedAt).toISOString();
  return `[Files: what was done in /workspace since ${since} is lost; the files are as they were then. Look before you rely on one.]`;
}

export function sleptNews({ processes = 0 }: BodyOf<'session.hibernated'>): string {
  const ended = processes === 0 ? '' : ` (${processes} have ended)`;
  return `[The session slept: no program runs in the background any more${ended}, and /tmp is empty. The files in /workspace are kept; start again what you need.]`;
}
