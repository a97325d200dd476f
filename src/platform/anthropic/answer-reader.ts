/** Puts an answer together from the events of its stream. */
import type {
  RawContentBlockDelta,
  RawMessageStreamEvent,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { AnswerBlock, ModelAnswer } from '../../brain/model.ts';

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
  #stopped = false;

  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

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
        this.#stopReason = event.delta.stop_reason ?? this.#stopReason;
        return;
      case 'message_stop':
        this.#stopped = true;
        return;
      case 'message_start':
        return;
    }
  }

  /** Undefined when the stream ended too early. */
  answer(): ModelAnswer | undefined {
    if (!this.#stopped) return undefined;
    return { blocks: [...this.#blocks.values()].flatMap(finished), stopReason: this.#stopReason };
  }

  /** Kinds of blocks that this version does not know (server tools) are never asked for, and passed over. */
  #open(index: number, start: { readonly type: string }): void {
    const empty = { text: '', signature: '', id: '', name: '', done: false };
    if (start.type === 'text' && 'text' in start) {
      const text = String(start.text);
      this.#blocks.set(index, { ...empty, kind: 'text', text });
      if (text !== '') this.#onText(text);
    } else if (start.type === 'thinking') {
      this.#blocks.set(index, { ...empty, kind: 'thinking' });
    } else if (start.type === 'redacted_thinking' && 'data' in start) {
      this.#blocks.set(index, { ...empty, kind: 'redacted', text: String(start.data) });
    } else if (start.type === 'tool_use' && 'id' in start && 'name' in start) {
      this.#blocks.set(index, { ...empty, kind: 'tool', id: String(start.id), name: String(start.name) });
    }
  }

  #add(index: number, delta: RawContentBlockDelta): void {
    const block = this.#blocks.get(index);
    if (block === undefined) return;
    if (delta.type === 'text_delta') {
      block.text += delta.text;
      this.#onText(delta.text);
    } else if (delta.type === 'thinking_delta') {
      block.text += delta.thinking;
    } else if (delta.type === 'signature_delta') {
      block.signature += delta.signature;
    } else if (delta.type === 'input_json_delta') {
      block.text += delta.partial_json;
    }
  }
}

function finished(block: OpenBlock): readonly AnswerBlock[] {
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
      // A call that was cut off at the output limit is no call; the model is told to go on and makes it again.
      return input === undefined ? [] : [{ kind: 'tool', toolUseId: block.id, tool: block.name, input }];
    }
  }
}

function parseInput(json: string): unknown {
  if (json.trim() === '') return {};
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
