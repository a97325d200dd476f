/** When a conversation is condensed, what the model is asked for then, and what of its answer counts as a summary. */
import { tokensOfBytes } from './context-size.ts';
import { fitted } from './fitting.ts';
import type { ModelAnswer, ModelMessage } from './model.ts';

/** The rest is for the next answer and the results of its tools. */
const COMPACT_AT_SHARE = 0.75;
/**
 * However small the conversation is: with so many events since the last compaction, reading them again would be what a wake waits for
 * (docs/adr/0018). Two thousand short turns. A request has a bound of that kind, too: 100,000 messages (Messages API reference).
 */
export const COMPACT_AT_EVENTS = 20_000;
/** What a compaction may send: the window less one summary, which services count with the request. */
const COMPACTION_SHARE = 0.8;
/** However long an answer may be, the conversation has this much of the window: else it would be condensed all the time. */
const CONVERSATION_SHARE_MIN = 0.25;
/**
 * A summary is at least this share of what it stands for, within these bounds: a word of thanks is none, and a conversation of
 * two lines is told in one.
 */
const SUMMARY_SHARE = 1 / 20;
const SUMMARY_CHARS_MIN = 10;
const SUMMARY_CHARS_ENOUGH = 24;
/** Of an answer that does not count as a summary: as much as a summary has. */
const WORDS_CHARS_MAX = 8_000;
/** What a summary is the last word of. A tool call, a refusal or the output limit leave something out. */
const SUMMARY_ENDS: ReadonlySet<string> = new Set(['end_turn', 'stop_sequence']);
/** After as many attempts without a summary the runtime makes one (runtime-summary.ts). */
export const SUMMARY_TRIES_MAX = 2;
/** And after as many that were too long, each with half of what the one before had. */
export const SUMMARY_SHRINKS_MAX = 5;

const REQUEST = `The context is nearly full. Write down everything that you need to go on without this conversation; it will be \
replaced by what you write. Say, in this order:
1. What the user asked for, word for word where it matters, with every later correction.
2. What has been done: files and what is in them, commands and what they showed.
3. What was found out and decided, and why.
4. Where things stand now, and the next steps.
Answer with that text only. Do not use tools.`;

/** The same in other words, for a model that answered with something else. */
const AGAIN = `Answer with text only: the summary that was asked for, as plain sentences, and no tool call. It must stand for the whole conversation, so do not stop before its end, and keep it short enough to be finished.`;

/** Tokens from which on the next call is one that compacts. Services count the room for the answer with the request. */
export function compactAt(contextWindow: number, outputTokensMax: number): number {
  const room = Math.max(contextWindow - outputTokensMax, contextWindow * CONVERSATION_SHARE_MIN);
  return Math.floor(Math.min(contextWindow * COMPACT_AT_SHARE, room));
}

/** The summary, or undefined when the answer is none. `charsBefore` is how much it stands for. */
export function summaryOf({ blocks, stopReason }: ModelAnswer, charsBefore: number): string | undefined {
  if (!SUMMARY_ENDS.has(stopReason) || blocks.some(({ kind }) => kind === 'tool')) return undefined;
  const summary = textOf(blocks);
  const wanted = Math.min(Math.max(charsBefore * SUMMARY_SHARE, SUMMARY_CHARS_MIN), SUMMARY_CHARS_ENOUGH);
  return summary.length >= wanted ? summary : undefined;
}

/** What a model wrote that is no summary, for the one that the runtime makes: half of one is better than none. */
export function wordsOf({ blocks, stopReason }: ModelAnswer): string | undefined {
  const words = stopReason === 'refusal' ? '' : textOf(blocks).slice(0, WORDS_CHARS_MAX).toWellFormed();
  return words === '' ? undefined : words;
}

function textOf(blocks: ModelAnswer['blocks']): string {
  return blocks
    .map((block) => (block.kind === 'text' ? block.text : ''))
    .join('')
    .trim();
}

/** Characters of what was said, called and answered. */
export function charsOf(messages: readonly ModelMessage[]): number {
  let chars = 0;
  for (const { blocks } of messages) {
    for (const block of blocks) {
      if (block.kind === 'text') chars += block.text.length;
      else if (block.kind === 'result') chars += block.output.length;
      else if (block.kind === 'tool') chars += JSON.stringify(block.input).length;
    }
  }
  return chars;
}

/**
 * The same messages and one more request, so that what is cached is read, not paid again. They are shortened only when
 * they would not fit: by estimate, or because the service said so, each time to half of the time before.
 */
export function compactionMessages(
  whole: readonly ModelMessage[],
  room: {
    readonly contextWindow: number;
    readonly contextTokens: number;
    readonly prompt: string;
    readonly refusedAsTooLong: number;
    /** Attempts that brought no summary. */
    readonly badSummaries: number;
  },
): readonly ModelMessage[] {
  const { contextWindow, contextTokens, prompt, refusedAsTooLong, badSummaries } = room;
  const tokensMax = contextWindow * COMPACTION_SHARE;
  const fits = refusedAsTooLong === 0 && contextTokens <= tokensMax;
  const forMessages = (tokensMax - tokensOfBytes(Buffer.byteLength(prompt))) / 2 ** refusedAsTooLong;
  const messages = fits ? whole : fitted(whole, forMessages);
  const last = messages.at(-1);
  const request = { kind: 'text', text: badSummaries === 0 ? REQUEST : `${REQUEST}\n\n${AGAIN}` } as const;
  if (last?.role === 'user')
    return [...messages.slice(0, -1), { role: 'user', blocks: [...last.blocks, request] }];
  return [...messages, { role: 'user', blocks: [request] }];
}
