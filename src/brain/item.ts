/** What a conversation with the model consists of, and what of an answer is given back to the model. */
import type { AnswerBlock } from './model.ts';

export interface ToolCallItem {
  readonly callId: string;
  readonly toolUseId: string;
  readonly tool: string;
  readonly input: unknown;
  /** Its place in the log. */
  readonly seq: number;
}

/** One without a result. */
export interface OpenToolCall extends ToolCallItem {
  /** An earlier brain has asked for it: it may have been started already. */
  readonly inherited: boolean;
}

export interface AnswerItem {
  readonly kind: 'answer';
  readonly turn: number;
  readonly blocks: readonly AnswerBlock[];
  readonly tools: readonly ToolCallItem[];
  readonly stopReason: string;
  /** Seq of its last message for the user. */
  readonly messageSeq?: number | undefined;
}

export type Item =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'summary'; readonly text: string }
  /** The user stopped the turn that everything up to here belongs to. */
  | { readonly kind: 'canceled' }
  | AnswerItem;

/** Whether an answer ended because there was no room for more, or before the tool call that it stopped for. */
export function cutOff(answer: Pick<AnswerItem, 'stopReason' | 'tools'>): boolean {
  return outOfRoom(answer.stopReason) || lacksCall(answer);
}

/** Whether the service says that there was no room for more. */
export function outOfRoom(stopReason: string): boolean {
  return stopReason === 'max_tokens' || stopReason === 'model_context_window_exceeded';
}

/** Whether an answer stopped for a tool call that it does not hold. */
export function lacksCall({ stopReason, tools }: Pick<AnswerItem, 'stopReason' | 'tools'>): boolean {
  return stopReason === 'tool_use' && tools.length === 0;
}

/**
 * The blocks that the service takes back: no refused answer, no blank text, no thinking without its proof of origin, and
 * no thinking at the end, which an answer has that was cut off inside its tool call.
 */
export function keptBlocks(answer: Pick<AnswerItem, 'blocks' | 'stopReason'>): readonly AnswerBlock[] {
  if (answer.stopReason === 'refusal') return [];
  const blocks = answer.blocks.filter(sendable);
  const end = blocks.findLastIndex(({ kind }) => kind === 'text' || kind === 'tool');
  return blocks.slice(0, end + 1);
}

function sendable(block: AnswerBlock): boolean {
  if (block.kind === 'text') return block.text.trim() !== '';
  return block.kind !== 'thinking' || block.signature !== undefined;
}
