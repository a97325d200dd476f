/** One attempt of one model call, with what people see of it while it goes on. */
import type { Clock } from '../kernel/clock.ts';
import { type Said, SAID_CHARS_MAX } from '../sessions/turn-events.ts';
import { purposeOf } from './call-id.ts';
import { DeltaPost } from './delta-post.ts';
import type { AnswerSink, Model, ModelAnswer, ModelRequest } from './model.ts';
import type { Unit } from './unit.ts';

/** What an attempt has said so far; the answer of a compaction is seen by nobody. */
export class Attempt {
  readonly #callId: string;
  readonly #seen: boolean;
  readonly #before: Said | undefined;
  #text = '';

  /** `before`: what the attempts before it have said. */
  constructor(callId: string, before: Said | undefined) {
    this.#callId = callId;
    this.#seen = purposeOf(callId) === 'answer';
    this.#before = before?.callId === callId ? before : undefined;
  }

  /** What people see of the call: of the attempt before, as long as this one has said nothing. */
  get said(): Said | undefined {
    return this.#text.trim() === '' ? this.#before : { callId: this.#callId, text: this.#text };
  }

  /** Asks the model; rejects as Model.answer does. */
  async make(
    ports: { readonly model: Model; readonly unit: Unit; readonly clock: Clock },
    request: ModelRequest,
    signal: AbortSignal,
  ): Promise<ModelAnswer> {
    const message = new DeltaPost(ports, this.#callId, 'message');
    const thinking = new DeltaPost(ports, this.#callId, 'thinking');
    const sink: AnswerSink = {
      text: (piece) => {
        if (!this.#seen) return;
        if (this.#text.length < SAID_CHARS_MAX) this.#text = (this.#text + piece).slice(0, SAID_CHARS_MAX);
        message.push(piece);
      },
      thinking: (piece) => {
        if (this.#seen) thinking.push(piece);
      },
    };
    try {
      return await ports.model.answer(request, signal, sink);
    } finally {
      await Promise.all([message.close(), thinking.close()]);
    }
  }
}
