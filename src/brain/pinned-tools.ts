/** The tools that the model is offered: those of the log, whatever this version has (CONVERSATION-4). */
import type { BodyOf } from '../journal/event.ts';
import type { Purpose } from './call-id.ts';
import type { ToolSpec } from './model.ts';
import { offeredTools } from './client-tools.ts';
import { TOOLBOX_BEFORE_PINNING } from './toolbox-before-pinning.ts';

export class PinnedTools {
  readonly #offered: readonly ToolSpec[];
  #specs: readonly ToolSpec[] | undefined;
  #mayPin = true;
  #isSaid = false;

  /** `own`: those that the agent declares. */
  constructor(own: readonly ToolSpec[] = []) {
    this.#offered = offeredTools(own);
  }

  get specs(): readonly ToolSpec[] {
    return this.#specs ?? this.#offered;
  }

  /** CONVERSATION-5: whether a call has said them. */
  get isSaid(): boolean {
    return this.#isSaid;
  }

  /**
   * What the next call says of its tools. They are said once, and again after each compaction: nothing that is sent then is bound to those of
   * before, and whoever begins to read there finds them (sessions/wake-place.ts, WAKE-1). The session goes on with the tools that it had,
   * also where no call has said them.
   */
  toSay(purpose: Purpose): readonly ToolSpec[] | undefined {
    if (purpose === 'answer' && this.#mayPin) return this.#offered;
    return this.#isSaid ? undefined : this.specs;
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
