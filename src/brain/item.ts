/** What a conversation with the model consists of, and what of an answer is given back to the model. */
import { type AnswerBlock, PROMPT_TOO_LONG } from './model.ts';

export interface ToolCallItem {
  readonly callId: string;
  /** As the log has it: two calls may have the same, and the adapter of the model sends what can be sent for it. */
  readonly toolUseId: string;
  readonly tool: string;
  readonly input: unknown;
  /** Set when the call cannot be made: what its result says. */
  readonly defect?: string | undefined;
  /** Its place in the log. */
  readonly seq: number;
}

/** One without a result. */
export interface OpenToolCall extends ToolCallItem {
  /** An earlier brain has asked for it: it may have been started already. */
  readonly inherited: boolean;
  /** Its input is not what the model passed: somebody approved it so. */
  readonly isChanged?: boolean | undefined;
}

export interface Refusal {
  readonly category?: string | undefined;
  readonly explanation?: string | undefined;
}

export interface AnswerItem {
  readonly kind: 'answer';
  readonly turn: number;
  readonly blocks: readonly AnswerBlock[];
  /** Of each block: the seq of its event. */
  readonly seqs: readonly number[];
  readonly tools: readonly ToolCallItem[];
  readonly stopReason: string;
  /** Seq of its last message for the user. */
  readonly messageSeq?: number | undefined;
  /** Where it is not the session's own model. */
  readonly model?: string | undefined;
  /** Of the stop reason refusal. */
  readonly refusal?: Refusal | undefined;
}

export type Item =
  | { readonly kind: 'said'; readonly text: string; readonly seq: number }
  | { readonly kind: 'summary'; readonly text: string; readonly seq: number }
  /** A word of the runtime about the answer before it, or how its turn ended. */
  | { readonly kind: 'note'; readonly text: string }
  /** A word of the runtime about the world: files that were lost, programs that have ended. */
  | { readonly kind: 'news'; readonly text: string }
  /** What had been said of an answer when its turn ended. */
  | { readonly kind: 'aborted'; readonly text: string; readonly seq: number }
  /** Stands for what the model service declined to read. */
  | { readonly kind: 'retracted' }
  | AnswerItem;

/**
 * Stop reasons of ours, for calls that had no answer: the model is not to be had, and its fallback takes over; and the
 * service refuses the request for something in the conversation, which is condensed without it. PROMPT_TOO_LONG is a third.
 */
export const MODEL_UNAVAILABLE = 'model_unavailable';
export const REQUEST_REFUSED = 'request_refused';

/** Under these an answer has not come to an end of its own. */
const NOT_ENDS: ReadonlySet<string> = new Set([
  'refusal',
  'pause_turn',
  MODEL_UNAVAILABLE,
  REQUEST_REFUSED,
  PROMPT_TOO_LONG,
]);

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

/** Whether an answer came to its end with nothing said and nothing called, at most thought. */
export function saidNothing(answer: AnswerItem): boolean {
  const { stopReason } = answer;
  if (cutOff(answer) || NOT_ENDS.has(stopReason)) return false;
  return keptBlocks(answer).length === 0;
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
