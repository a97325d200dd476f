/** Tool calls that somebody approved: where in the log, and what they run with where that is not what the model passed. */
import type { BodyOf } from '../journal/event.ts';
import type { OpenToolCall, ToolCallItem } from './item.ts';

export class Approvals {
  readonly #approved = new Map<string, { readonly seq: number; readonly input?: unknown }>();

  apply({ callId, input }: BodyOf<'tool.resolved'>, seq: number): void {
    this.#approved.set(callId, { seq, input });
  }

  /** As it is to be run, by the brain that came with `brainSeq`. Nobody has asked for it before it was approved. */
  open(call: ToolCallItem, brainSeq: number): OpenToolCall {
    const approved = this.#approved.get(call.callId);
    const inherited = (approved?.seq ?? call.seq) < brainSeq;
    if (approved?.input === undefined) return { ...call, inherited };
    return { ...call, input: approved.input, isChanged: true, inherited };
  }
}
