/** The tools that the model is offered: those of the log, whatever this version has (CONVERSATION-4). */
import type { BodyOf } from '../journal/event.ts';
import type { Purpose } from './call-id.ts';
import type { ToolSpec } from './model.ts';
import { TOOLBOX_BEFORE_PINNING } from './toolbox-before-pinning.ts';

export class PinnedTools {
  #specs: readonly ToolSpec[] | undefined;
  #mayPin = true;
  #isSaid = false;

  /** Undefined before the first model call. */
  get specs(): readonly ToolSpec[] | undefined {
    return this.#specs;
  }

  /** CONVERSATION-5: whether a call has said them. */
  get isSaid(): boolean {
    return this.#isSaid;
  }

  /** Whether the next call may offer other tools: nothing that it sends is bound to those of before. */
  get mayPin(): boolean {
    return this.#mayPin;
  }

  started(purpose: Purpose, { tools }: BodyOf<'model.started'>): void {
    // The journal holds what a brain wrote; a session of a version that wrote none had these.
    this.#specs = (tools as readonly ToolSpec[] | undefined) ?? this.#specs ?? TOOLBOX_BEFORE_PINNING;
    this.#isSaid ||= tools !== undefined;
    if (purpose === 'answer') this.#mayPin = false;
  }

  compacted(): void {
    this.#mayPin = true;
  }
}
