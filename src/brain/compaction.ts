/** When a conversation is condensed, and what the model is asked for then. */
import { tokensOfBytes } from './context-size.ts';
import { fitted } from './fitting.ts';
import type { ModelMessage } from './model.ts';

/** The rest is for the next answer and the results of its tools. */
const COMPACT_AT_SHARE = 0.75;
/** What a compaction may send: the window less one summary, which services count with the request. */
const COMPACTION_SHARE = 0.8;

const REQUEST = `The context is nearly full. Write down everything that you need to go on without this conversation; it will be \
replaced by what you write. Say, in this order:
1. What the user asked for, word for word where it matters, with every later correction.
2. What has been done: files and what is in them, commands and what they showed.
3. What was found out and decided, and why.
4. Where things stand now, and the next steps.
Answer with that text only. Do not use tools.`;

/** Tokens from which on the next call is one that compacts. */
export function compactAt(contextWindow: number): number {
  return Math.floor(contextWindow * COMPACT_AT_SHARE);
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
  },
): readonly ModelMessage[] {
  const { contextWindow, contextTokens, prompt, refusedAsTooLong } = room;
  const tokensMax = contextWindow * COMPACTION_SHARE;
  const fits = refusedAsTooLong === 0 && contextTokens <= tokensMax;
  const forMessages = (tokensMax - tokensOfBytes(Buffer.byteLength(prompt))) / 2 ** refusedAsTooLong;
  const messages = fits ? whole : fitted(whole, forMessages);
  const last = messages.at(-1);
  const request = { kind: 'text', text: REQUEST } as const;
  if (last?.role === 'user')
    return [...messages.slice(0, -1), { role: 'user', blocks: [...last.blocks, request] }];
  return [...messages, { role: 'user', blocks: [request] }];
}
