/**
 * Puts an answer together from the events of its stream, or from a whole Message. The service is not trusted: an answer
 * that no journal takes is refused while it comes, as a ModelFailure, and never kept in memory beyond its bound. Services
 * that only speak like the first one differ in how they cut an answer into blocks; a part of it is read or refused, and
 * never lost without a word:
 *
 * ANSWER-1 A new block closes the one that had its index before; the order is that of the starts.
 * ANSWER-2 What stands whole in the start of a block counts as its first piece.
 * ANSWER-3 A piece of another kind than the open block, or without one, begins a block of its own.
 */
import type {
  RawContentBlockDelta,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages/messages';
import { outOfRoom } from '../../brain/item.ts';
import { type AnswerSink, type ModelAnswer, ModelFailure } from '../../brain/model.ts';
import { APPEND_EVENTS_MAX } from '../../kernel/limit.ts';
import { type JsonObject, objectOf, textOf } from './json-value.ts';
import { finishedBlocks, type WrittenBlock } from './finished-blocks.ts';
import { Pieces } from './pieces.ts';
import { WireIds } from './wire-names.ts';

/**
 * Characters of one answer, all blocks together: thirty for each token it may have. Escaped in JSON each has at most six
 * bytes, so that one append (twice BODY_BYTES_MAX) holds it.
 */
export const ANSWER_CHARS_MAX = 1024 * 1024;
/** Every block is an event at most, and the end of the answer is one. */
export const ANSWER_BLOCKS_MAX = APPEND_EVENTS_MAX - 1;
/** The service's own words have up to thirty characters. */
const STOP_REASON_CHARS_MAX = 100;
/** What the service says about a refusal: some sentences. */
const REFUSAL_CHARS_MAX = 1_000;
/** Kinds of unknown blocks that a failure names. */
const UNKNOWN_KINDS_MAX = 5;
/** The service's own names of kinds have up to forty characters. */
const KIND_CHARS_MAX = 60;
const END_TURN = 'end_turn';

export class AnswerReader {
  readonly #sink: AnswerSink;
  readonly #callId: string;
  readonly #ids: WireIds;
  readonly #blocks: WrittenBlock[] = [];
  /** By index; undefined: a block of a kind that is passed over. */
  readonly #open = new Map<unknown, WrittenBlock | undefined>();
  readonly #unknown = new Set<string>();
  #starts = 0;
  #chars = 0;
  #stopReason: string | undefined;
  #refusal: ModelAnswer['refusal'];
  #stopped = false;
  /** A stop reason came, and nothing after it: complete, though the last event of all is missing. */
  #ended = false;
  #opening: JsonObject = {};

  /** `usedIds`: of the tool calls in the request, none of which an answer may use again. */
  constructor(sink: AnswerSink, callId: string, usedIds: Iterable<string> = []) {
    this.#sink = sink;
    this.#callId = callId;
    this.#ids = new WireIds(usedIds);
  }

  /** Whether the service said that the answer is over. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Throws ModelFailure when the answer is larger than can be kept, or not an answer. */
  read(event: JsonObject & { readonly type: string }): void {
    const type = event.type as RawMessageStreamEvent['type']; // or one of a later version, which no case names
    switch (type) {
      case 'content_block_start':
        this.#start(event['index'], objectOf(event['content_block']) ?? {});
        return;
      case 'content_block_delta':
        this.#add(event['index'], objectOf(event['delta']) ?? {});
        return;
      case 'content_block_stop':
        this.#close(this.#open.get(event['index'])); // stays open: some services stop a block before its last piece
        return;
      case 'message_delta':
        this.#end(objectOf(event['delta']) ?? {});
        this.#ended = this.#stopReason !== undefined;
        return;
      case 'message_stop':
        this.#stopped = true;
        return;
      case 'message_start':
        this.#opening = objectOf(event['message']) ?? {};
        return;
    }
  }

  /** A Message that was not streamed. Throws as `read` does. */
  readMessage(message: JsonObject): void {
    this.#opening = message;
    this.#stopped = true;
  }

  /**
   * Undefined when the stream ended too early: neither an end nor a stop reason came. Throws ModelFailure when nothing in
   * the answer can be read.
   */
  answer(): ModelAnswer | undefined {
    if (!this.#stopped && !this.#ended) return undefined;
    this.#takeOpening();
    for (const block of this.#blocks) this.#close(block);
    const stopReason = this.#stopReason ?? END_TURN;
    const blocks = finishedBlocks(this.#blocks, { stopReason, ids: this.#ids, callId: this.#callId });
    const said = blocks.some(
      (block) => block.kind === 'tool' || (block.kind === 'text' && block.text.trim() !== ''),
    );
    if (!said && this.#unknown.size > 0 && !outOfRoom(stopReason) && stopReason !== 'refusal') {
      const kinds = [...this.#unknown].join(', ');
      throw invalid(`it holds only blocks of kinds that this version does not know (${kinds})`);
    }
    const refusal = stopReason === 'refusal' && this.#refusal !== undefined ? { refusal: this.#refusal } : {};
    return { blocks, stopReason, ...refusal };
  }

  /** ANSWER-2: what message_start, or a whole Message, held, where nothing else came. */
  #takeOpening(): void {
    const { content } = this.#opening;
    if (this.#starts === 0 && Array.isArray(content))
      for (const block of content) this.#start(undefined, objectOf(block) ?? {});
    if (this.#stopReason === undefined) this.#end(this.#opening);
  }

  #start(index: unknown, start: JsonObject): void {
    this.#count();
    const type = textOf(start['type']) ?? 'none';
    if (type === 'text') {
      this.#open.set(index, this.#begun('text', start['text']));
    } else if (type === 'thinking') {
      this.#open.set(index, this.#begun('thinking', start['thinking'], start['signature']));
    } else if (type === 'redacted_thinking') {
      this.#open.set(index, this.#keep({ kind: 'redacted', data: this.#counted(start['data']) }));
    } else if (type === 'tool_use') {
      const { input } = start;
      const [id, name] = [this.#counted(start['id']), this.#counted(start['name'])];
      this.#countInput(input);
      this.#open.set(index, this.#keep({ kind: 'tool', id, name, start: input, json: '' }));
    } else {
      // Blocks of the service's own tools and of later versions are never asked for, and passed over.
      if (this.#unknown.size < UNKNOWN_KINDS_MAX)
        this.#unknown.add(type.slice(0, KIND_CHARS_MAX).toWellFormed());
      this.#open.set(index, undefined);
    }
  }

  #add(index: unknown, delta: JsonObject): void {
    this.#ended = false;
    const type = delta['type'] as RawContentBlockDelta['type']; // or one of a later version, which no case names
    const open = this.#open.get(index);
    switch (type) {
      case 'text_delta':
        this.#write(index, 'text', open, delta['text']);
        return;
      case 'thinking_delta':
        this.#write(index, 'thinking', open, delta['thinking']);
        return;
      case 'signature_delta': {
        const signature = this.#counted(delta['signature']);
        if (open?.kind !== 'thinking') return;
        // what stood in the start was the same, or empty
        open.signature = open.signed ? open.signature + signature : signature;
        open.signed = true;
        return;
      }
      case 'input_json_delta': {
        const piece = this.#counted(delta['partial_json']);
        if (open?.kind === 'tool') open.json += piece;
        else if (!this.#open.has(index) || open !== undefined) this.#nameless(index, piece); // ANSWER-3
        return;
      }
      case 'citations_delta':
        return;
    }
  }

  /** ANSWER-3: text and thinking go into an open block of their kind. */
  #write(index: unknown, kind: 'text' | 'thinking', open: WrittenBlock | undefined, given: unknown): void {
    if (open?.kind === kind) this.#tell(kind, open.pieces.add(this.#counted(given)));
    else if (this.#counted(given) !== '') {
      this.#count();
      this.#open.set(index, this.#begun(kind, given));
    }
  }

  #begun(kind: 'text' | 'thinking', given: unknown, signature?: unknown): WrittenBlock {
    const pieces = new Pieces();
    const block = this.#keep({ kind, pieces, signature: this.#counted(signature), signed: false });
    this.#tell(kind, pieces.add(this.#counted(given))); // ANSWER-2
    return block;
  }

  /** Input of a call that was never begun: nobody knows which tool it is for, and the model is told so. */
  #nameless(index: unknown, piece: string): void {
    if (piece === '') return;
    this.#start(index, { type: 'tool_use' });
    const block = this.#open.get(index);
    if (block?.kind === 'tool') block.json = piece;
  }

  #count(): void {
    this.#ended = false;
    this.#starts += 1;
    if (this.#starts > ANSWER_BLOCKS_MAX) throw tooLarge(`${ANSWER_BLOCKS_MAX} blocks`);
  }

  #keep(block: WrittenBlock): WrittenBlock {
    const before = this.#blocks.at(-1);
    if (before !== undefined) this.#close(before);
    this.#blocks.push(block); // ANSWER-1
    return block;
  }

  #close(block: WrittenBlock | undefined): void {
    if (block?.kind === 'text' || block?.kind === 'thinking') this.#tell(block.kind, block.pieces.end());
  }

  #tell(kind: 'text' | 'thinking', piece: string): void {
    if (piece === '') return;
    if (kind === 'text') this.#sink.text(piece);
    else this.#sink.thinking(piece);
  }

  #end(of: JsonObject): void {
    this.#stopReason = stopReasonOf(of['stop_reason']) ?? this.#stopReason;
    this.#refusal = refusalOf(objectOf(of['stop_details']) ?? {}) ?? this.#refusal;
  }

  /** A whole input is as large as its text; one that is too deep to be printed is refused where it is read. */
  #countInput(input: unknown): void {
    try {
      this.#counted(typeof input === 'string' ? input : JSON.stringify(input));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  #counted(piece: unknown): string {
    if (piece === undefined || piece === null) return '';
    if (typeof piece !== 'string') throw invalid('a piece of it is not a text');
    this.#chars += piece.length;
    if (this.#chars > ANSWER_CHARS_MAX) throw tooLarge(`${ANSWER_CHARS_MAX} characters`);
    return piece;
  }
}

function stopReasonOf(said: unknown): string | undefined {
  if (said === undefined || said === null) return undefined;
  if (typeof said !== 'string' || said.length > STOP_REASON_CHARS_MAX)
    throw invalid('its stop reason is not a word');
  return said.toWellFormed();
}

function refusalOf(details: JsonObject): ModelAnswer['refusal'] {
  const bounded = (value: unknown): string | undefined =>
    textOf(value)?.slice(0, REFUSAL_CHARS_MAX).toWellFormed();
  const [category, explanation] = [bounded(details['category']), bounded(details['explanation'])];
  return category === undefined && explanation === undefined ? undefined : { category, explanation };
}

function invalid(reason: string): ModelFailure {
  const message = `The model service sent an answer that cannot be read: ${reason}. Send the message again, or give the agent another model.`;
  return new ModelFailure('MODEL_ANSWER_INVALID', message, { type: 'invalid_answer', retriable: false });
}

function tooLarge(bound: string): ModelFailure {
  const message = `The answer of the model is larger than ${bound}. Ask for less at once.`;
  return new ModelFailure('MODEL_ANSWER_TOO_LARGE', message, { type: 'answer_too_large', retriable: false });
}
