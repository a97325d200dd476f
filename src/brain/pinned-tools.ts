/**
 * C4 The model is offered the tools that the log says (model.started.tools), whatever this version has.
 */
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

  /** C5: whether a call has said them. */
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
