/** Writes an answer as the Messages API streams it: the same events in the same order, a token at a time. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import type { Fields } from './json-value.ts';
import type { Block, Play, Written } from './play.ts';
import type { ScriptFault } from './script-fault.ts';
import { errorBody } from './service-error.ts';

type StreamFault = Exclude<ScriptFault, { kind: 'status' }>;

export interface Streaming {
  readonly play: Play;
  readonly requestId: string;
  readonly tokensPerSecond: number | undefined;
  readonly fault: StreamFault | undefined;
}

interface Frame {
  readonly event: string;
  readonly data: Fields;
  readonly isToken: boolean;
}

/** Resolves when the answer is out, the fault has been played, or `signal` aborts (the client left, the server stops). */
export async function streamAnswer(
  streaming: Streaming,
  response: ServerResponse,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { play, fault, requestId, tokensPerSecond } = streaming;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'request-id': requestId,
    ...play.rule.headers,
  });
  const startedAt = clock.now();
  let tokens = 0;
  for (const frame of framesOf(play)) {
    if (signal.aborted) return;
    if (fault !== undefined && frame.isToken && tokens === fault.afterTokens)
      return playFault(fault, requestId, response, signal);
    if (frame.isToken) {
      tokens += 1;
      const dueAt = tokensPerSecond === undefined ? 0 : startedAt + (tokens * 1000) / tokensPerSecond;
      if (dueAt > clock.now()) await clock.sleep(dueAt - clock.now(), signal);
    }
    response.write(`event: ${frame.event}\ndata: ${JSON.stringify(frame.data)}\n\n`);
  }
  if (fault !== undefined && tokens <= fault.afterTokens)
    return playFault(fault, requestId, response, signal);
  response.end();
}

/** The answer in one piece, for a request without `stream`. */
export function wholeMessage({ id, written, stopReason, stopSequence, stopDetails, model, usage }: Play) {
  return {
    id,
    type: 'message',
    role: 'assistant',
    ...(model === null ? {} : { model }),
    content: written.map(({ block }) => block),
    stop_reason: stopReason,
    stop_sequence: stopSequence,
    ...(stopDetails === null ? {} : { stop_details: stopDetails }),
    usage,
  };
}

async function playFault(
  fault: StreamFault,
  requestId: string,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  if (fault.kind === 'cut') {
    await new Promise(setImmediate); // what was written before the cut leaves first
    response.socket?.destroySoon();
  } else if (fault.kind === 'end') {
    response.end();
  } else if (fault.kind === 'error') {
    const { type, message = 'The rehearsal plays an error in mid-stream.', details } = fault;
    const data = errorBody({ type, message, details }, requestId);
    response.end(`event: error\ndata: ${JSON.stringify(data)}\n\n`);
  } else if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

/** The events of a stream, in their order. */
export function* framesOf(play: Play): Generator<Frame, void> {
  const { usage, written, stopReason, stopSequence, stopDetails } = play;
  const message = {
    ...wholeMessage({ ...play, written: [], stopReason: null, stopSequence: null, stopDetails: null }),
    usage: { ...usage, output_tokens: 1 },
  };
  yield frameOf('message_start', { message });
  for (const [place, one] of written.entries()) {
    const { index } = one;
    yield frameOf('content_block_start', { index, content_block: startOf(one) });
    if (place === 0) yield frameOf('ping', {});
    for (const delta of deltasOf(one)) yield frameOf('content_block_delta', { index, delta }, true);
    const signature = one.kind === 'known' && one.block.type === 'thinking' ? one.block.signature : '';
    if (signature !== '')
      yield frameOf('content_block_delta', { index, delta: { type: 'signature_delta', signature } });
    yield frameOf('content_block_stop', { index });
  }
  const details = stopDetails === null ? {} : { stop_details: stopDetails };
  yield frameOf('message_delta', {
    delta: { stop_reason: stopReason, stop_sequence: stopSequence, ...details },
    usage: { output_tokens: usage.output_tokens },
  });
  yield frameOf('message_stop', {});
}

function frameOf(event: string, data: Fields, isToken = false): Frame {
  return { event, data: { type: event, ...data }, isToken };
}

function startOf(written: Written): Fields | Block {
  if (written.kind === 'other' || written.whole) return written.block;
  const { block } = written;
  switch (block.type) {
    case 'text':
      return { type: 'text', text: '' };
    case 'thinking':
      return { type: 'thinking', thinking: '', signature: '' };
    case 'redacted_thinking':
      return block;
    case 'tool_use':
      return { ...block, input: {} };
  }
}

function deltasOf(written: Written): readonly Readonly<Record<string, string>>[] {
  if (written.kind === 'other' || written.whole) return [];
  const { block, pieces } = written;
  switch (block.type) {
    case 'text':
      return (pieces ?? tokensOf(block.text)).map((text) => ({ type: 'text_delta', text }));
    case 'thinking':
      return tokensOf(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking }));
    case 'redacted_thinking':
      return [];
    case 'tool_use':
      return (pieces ?? tokensOf(JSON.stringify(block.input))).map((json) => ({
        type: 'input_json_delta',
        partial_json: json,
      }));
  }
}

/** Short pieces of text, as a model writes them. */
function tokensOf(text: string): readonly string[] {
  return text.match(/\s*\S{1,6}|\s+/gu) ?? [];
}
