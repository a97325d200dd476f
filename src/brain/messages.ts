/**
 * The conversation as the model is given it. The service wants every tool call answered in the very next user message,
 * and nothing empty: a call whose turn ended before its result was known gets one that says so. Beside each block stands the
 * event that it is from, for when the service names a block that it does not take (repair.ts).
 */
import type { Conversation } from './conversation.ts';
import { type AnswerItem, keptBlocks } from './item.ts';
import type { AnswerBlock, InputBlock, ModelMessage } from './model.ts';
import { RETRACTED, UNSENDABLE, WITHHELD } from './notes.ts';
import type { ToolEnd } from './progress.ts';

const SUMMARY_OPENING =
  'The conversation before this point was condensed to make room. This is what to keep in mind of it:';
const SUMMARY_CLOSING = 'Go on from there.';
const NO_RESULT = 'The turn ended before this call did; what it has done is unknown.';

/** Where a block is from; undefined for words of the runtime. */
type Seq = number | undefined;

export interface Rendered {
  readonly messages: readonly ModelMessage[];
  /** Of each block of each message. */
  readonly seqs: readonly (readonly Seq[])[];
}

export interface RenderOptions {
  /** The model that it is for, where it is not the session's own: thinking of another model is left out. */
  readonly model?: string | undefined;
  /** No thinking, and calls with their results as words: for when the service takes it in no other form. */
  readonly plain?: boolean | undefined;
}

type Source = Pick<Conversation, 'items' | 'result' | 'repairs'>;

/** Pure: the same conversation gives the same messages, so that a repeated request finds its prompt cache. */
export function messagesOf(conversation: Source, options: RenderOptions = {}): readonly ModelMessage[] {
  return rendered(conversation, options).messages;
}

export function rendered(conversation: Source, options: RenderOptions = {}): Rendered {
  const { items, repairs } = conversation;
  const pages = new Pages();
  for (const [index, item] of items.entries()) {
    switch (item.kind) {
      case 'said':
        if (item.text.trim() !== '')
          pages.ask({ kind: 'text', text: repairs.isReplaced(item.seq) ? UNSENDABLE : item.text }, item.seq);
        break;
      case 'summary': {
        const summary = repairs.isReplaced(item.seq) ? UNSENDABLE : item.text;
        pages.ask({ kind: 'text', text: `${SUMMARY_OPENING}\n\n${summary}\n\n${SUMMARY_CLOSING}` }, item.seq);
        break;
      }
      case 'note':
      case 'news':
        pages.ask({ kind: 'text', text: item.text });
        break;
      case 'aborted': {
        const text = repairs.isReplaced(item.seq) ? UNSENDABLE : item.text.trimEnd();
        pages.answer([{ block: { kind: 'text', text }, seq: item.seq }]);
        break;
      }
      case 'retracted':
        if (items[index - 1]?.kind !== 'retracted') pages.ask({ kind: 'text', text: RETRACTED });
        break;
      case 'answer':
        renderAnswer(pages, conversation, item, options);
    }
  }
  return pages.end();
}

function renderAnswer(pages: Pages, conversation: Source, item: AnswerItem, options: RenderOptions): void {
  const { repairs } = conversation;
  if (item.seqs.some((seq) => repairs.isSuspect(seq))) {
    pages.answer([{ block: { kind: 'text', text: UNSENDABLE }, seq: undefined }]);
    return;
  }
  const foreign = item.model !== options.model;
  const asWords = (seq: number): boolean => options.plain === true || repairs.isReplaced(seq);
  const blocks = keptBlocks(item).flatMap((block) => {
    const seq = item.seqs[item.blocks.indexOf(block)] ?? 0;
    if (block.kind === 'thinking' || block.kind === 'redacted')
      return foreign || options.plain === true || repairs.dropsThinking(seq) ? [] : [{ block, seq }];
    if (block.kind === 'tool' && !asWords(seq)) return [{ block, seq }];
    if (block.kind === 'text' && !repairs.isReplaced(seq)) return [{ block, seq }];
    return [{ block: wordsOf(block, repairs.isReplaced(seq)), seq }];
  });
  if (blocks.length === 0) return;
  pages.answer(blocks);
  const words: [string, Seq][] = [];
  for (const { callId, toolUseId, tool, seq } of item.tools) {
    const end = conversation.result(callId);
    const output = outputOf(end, end !== undefined && repairs.isReplaced(end.seq));
    if (asWords(seq)) words.push([`Result of the call of ${tool}: ${output}`, end?.seq]);
    else pages.ask({ kind: 'result', toolUseId, output, failed: end?.outcome !== 'ok' }, end?.seq);
  }
  for (const [text, seq] of words) pages.ask({ kind: 'text', text }, seq); // results come first in a message
}

/** A block in words: a call that is told, or what stands for something that cannot be sent. */
function wordsOf(block: AnswerBlock, unsendable: boolean): AnswerBlock {
  if (unsendable || block.kind !== 'tool') return { kind: 'text', text: UNSENDABLE };
  return { kind: 'text', text: `[I called ${block.tool} with ${JSON.stringify(block.input)}]` };
}

function outputOf(end: ToolEnd | undefined, unsendable: boolean): string {
  if (end === undefined) return NO_RESULT;
  if (end.withheld === true) return WITHHELD;
  if (unsendable) return UNSENDABLE;
  return end.outcome === 'ok' || end.outcome === 'failed' ? end.output : `[${end.outcome}] ${end.output}`;
}

/** Messages in the making: what stands before an answer is one message of the user. */
class Pages {
  readonly #messages: ModelMessage[] = [];
  readonly #seqs: Seq[][] = [];
  #asked: { readonly block: InputBlock; readonly seq: Seq }[] = [];

  ask(block: InputBlock, seq?: Seq): void {
    this.#asked.push({ block, seq });
  }

  answer(blocks: readonly { readonly block: AnswerBlock; readonly seq: Seq }[]): void {
    this.#flush();
    this.#messages.push({ role: 'assistant', blocks: blocks.map(({ block }) => block) });
    this.#seqs.push(blocks.map(({ seq }) => seq));
  }

  end(): Rendered {
    this.#flush();
    return { messages: this.#messages, seqs: this.#seqs };
  }

  #flush(): void {
    if (this.#asked.length === 0) return;
    this.#messages.push({ role: 'user', blocks: this.#asked.map(({ block }) => block) });
    this.#seqs.push(this.#asked.map(({ seq }) => seq));
    this.#asked = [];
  }
}
