/** The model over bytes: an answer as it comes from the wire, and what the brain gets of it. */
import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import {
  type AnswerBlock,
  type ModelAnswer,
  type ModelMessage,
  ModelFailure,
  type ModelRequest,
} from '../../../src/brain/model.ts';
import type { Http, HttpRequest } from '../../../src/brain/unix-http.ts';
import { planOf } from '../../../src/models/model-table.ts';
import { AnthropicModel } from '../../../src/platform/anthropic/model.ts';

export const GO: readonly ModelMessage[] = [{ role: 'user', blocks: [{ kind: 'text', text: 'go' }] }];

export interface Played {
  readonly answer?: ModelAnswer;
  readonly failure?: unknown;
  readonly text: string;
  readonly thinking: string;
  readonly request: HttpRequest | undefined;
}

export interface Wire {
  readonly status?: number;
  readonly headers?: IncomingHttpHeaders;
  readonly messages?: readonly ModelMessage[];
  /** Thrown after the last chunk. */
  readonly cut?: Error;
  /** The connection is not ended by the service. */
  readonly staysOpen?: boolean;
}

export async function played(chunks: readonly (string | Uint8Array)[], wire: Wire = {}): Promise<Played> {
  const sink = { text: '', thinking: '' };
  let request: HttpRequest | undefined;
  const http: Http = (sent) => {
    request = sent;
    return Promise.resolve({
      status: wire.status ?? 200,
      headers: { 'content-type': 'text/event-stream', 'request-id': 'req_1', ...wire.headers },
      body: bodyOf(chunks, wire, sent.signal),
    });
  };
  const asked: ModelRequest = {
    callId: 't1m1',
    plan: planOf('m'),
    system: 'Be brief.',
    messages: wire.messages ?? GO,
    tools: [],
  };
  const got = {
    text: (piece: string) => void (sink.text += piece),
    thinking: (piece: string) => void (sink.thinking += piece),
  };
  try {
    const answer = await new AnthropicModel(http, 'token').answer(asked, AbortSignal.timeout(60_000), got);
    return { answer, ...sink, request };
  } catch (failure) {
    return { failure, ...sink, request };
  }
}

/** The answer to frames; throws what the model throws. */
export async function answered(...frames: readonly string[]): Promise<ModelAnswer> {
  const { answer, failure } = await played([START + frames.join('')]);
  if (answer === undefined) throw failure;
  return answer;
}

export function failureIn({ failure }: Played): ModelFailure {
  if (failure instanceof ModelFailure) return failure;
  throw new Error('expected a ModelFailure', { cause: failure });
}

export function toolsIn({ blocks }: ModelAnswer): readonly Extract<AnswerBlock, { kind: 'tool' }>[] {
  return blocks.filter((block) => block.kind === 'tool');
}

export const frame = (type: string, data: object): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
export const START = frame('message_start', { message: { model: 'm', content: [], stop_reason: null } });
export const open = (index: number, content_block: object): string =>
  frame('content_block_start', { index, content_block });
export const piece = (index: number, delta: object): string => frame('content_block_delta', { index, delta });
export const close = (index: number): string => frame('content_block_stop', { index });
export const STOP = frame('message_stop', {});
export const end = (stop_reason: unknown, more: object = {}): string =>
  frame('message_delta', { delta: { stop_reason, ...more } }) + STOP;
export const text = (index: number, ...pieces: readonly string[]): string =>
  open(index, { type: 'text', text: '' }) +
  pieces.map((words) => piece(index, { type: 'text_delta', text: words })).join('') +
  close(index);
export const call = (index: number, name: string, json: string, id = `toolu_${index}`): string =>
  open(index, { type: 'tool_use', id, name, input: {} }) +
  piece(index, { type: 'input_json_delta', partial_json: json }) +
  close(index);

async function* bodyOf(
  chunks: readonly (string | Uint8Array)[],
  { cut, staysOpen }: Wire,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  for (const chunk of chunks) yield await Promise.resolve(Buffer.from(chunk));
  if (cut !== undefined) throw cut;
  if (staysOpen === true) await once(signal, 'abort');
  signal.throwIfAborted();
}
