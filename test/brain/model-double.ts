/** A model in memory that plays a rehearsal script, and waits or fails when a test says so. */
import type { AnswerSink, Model, ModelAnswer, ModelRequest } from '../../src/brain/model.ts';
import { paramsOf } from '../../src/platform/anthropic/params.ts';
import { play, readAsked } from '../../src/rehearsal/play.ts';
import { parseScript, type Script } from '../../src/rehearsal/script.ts';

export class ModelDouble implements Model {
  readonly requests: ModelRequest[] = [];
  /** Awaited before each answer; throws to fail the attempt. */
  before: (request: ModelRequest, signal: AbortSignal) => Promise<void> = () => Promise.resolve();
  readonly #script: Script;

  constructor(script: object) {
    this.#script = parseScript('double', JSON.stringify({ description: 'of a test', ...script }));
  }

  async answer(request: ModelRequest, signal: AbortSignal, sink: AnswerSink): Promise<ModelAnswer> {
    this.requests.push(request);
    await this.before(request, signal);
    signal.throwIfAborted();
    const asked = readAsked(paramsOf(request));
    const played = asked === undefined ? undefined : play(this.#script, asked);
    if (played === undefined) throw new Error('the script has no answer');
    return {
      stopReason: played.stopReason ?? 'end_turn',
      blocks: played.blocks.map((block) => {
        if (block.type === 'thinking')
          return { kind: 'thinking', text: block.thinking, signature: block.signature };
        if (block.type === 'redacted_thinking') return { kind: 'redacted', data: block.data };
        if (block.type === 'tool_use')
          return { kind: 'tool', toolUseId: block.id, tool: block.name, input: block.input };
        sink.text(block.text);
        return { kind: 'text', text: block.text };
      }),
    };
  }
}

/** Resolves never, but rejects when `signal` aborts. */
export function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true });
    if (signal.aborted) reject(new Error('aborted'));
  });
}
