/**
 * The conversation as the model is given it. The service wants every tool call answered in the very next user message,
 * and nothing empty: a call whose turn ended before its result was known gets one that says so.
 */
import type { AnswerItem, Conversation } from './conversation.ts';
import type { AnswerBlock, InputBlock, ModelMessage } from './model.ts';

const SUMMARY_OPENING =
  'The conversation before this point was condensed to make room. This is what to keep in mind of it:';
const SUMMARY_CLOSING = 'Go on from there.';
const GO_ON =
  'Your last answer was cut off because it was too long. Go on where it stopped, in smaller steps.';
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
    } else {
      const blocks = item.stopReason === 'refusal' ? [] : item.blocks.filter(sendable);
      if (blocks.length === 0) continue; // the service wants a refused answer left out
      flush();
      messages.push({ role: 'assistant', blocks });
      input.push(...resultsOf(conversation, item));
      if (cutOff(item) && sameTurnGoesOn(conversation, item, index))
        input.push({ kind: 'text', text: GO_ON });
    }
  }
  flush();
  return messages;
}

/** Whether an answer ended because there was no room for more. */
export function cutOff(answer: AnswerItem): boolean {
  return answer.stopReason === 'max_tokens' || answer.stopReason === 'model_context_window_exceeded';
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

/** The service refuses blank text, and thinking without its proof of origin. */
function sendable(block: AnswerBlock): boolean {
  if (block.kind === 'text') return block.text.trim() !== '';
  return block.kind !== 'thinking' || block.signature !== undefined;
}
