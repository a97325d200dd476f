/**
 * Puts an answer together from the events of its stream. The service is not trusted: an answer that no journal takes is
 * refused while it comes, as a ModelFailure, and never kept in memory beyond its bound.
 */
import type {
  RawContentBlockDelta,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages/messages';
import { outOfRoom } from '../../brain/item.ts';
import { type AnswerBlock, type ModelAnswer, ModelFailure } from '../../brain/model.ts';
import { APPEND_EVENTS_MAX, JSON_DEPTH_MAX } from '../../kernel/limit.ts';

/**
 * Characters of one answer, all blocks together: thirty for each token it may have. Escaped in JSON each has at most six
 * bytes, so that one append (twice BODY_BYTES_MAX) holds it.
 */
export const ANSWER_CHARS_MAX = 1024 * 1024;
/** Every block is an event at most, and the end of the answer is one. */
export const ANSWER_BLOCKS_MAX = APPEND_EVENTS_MAX - 1;
/** The service's own words have up to thirty characters. */
const STOP_REASON_CHARS_MAX = 100;

interface OpenBlock {
  readonly kind: 'thinking' | 'redacted' | 'text' | 'tool';
  text: string;
  signature: string;
  readonly id: string;
  readonly name: string;
  done: boolean;
}

export class AnswerReader {
  readonly #onText: (text: string) => void;
  readonly #blocks = new Map<number, OpenBlock>();
  #stopReason = 'end_turn';
  #chars = 0;
  #stopped = false;

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  /** Throws ModelFailure when the answer is larger than can be kept, or not an answer. */
  read(event: RawMessageStreamEvent): void {
    switch (event.type) {
      case 'content_block_start':
        this.#open(event.index, event.content_block);
        return;
      case 'content_block_delta':
        this.#add(event.index, event.delta);
        return;
      case 'content_block_stop': {
        const block = this.#blocks.get(event.index);
        if (block !== undefined) block.done = true;
        return;
      }
      case 'message_delta':
        this.#stopReason = stopReasonOf(event.delta.stop_reason) ?? this.#stopReason;
        return;
      case 'message_stop':
        this.#stopped = true;
        return;
      case 'message_start':
        return;
    }
  }

  /** Undefined when the stream ended too early. Throws ModelFailure when a tool call in it cannot be read. */
  answer(): ModelAnswer | undefined {
    if (!this.#stopped) return undefined;
    const stopReason = this.#stopReason;
    return { blocks: [...this.#blocks.values()].flatMap((block) => finished(block, stopReason)), stopReason };
  }

  /** Kinds of blocks that this version does not know (server tools) are never asked for, and passed over. */
  #open(index: number, start: { readonly type: string }): void {
    const empty = { text: '', signature: '', id: '', name: '', done: false };
    if (start.type === 'text' && 'text' in start) {
      const text = this.#counted(start.text);
      this.#blocks.set(index, { ...empty, kind: 'text', text });
      if (text !== '') this.#onText(text);
    } else if (start.type === 'thinking') {
      this.#blocks.set(index, { ...empty, kind: 'thinking' });
    } else if (start.type === 'redacted_thinking' && 'data' in start) {
      this.#blocks.set(index, { ...empty, kind: 'redacted', text: this.#counted(start.data) });
    } else if (start.type === 'tool_use' && 'id' in start && 'name' in start) {
      const [id, name] = [this.#counted(start.id), this.#counted(start.name)];
      this.#blocks.set(index, { ...empty, kind: 'tool', id, name });
    }
    if (this.#blocks.size > ANSWER_BLOCKS_MAX) throw tooLarge(`${ANSWER_BLOCKS_MAX} blocks`);
  }

  #add(index: number, delta: RawContentBlockDelta): void {
    const block = this.#blocks.get(index);
    if (block === undefined) return;
    if (delta.type === 'text_delta') {
      const text = this.#counted(delta.text);
      block.text += text;
      this.#onText(text);
    } else if (delta.type === 'thinking_delta') {
      block.text += this.#counted(delta.thinking);
    } else if (delta.type === 'signature_delta') {
      block.signature += this.#counted(delta.signature);
    } else if (delta.type === 'input_json_delta') {
      block.text += this.#counted(delta.partial_json);
    }
  }

  #counted(piece: unknown): string {
    if (typeof piece !== 'string') throw invalid('a piece of it is not a text', false);
    this.#chars += piece.length;
    if (this.#chars > ANSWER_CHARS_MAX) throw tooLarge(`${ANSWER_CHARS_MAX} characters`);
    return piece;
  }
}

function finished(block: OpenBlock, stopReason: string): readonly AnswerBlock[] {
  switch (block.kind) {
    case 'text':
      return [{ kind: 'text', text: block.text }];
    case 'redacted':
      return [{ kind: 'redacted', data: block.text }];
    case 'thinking':
      return [
        {
          kind: 'thinking',
          text: block.text,
          ...(block.signature === '' ? {} : { signature: block.signature }),
        },
      ];
    case 'tool': {
      const input = parseInput(block.text);
      if (input !== undefined) return [{ kind: 'tool', toolUseId: block.id, tool: block.name, input }];
      // A call that was cut off at the output limit is no call; the model is told to go on and makes it again.
      if (outOfRoom(stopReason) || stopReason === 'refusal') return [];
      throw invalid('the input of a tool call is not JSON', true);
    }
  }
}

/** Undefined when it is not JSON. */
function parseInput(json: string): unknown {
  if (json.trim() === '') return {};
  const input = parsed(json);
  if (isDeep(input)) throw invalid('the input of a tool call is nested too deeply', false);
  return input;
}

/** Level by level, not by recursion: the depth of the stack is what has to be kept safe. */
function isDeep(value: unknown): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; depth <= JSON_DEPTH_MAX; depth += 1) {
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
    if (level.length === 0) return false;
  }
  return true;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function stopReasonOf(said: unknown): string | undefined {
  if (said === undefined || said === null) return undefined;
  if (typeof said !== 'string' || said.length > STOP_REASON_CHARS_MAX)
    throw invalid('its stop reason is not a word', false);
  return said;
}

function invalid(reason: string, retriable: boolean): ModelFailure {
  const message = `The model service sent an answer that cannot be read: ${reason}. Send the message again, or give the agent another model.`;
  return new ModelFailure('MODEL_ANSWER_INVALID', message, { type: 'invalid_answer', retriable });
}

function tooLarge(bound: string): ModelFailure {
  const message = `The answer of the model is larger than ${bound}. Ask for less at once.`;
  return new ModelFailure('MODEL_ANSWER_TOO_LARGE', message, { type: 'answer_too_large', retriable: false });
}
