/** The answer that the log is telling: its blocks as they are read, until model.completed makes it an item (CONVERSATION-3). */
import type { BodyOf, Event } from '../journal/event.ts';
import type { Heard } from './inbox.ts';
import type { AnswerItem, ToolCallItem } from './item.ts';
import type { AnswerBlock } from './model.ts';

export type AnswerEvent = Extract<Event, { type: 'agent.thinking' | 'agent.message' | 'tool.call' }>;

export class AnswerDraft {
  #blocks: AnswerBlock[] = [];
  #seqs: number[] = [];
  #tools: ToolCallItem[] = [];
  #messageSeq: number | undefined;
  #cut: Heard | undefined;

  /** What was journalled of an attempt that was cut. */
  get cut(): Heard | undefined {
    return this.#cut;
  }

  /** Another call has started. */
  begin(): void {
    this.#blocks = [];
    this.#seqs = [];
    this.#tools = [];
    this.#messageSeq = undefined;
    this.#cut = undefined;
  }

  write(event: AnswerEvent): void {
    const { seq } = event;
    if (event.type === 'agent.message' && event.body.aborted === true) {
      this.#cut = { seq, text: event.body.text };
      return;
    }
    this.#seqs.push(seq);
    this.#blocks.push(this.#blockOf(event));
    if (event.type === 'agent.message' && event.level === 'user') this.#messageSeq = seq;
  }

  /** The answer, which has ended: with it ends what was cut of an attempt before, since all of it was said anew. */
  complete(turn: number, model: string | undefined, body: BodyOf<'model.completed'>): AnswerItem {
    const { stopReason, refusalCategory: category, refusalExplanation: explanation } = body;
    return {
      kind: 'answer',
      turn,
      stopReason,
      blocks: this.#blocks,
      seqs: this.#seqs,
      tools: this.#tools,
      messageSeq: this.#messageSeq,
      model,
      refusal: stopReason === 'refusal' ? { category, explanation } : undefined,
    };
  }

  #blockOf(event: AnswerEvent): AnswerBlock {
    if (event.type === 'agent.message') return { kind: 'text', text: event.body.text };
    if (event.type === 'agent.thinking') {
      const { text, signature, redacted } = event.body;
      return redacted === undefined
        ? { kind: 'thinking', text, signature }
        : { kind: 'redacted', data: redacted };
    }
    const { callId, toolUseId, tool, input, defect } = event.body;
    this.#tools.push({ callId, toolUseId, tool, input, defect, seq: event.seq });
    return { kind: 'tool', toolUseId, tool, input, defect };
  }
}
