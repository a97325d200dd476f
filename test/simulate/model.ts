/**
 * The model service, scripted by chance: what a call is answered depends on the seed, the session, the call and how often it
 * was made, never on when. The brain's side goes through the unit endpoint as every model call does; the other side meters.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ModelFailure, type AnswerBlock, type Model, type ModelAnswer } from '../../src/brain/model.ts';
import { refusalOf } from '../../src/brain/unit-endpoint.ts';
import { UnitRefusal } from '../../src/brain/unit.ts';
import type { Http } from '../../src/brain/unix-http.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import type { SessionRuns } from '../../src/sessions/session-runs.ts';
import { CALL_HEADER } from '../../src/sessions/unit-wire.ts';
import { diceOf } from './dice.ts';
import type { SimNode } from './node.ts';
import type { World } from './world.ts';

type Line =
  | { readonly kind: 'piece'; readonly text: string }
  | { readonly kind: 'thought'; readonly text: string }
  | { readonly kind: 'answer'; readonly answer: ModelAnswer }
  | {
      readonly kind: 'failure';
      readonly code: 'MODEL_OVERLOADED' | 'MODEL_REQUEST_INVALID';
      readonly retriable: boolean;
    };

/** Model calls of one turn after which the model comes to an end. */
const CALLS_MAX = 4;
/** Longer than what an event carries inline (kernel/limit.ts BODY_INLINE_BYTES_MAX). */
const LONG_CHARS = 40_000;

/** The brain's side. */
export function simModel({ http, token }: { http: Http; token: string }): Model {
  return {
    async answer(request, signal, sink) {
      const headers = { authorization: `Bearer ${token}`, [CALL_HEADER]: request.callId };
      try {
        const response = await http({ method: 'POST', path: '/v1/messages', headers, body: '{}', signal });
        if (response.status >= 400) throw await refusalOf(response);
        let text = '';
        for await (const chunk of response.body) {
          text += Buffer.from(chunk).toString();
          const lines = text.split('\n');
          text = lines.pop() ?? '';
          for (const written of lines) {
            const line = JSON.parse(written) as Line; // written below
            if (line.kind === 'piece') sink.text(line.text);
            else if (line.kind === 'thought') sink.thinking(line.text);
            else if (line.kind === 'answer') return line.answer;
            else throw failure(line.code, line.retriable);
          }
        }
        throw new Error('The answer was cut.');
      } catch (error) {
        if (error instanceof ModelFailure || error instanceof UnitRefusal || signal.aborted) throw error;
        throw failure('MODEL_OVERLOADED', true, error);
      }
    },
  };
}

/** The service behind the door of one server. */
export class ModelService {
  readonly #world: World;
  /** Requests per call: the same over all servers. */
  readonly #asked = new Map<string, number>();
  /** Sessions by the order in which they came, which does not depend on their ids. */
  readonly #numbers = new Map<SessionId, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** As the gateway does: answers while the session's brain listens, and meters what was used, also of an answer that was cut. */
  async serve(
    { node, sessions }: { node: SimNode; sessions: SessionRuns },
    request: IncomingMessage,
    response: ServerResponse,
    sessionId: SessionId,
  ): Promise<void> {
    const callId = String(request.headers[CALL_HEADER]);
    const number = this.#numbers.get(sessionId) ?? this.#numbers.size;
    this.#numbers.set(sessionId, number);
    const place = `${number} ${callId}`;
    const asked = (this.#asked.get(place) ?? 0) + 1;
    this.#asked.set(place, asked);
    const { seed } = this.#world;
    const dice = diceOf(seed, 'model', place, asked);
    const clock = this.#world.clockOf(node);
    let isGone = false;
    response.on('close', () => {
      isGone = true;
    });
    response.writeHead(200);
    const say = (line: Line): void => void (isGone || response.write(`${JSON.stringify(line)}\n`));
    const pace = dice.hits(0.1) ? 8_000 : 500;
    await clock.sleep(dice.between(20, pace));
    if (dice.hits(0.15)) {
      const isFinal = dice.hits(0.1);
      say({
        kind: 'failure',
        code: isFinal ? 'MODEL_REQUEST_INVALID' : 'MODEL_OVERLOADED',
        retriable: !isFinal,
      });
      response.end();
      return;
    }
    const answer = answerOf(diceOf(seed, 'answer', place), callId);
    for (const block of answer.blocks) {
      if (block.kind === 'thinking') say({ kind: 'thought', text: block.text });
      if (block.kind !== 'text') continue;
      const half = Math.ceil(block.text.length / 2);
      say({ kind: 'piece', text: block.text.slice(0, half) });
      await clock.sleep(dice.between(10, pace));
      say({ kind: 'piece', text: block.text.slice(half) });
    }
    const usage = {
      callId,
      model: 'echo',
      inputTokens: 10,
      outputTokens: 5,
      cacheCreationInputTokens: 0,
      cacheReadInputTokens: 0,
      complete: !isGone,
    };
    await sessions.meter(sessionId, `${callId}/${asked}`, usage);
    say({ kind: 'answer', answer });
    response.end();
  }
}

function answerOf(dice: ReturnType<typeof diceOf>, callId: string): ModelAnswer {
  const [, call = '1'] = /[mc]([0-9]+)$/.exec(callId) ?? [];
  const text = (words: string): AnswerBlock => ({ kind: 'text', text: words });
  const end = (stopReason: string, ...blocks: AnswerBlock[]): ModelAnswer => ({ blocks, stopReason });
  if (dice.hits(0.03)) return end('refusal', text('I would rather not.'));
  if (dice.hits(0.04)) return end('max_tokens', text(`cut off in ${callId}`));
  if (dice.hits(0.02)) return end('max_tokens');
  if (dice.hits(0.03)) return end('end_turn', text('long '.repeat(LONG_CHARS / 5)));
  if (dice.hits(0.06)) return end('tool_use', tool('ask', 0, { question: 'Which one?' }));
  if (Number(call) >= CALLS_MAX || dice.hits(0.45)) return end('end_turn', text(`answer of ${callId}`));
  const tools = Array.from({ length: 1 + dice.below(3) }, (_, index) => {
    if (dice.hits(0.05)) return tool('juggle', index, {});
    if (dice.hits(0.03)) return { ...tool('bash', index, {}), defect: 'The input is no JSON.' };
    return tool('bash', index, {
      command: `work ${workMs(dice)}${dice.hits(0.2) ? ` ${dice.pick([1_000, 15_000])}` : ''}`,
      ...bound(dice),
    });
  });
  const thinking: AnswerBlock = { kind: 'thinking', text: 'hm', signature: 'sig' };
  const first = dice.hits(0.3) ? [thinking] : [];
  return end('tool_use', ...first, ...(dice.hits(0.5) ? [text('Let me look.')] : []), ...tools);
}

function workMs(dice: ReturnType<typeof diceOf>): number {
  return dice.hits(0.08) ? 100_000 : dice.hits(0.1) ? 9_000 : dice.below(600);
}

function bound(dice: ReturnType<typeof diceOf>): { timeout_ms?: number } {
  return dice.hits(0.2) ? { timeout_ms: 400 } : {};
}

function tool(name: string, index: number, input: object): AnswerBlock {
  return { kind: 'tool', toolUseId: `toolu_${index}`, tool: name, input };
}

function failure(
  code: 'MODEL_OVERLOADED' | 'MODEL_REQUEST_INVALID',
  retriable: boolean,
  cause?: unknown,
): ModelFailure {
  const type = retriable ? 'overloaded_error' : 'invalid_request_error';
  return new ModelFailure(code, 'The service failed.', { type, retriable, cause });
}
