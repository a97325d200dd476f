/**
 * The conversation as the model is given it. The service wants every tool call answered in the very next user message,
 * and nothing empty: a call whose turn ended before its result was known gets one that says so.
 */
import type { Conversation } from './conversation.ts';
import { type AnswerItem, cutOff, keptBlocks, lacksCall } from './item.ts';
import type { InputBlock, ModelMessage } from './model.ts';

const SUMMARY_OPENING =
  'The conversation before this point was condensed to make room. This is what to keep in mind of it:';
const SUMMARY_CLOSING = 'Go on from there.';
const GO_ON =
  'Your last answer was cut off because it was too long. Go on where it stopped, in smaller steps.';
const NOTHING_KEPT =
  'Your last answer was cut off because it was too long, inside a tool call or before anything was said: nothing of it \
could be kept. Go on in smaller steps, for example write a long file in several parts.';
const NO_CALL =
  'Your last answer stopped for a tool call, but there was none in it. Make the call, or say that you are done.';
const CANCELED =
  'The user stopped the turn here. Do not go on with what it was for, unless the user asks for it again.';
const NO_RESULT = 'The turn ended before this call did; what it has done is unknown.';

/** Pure: the same conversation gives the same messages, so that a repeated request finds its prompt cache. */
export function messagesOf(conversation: Conversation): readonly ModelMessage[] {
  const messages: ModelMessage[] = [];
  let input: InputBlock[] = [];
  const flush = (): void => {
    if (input.length > 0) messages.push({ role: 'user', blocks: input });
    input = [];
  };
  for (const [index, item] of conversation.items.entries()) {
    if (item.kind === 'said') {
      if (item.text.trim() !== '') input.push({ kind: 'text', text: item.text });
    } else if (item.kind === 'summary') {
      input.push({ kind: 'text', text: `${SUMMARY_OPENING}\n\n${item.text}\n\n${SUMMARY_CLOSING}` });
    } else if (item.kind === 'canceled') {
      input.push({ kind: 'text', text: CANCELED });
    } else {
      const blocks = keptBlocks(item);
      if (blocks.length > 0) {
        flush();
        messages.push({ role: 'assistant', blocks });
        input.push(...resultsOf(conversation, item));
      }
      // Said also when nothing is kept: the same request again would be cut off again.
      if (cutOff(item) && sameTurnGoesOn(conversation, item, index))
        input.push({ kind: 'text', text: goOn(item, blocks.length > 0) });
    }
  }
  flush();
  return messages;
}

function goOn(answer: AnswerItem, kept: boolean): string {
  if (lacksCall(answer)) return NO_CALL;
  return kept ? GO_ON : NOTHING_KEPT;
}

function resultsOf(conversation: Conversation, answer: AnswerItem): InputBlock[] {
  return answer.tools.map(({ callId, toolUseId }) => {
    const end = conversation.result(callId);
    if (end === undefined) return { kind: 'result', toolUseId, output: NO_RESULT, failed: true };
    const output =
      end.outcome === 'ok' || end.outcome === 'failed' ? end.output : `[${end.outcome}] ${end.output}`;
    return { kind: 'result', toolUseId, output, failed: end.outcome !== 'ok' };
  });
}

function sameTurnGoesOn(conversation: Conversation, answer: AnswerItem, index: number): boolean {
  if (answer.tools.length > 0) return false;
  const next = conversation.items.slice(index + 1).find((item) => item.kind === 'answer');
  return next === undefined ? conversation.session.turnCount === answer.turn : next.turn === answer.turn;
}
