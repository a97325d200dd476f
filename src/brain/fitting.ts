/**
 * Makes a conversation fit into the one request that condenses it. What is long and old is given up first: tool results
 * and tool inputs, then texts, each keeping its head and tail; when that is not enough, the oldest messages.
 */
import { tokensOfBytes } from './context-size.ts';
import type { AnswerBlock, InputBlock, ModelMessage } from './model.ts';

/** What is kept of a piece that is cut, in UTF-16 units: enough to see what it was and how it went. */
const PIECE_CHARS_MAX = 1_000;
const LEFT_OUT = 'The conversation was too long: messages before this point were left out.';

/** How one kind of block is shortened; the others stay. */
interface Shortener {
  readonly input: (block: InputBlock) => InputBlock;
  readonly answer: (block: AnswerBlock) => AnswerBlock;
}

const WORK: Shortener = {
  input: (block) => (block.kind === 'result' ? { ...block, output: cut(block.output) } : block),
  answer: (block) => {
    if (block.kind !== 'tool') return block;
    const text = JSON.stringify(block.input);
    return text.length <= PIECE_CHARS_MAX ? block : { ...block, input: { cut: cut(text) } };
  },
};
const TEXT: Shortener = {
  input: (block) => (block.kind === 'text' ? { kind: 'text', text: cut(block.text) } : block),
  answer: (block) => (block.kind === 'text' ? { kind: 'text', text: cut(block.text) } : block),
};

/** The same messages when they fit into `tokensMax` by estimate; shorter ones, still in a valid order, when not. */
export function fitted(messages: readonly ModelMessage[], tokensMax: number): readonly ModelMessage[] {
  if (sum(messages) <= tokensMax) return messages;
  const kept = messages.map(withoutThinking);
  let tokens = sum(kept);
  for (const shortener of [WORK, TEXT]) {
    for (const [index, message] of kept.entries()) {
      let shorter = message;
      for (let at = 0; at < message.blocks.length && tokens > tokensMax; at += 1) {
        const before = tokensOf(shorter);
        shorter = shortened(shorter, at, shortener);
        tokens += tokensOf(shorter) - before;
      }
      kept[index] = shorter;
    }
  }
  return tokens <= tokensMax ? kept : newest(kept, tokensMax);
}

function sum(messages: readonly ModelMessage[]): number {
  return messages.reduce((tokens, message) => tokens + tokensOf(message), 0);
}

function tokensOf(message: ModelMessage): number {
  return tokensOfBytes(Buffer.byteLength(JSON.stringify(message.blocks)));
}

/** Thinking is left out whole: it is signed and cannot be cut, and a summary can do without. */
function withoutThinking(message: ModelMessage): ModelMessage {
  if (message.role === 'user') return message;
  return {
    role: 'assistant',
    blocks: message.blocks.filter(({ kind }) => kind === 'text' || kind === 'tool'),
  };
}

/** With the block at `at` shortened. */
function shortened(message: ModelMessage, at: number, { input, answer }: Shortener): ModelMessage {
  if (message.role === 'user')
    return {
      role: 'user',
      blocks: message.blocks.map((block, index) => (index === at ? input(block) : block)),
    };
  const blocks = message.blocks.map((block, index) => (index === at ? answer(block) : block));
  return { role: 'assistant', blocks };
}

/** The first text, which says what it is all about, and as many of the last messages as fit. */
function newest(messages: readonly ModelMessage[], tokensMax: number): readonly ModelMessage[] {
  const first = messages[0]?.blocks.find((block) => block.kind === 'text');
  const note: readonly InputBlock[] = [
    ...(first === undefined ? [] : [first]),
    { kind: 'text', text: LEFT_OUT },
  ];
  let tokens = tokensOf({ role: 'user', blocks: note });
  let from = messages.length;
  while (from > 1) {
    const message = messages[from - 1];
    if (message === undefined || tokens + tokensOf(message) > tokensMax) break;
    tokens += tokensOf(message);
    from -= 1;
  }
  const tail = messages.slice(from);
  const [opening, ...rest] = tail;
  if (opening?.role !== 'user') return [{ role: 'user', blocks: note }, ...tail];
  return [{ role: 'user', blocks: [...note, ...opening.blocks.map(withoutCall)] }, ...rest];
}

/** The service refuses a result whose call is not in the message before. */
function withoutCall(block: InputBlock): InputBlock {
  return block.kind === 'result' ? { kind: 'text', text: `Result of a tool: ${block.output}` } : block;
}

function cut(text: string): string {
  if (text.length <= PIECE_CHARS_MAX) return text;
  const half = PIECE_CHARS_MAX / 2;
  const left = text.length - PIECE_CHARS_MAX;
  // A pair that the cut went through would be half a character, which the service refuses.
  return `${text.slice(0, half)}\n[... ${left} characters left out ...]\n${text.slice(-half)}`.toWellFormed();
}
