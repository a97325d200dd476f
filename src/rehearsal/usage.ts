/**
 * What an answer costs, as the service counts it, in plausible numbers. The prompt cache is worked out from the request
 * alone, so that the same request gets the same answer: what stands up to the last breakpoint is cached, and of that the
 * request before, which ended with the user's message before the last, has read or written what it had marked.
 */
import { type Fields, isFields, listOf, withoutBreakpoint } from './json-value.ts';
import type { UsageOverride } from './script.ts';
import { contentBlocks } from './service-request.ts';
import { tokensOf } from './token-count.ts';

interface Piece {
  readonly tokens: number;
  readonly marked: boolean;
}

export function usageOf(body: Fields, answer: unknown): Required<UsageOverride> {
  const messages = listOf(body['messages']).filter(isFields);
  const pieces = [
    ...listOf(body['tools']).map(pieceOf),
    ...contentBlocks(body['system']).map(pieceOf),
    ...messages.flatMap(piecesOf),
  ];
  const before = messages.findLastIndex(({ role }) => role === 'assistant');
  const after = before < 0 ? pieces.length : messages.slice(before).flatMap(piecesOf).length;
  const written = pieces.findLastIndex(({ marked }) => marked);
  // Breakpoints move on with the conversation, so those of the request before may be gone: its prefix is read anyway.
  const read = before < 0 ? -1 : Math.min(written, pieces.length - after - 1);
  const cachedTokens = sum(pieces.slice(0, written + 1));
  const readTokens = sum(pieces.slice(0, read + 1));
  return {
    input_tokens: Math.max(1, sum(pieces) - cachedTokens),
    output_tokens: tokensOf(answer),
    cache_creation_input_tokens: cachedTokens - readTokens,
    cache_read_input_tokens: readTokens,
  };
}

function piecesOf(message: Fields): readonly Piece[] {
  return contentBlocks(message['content']).map(pieceOf);
}

function pieceOf(block: unknown): Piece {
  const marked = isFields(block) && isFields(block['cache_control']);
  return { tokens: tokensOf(withoutBreakpoint(block)), marked };
}

function sum(pieces: readonly Piece[]): number {
  return pieces.reduce((tokens, piece) => tokens + piece.tokens, 0);
}
