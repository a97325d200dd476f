/** Writes an answer as the Messages API streams it: the same events in the same order, a token at a time. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../kernel/clock.ts';
import type { Block, Play } from './play.ts';
import type { ScriptFault } from './script.ts';

type StreamFault = Exclude<ScriptFault, { kind: 'status' }>;

export interface Streaming {
  readonly play: Play;
  readonly model: string;
  readonly tokensPerSecond: number | undefined;
  readonly fault: StreamFault | undefined;
}

interface Frame {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly isToken: boolean;
}

/** Resolves when the answer is out, the fault has been played, or `signal` aborts (the client left, the server stops). */
export async function streamAnswer(
  streaming: Streaming,
  response: ServerResponse,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const { fault, tokensPerSecond } = streaming;
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
    'request-id': `req_${streaming.play.id}`,
  });
  const startedAt = clock.now();
  let tokens = 0;
  for (const frame of framesOf(streaming)) {
    if (signal.aborted) return;
    if (fault !== undefined && frame.isToken && tokens === fault.afterTokens)
      return playFault(fault, response, signal);
    if (frame.isToken) {
      tokens += 1;
      const dueAt = tokensPerSecond === undefined ? 0 : startedAt + (tokens * 1000) / tokensPerSecond;
      if (dueAt > clock.now()) await clock.sleep(dueAt - clock.now(), signal);
    }
    response.write(`event: ${frame.event}\ndata: ${JSON.stringify(frame.data)}\n\n`);
  }
  if (fault !== undefined && tokens <= fault.afterTokens) return playFault(fault, response, signal);
  response.end();
}

/** The answer in one piece, for a request without `stream`. */
export function wholeMessage(play: Play, model: string) {
  const { id, blocks, stopReason, usage } = play;
  return {
    id,
    type: 'message',
    role: 'assistant',
    model,
    content: blocks,
    stop_reason: stopReason,
    stop_sequence: null,
    usage,
  };
}

async function playFault(fault: StreamFault, response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (fault.kind === 'cut') {
    await new Promise(setImmediate); // what was written before the cut leaves first
    response.socket?.destroySoon();
  } else if (fault.kind === 'error') {
    const data = {
      type: 'error',
      error: { type: fault.type, message: 'The rehearsal plays an error in mid-stream.' },
    };
    response.end(`event: error\ndata: ${JSON.stringify(data)}\n\n`);
  } else if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
}

function* framesOf({ play, model }: Streaming): Generator<Frame, void> {
  const { usage, stopReason } = play;
  const frame = (event: string, data: Readonly<Record<string, unknown>>, isToken = false): Frame => ({
    event,
    data: { type: event, ...data },
    isToken,
  });
  const message = {
    ...wholeMessage(play, model),
    content: [],
    stop_reason: null,
    usage: { ...usage, output_tokens: 1 },
  };
  yield frame('message_start', { message });
  for (const [index, block] of play.blocks.entries()) {
    yield frame('content_block_start', { index, content_block: emptied(block) });
    if (index === 0) yield frame('ping', {});
    for (const delta of deltasOf(block)) yield frame('content_block_delta', { index, delta }, true);
    if (block.type === 'thinking') {
      yield frame('content_block_delta', {
        index,
        delta: { type: 'signature_delta', signature: block.signature },
      });
    }
    yield frame('content_block_stop', { index });
  }
  yield frame('message_delta', {
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: usage.output_tokens },
  });
  yield frame('message_stop', {});
}

function emptied(block: Block) {
  if (block.type === 'text') return { type: 'text', text: '' };
  if (block.type === 'thinking') return { type: 'thinking', thinking: '', signature: '' };
  return { ...block, input: {} };
}

function deltasOf(block: Block): readonly Readonly<Record<string, string>>[] {
  if (block.type === 'text') return tokensOf(block.text).map((text) => ({ type: 'text_delta', text }));
  if (block.type === 'thinking')
    return tokensOf(block.thinking).map((thinking) => ({ type: 'thinking_delta', thinking }));
  return tokensOf(JSON.stringify(block.input)).map((json) => ({
    type: 'input_json_delta',
    partial_json: json,
  }));
}

/** Short pieces of text, as a model writes them. */
function tokensOf(text: string): readonly string[] {
  return text.match(/\s*\S{1,6}|\s+/gu) ?? [];
}
