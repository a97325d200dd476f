/** A model in memory that plays a rehearsal script, and waits or fails when a test says so. */
import type {
  AnswerBlock,
  AnswerSink,
  InputBlock,
  Model,
  ModelAnswer,
  ModelFailure,
  ModelRequest,
} from '../../src/brain/model.ts';
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

/** What a PlayedModel answers one request with: pieces are told first, then the answer is given, or the failure thrown. */
export interface Play {
  readonly pieces?: readonly string[];
  readonly blocks?: readonly AnswerBlock[];
  readonly stopReason?: string;
  readonly refusal?: ModelAnswer['refusal'];
  readonly requestId?: string;
  readonly fails?: ModelFailure;
  /** Awaited after the pieces were told. */
  readonly after?: (signal: AbortSignal) => Promise<void>;
}

/** A model in memory that answers each request by what it is asked. */
export class PlayedModel implements Model {
  readonly requests: ModelRequest[] = [];
  readonly #played: (request: ModelRequest, number: number) => Play | string;

  /** `number` is 1 for the first request; a string is an answer that says just that. */
  constructor(played: (request: ModelRequest, number: number) => Play | string) {
    this.#played = played;
  }

  async answer(request: ModelRequest, signal: AbortSignal, sink: AnswerSink): Promise<ModelAnswer> {
    this.requests.push(request);
    const given = this.#played(request, this.requests.length);
    const answer: Play = typeof given === 'string' ? { blocks: [{ kind: 'text', text: given }] } : given;
    for (const piece of answer.pieces ?? []) sink.text(piece);
    await answer.after?.(signal);
    signal.throwIfAborted();
    if (answer.fails !== undefined) throw answer.fails;
    const { blocks = [], refusal, requestId } = answer;
    for (const block of blocks) {
      if (block.kind === 'text' && answer.pieces === undefined) sink.text(block.text);
      if (block.kind === 'thinking') sink.thinking(block.text);
    }
    const calls = blocks.some(({ kind }) => kind === 'tool');
    return { blocks, stopReason: answer.stopReason ?? (calls ? 'tool_use' : 'end_turn'), refusal, requestId };
  }

  /** Of the last request, or the one at `index`: each message as its role and its blocks in words. */
  shown(index = -1): readonly string[] {
    return (this.requests.at(index)?.messages ?? []).map(
      ({ role, blocks }) => `${role}: ${blocks.map(wordsOf).join(' | ')}`,
    );
  }
}

/** One call of a tool. */
export function toolBlock(tool: string, input: object, toolUseId = `toolu_${tool}`): AnswerBlock {
  return { kind: 'tool', toolUseId, tool, input };
}

function wordsOf(block: AnswerBlock | InputBlock): string {
  switch (block.kind) {
    case 'text':
      return block.text;
    case 'thinking':
      return `(${block.text})`;
    case 'redacted':
      return `(${block.data})`;
    case 'tool':
      return `${block.tool}${JSON.stringify(block.input)}#${block.toolUseId}`;
    case 'result':
      return `${block.failed ? 'failed ' : ''}#${block.toolUseId}=${block.output}`;
  }
}
