/**
 * What to do when the service refuses a request for what stands in the conversation. The same request would be refused for
 * ever, so the block that it names goes on in another form (thinking is dropped, the rest becomes words); when that does not
 * help, the conversation is condensed without it. All of it is journalled (conversation.repaired) and part of the fold.
 */
import type { NewEvent } from '../journal/event.ts';
import type { Repair } from '../journal/event-catalog.ts';
import type { TurnId } from '../kernel/id.ts';
import type { Conversation } from './conversation.ts';
import { REQUEST_REFUSED } from './item.ts';
import { rendered, type Rendered } from './messages.ts';
import type { MessagePlace, ModelFailure } from './model.ts';
import type { OpenCall } from './progress.ts';

/** In one turn: each costs a request, and after some the conversation is better condensed. */
const REPAIRS_MAX = 8;
/** The reason in the log: enough to see what the service said. */
const REASON_CHARS_MAX = 500;

/** Blocks are meant, and not the settings that have the same names. */
const ABOUT_THINKING = /thinking`? blocks?\b|`signature`|(expected|found) `(redacted_)?thinking`/i;
const ABOUT_TOOLS = /`tool_(use|result)`|tool_(use|result) (ids?|blocks?)\b|\btool_use_id|\btool_calls\b/i;
/** Fields and features of a request that no condensing changes. */
const ABOUT_FIELDS =
  /\b(max_tokens|temperature|top_[pk]|tool_choice|output_config|effort|budget_tokens|anthropic-(version|beta)|thinking\.\w+|adaptive thinking|tools?\.\d|tool use|streaming|request signature|SignatureDoesNotMatch)\b/i;

interface Suspect {
  readonly repair: Repair;
  readonly repairedSeq: number;
}

export type Remedy =
  /** The call is made again; the events belong before the model.retried that says so. */
  | { readonly kind: 'again'; readonly events: readonly NewEvent[] }
  /** The call ends without an answer, and a compaction is due. */
  | { readonly kind: 'condense'; readonly events: readonly NewEvent[]; readonly stopReason: string };

/** Whether the service says where in the messages it sees the fault, or in what kind of blocks. */
export function isAboutMessages(failure: ModelFailure): boolean {
  const { place, message } = failure;
  if (place !== undefined) return true;
  return !isAboutFields(failure) && (ABOUT_THINKING.test(message) || ABOUT_TOOLS.test(message));
}

export function isAboutFields({ message }: ModelFailure): boolean {
  return ABOUT_FIELDS.test(message);
}

/** Undefined when the failure is about something else, or all was tried in this turn. */
export function remedyFor(
  turnId: TurnId,
  call: OpenCall,
  failure: ModelFailure,
  conversation: Conversation,
): Remedy | undefined {
  const { progress } = conversation;
  if (failure.code !== 'MODEL_REQUEST_INVALID' || call.purpose !== 'answer' || progress.condensed)
    return undefined;
  const { place, message } = failure;
  // What names nothing is told first; when the next turn meets it too, it is in the conversation, and would be met for ever.
  const isMetAgain = progress.refusedTurns > 0 && conversation.condensable && !isAboutFields(failure);
  if (!isAboutMessages(failure) && !isMetAgain) return undefined;

  const reason = message.slice(0, REASON_CHARS_MAX).toWellFormed();
  const repaired = (repair: Repair, repairedSeq?: number): NewEvent => ({
    type: 'conversation.repaired',
    actor: { kind: 'system' },
    turnId,
    body: {
      callId: call.callId,
      repair,
      reason,
      ...(repairedSeq === undefined ? {} : { repairedSeq }),
    },
  });
  const shown = rendered(conversation, { model: call.model });
  const suspects = suspectsIn(shown, place, message);
  const fresh = suspects.filter(({ repairedSeq }) => !conversation.repairs.has(repairedSeq));
  if (fresh.length > 0 && progress.repairs + fresh.length <= REPAIRS_MAX)
    return { kind: 'again', events: fresh.map(({ repair, repairedSeq }) => repaired(repair, repairedSeq)) };
  const event = repaired('condensed', suspects[0]?.repairedSeq);
  return { kind: 'condense', events: [event], stopReason: REQUEST_REFUSED };
}

function suspectsIn(shown: Rendered, place: MessagePlace | undefined, message: string): readonly Suspect[] {
  const thinking =
    ABOUT_THINKING.test(message) || isThinking(shown, place) ? newestThinking(shown) : undefined;
  if (thinking !== undefined) return [{ repair: 'dropped', repairedSeq: thinking }];
  if (place === undefined) return [];
  const blocks = shown.messages[place.message]?.blocks ?? [];
  const seqs = shown.seqs[place.message] ?? [];
  const named = place.block === undefined ? blocks.map((_, index) => index) : [place.block];
  // A message that is refused as a whole is so for its calls and results, if it has any.
  const worked = named.filter((index) => isWork(blocks[index]?.kind));
  return (worked.length > 0 ? worked : named).flatMap((index) => {
    const repairedSeq = seqs[index];
    return repairedSeq === undefined ? [] : [{ repair: 'replaced', repairedSeq }];
  });
}

function isThinking(shown: Rendered, place: MessagePlace | undefined): boolean {
  if (place?.block === undefined) return false;
  const kind = shown.messages[place.message]?.blocks[place.block]?.kind;
  return kind === 'thinking' || kind === 'redacted';
}

function isWork(kind: string | undefined): boolean {
  return kind === 'tool' || kind === 'result';
}

/** The seq of the last thinking that is sent. */
function newestThinking({ messages, seqs }: Rendered): number | undefined {
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    const blocks = messages[index]?.blocks ?? [];
    const at = blocks.findLastIndex(({ kind }) => kind === 'thinking' || kind === 'redacted');
    if (at >= 0) return seqs[index]?.[at];
  }
  return undefined;
}
