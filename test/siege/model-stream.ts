/** The events of an answer as the Messages API streams them, whole or with something slipped in. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Call } from './model-script.ts';

/** One block: its start, its deltas, each a JSON text as it goes out. */
export interface StreamedBlock {
  readonly start: object;
  readonly deltas: readonly string[];
}

let answers = 0;

export function textBlock(pieces: readonly string[]): StreamedBlock {
  return {
    start: { type: 'text', text: '' },
    deltas: pieces.map((text) => JSON.stringify({ type: 'text_delta', text })),
  };
}

export function toolBlock({ tool, input }: Call, index = 0): StreamedBlock {
  return {
    start: { type: 'tool_use', id: `toolu_siege${answers}x${index}`, name: tool, input: {} },
    deltas: [JSON.stringify({ type: 'input_json_delta', partial_json: JSON.stringify(input) })],
  };
}

export async function stream(
  response: ServerResponse,
  blocks: readonly StreamedBlock[],
  stopReason: string,
  id = 'msg_siege',
): Promise<void> {
  await begin(response, id);
  for (const [index, block] of blocks.entries()) await writeBlock(response, index, block);
  await end(response, stopReason);
}

export async function begin(response: ServerResponse, id = 'msg_siege'): Promise<void> {
  answers += 1;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  await event(response, 'message_start', {
    message: {
      ...{ id: `${id}${answers}`, type: 'message', role: 'assistant', model: 'claude-siege', content: [] },
      ...{ stop_reason: null, stop_sequence: null, usage: { input_tokens: 10, output_tokens: 1 } },
    },
  });
}

export async function writeBlock(
  response: ServerResponse,
  index: number,
  block: StreamedBlock,
): Promise<void> {
  await event(response, 'content_block_start', { index, content_block: block.start });
  for (const delta of block.deltas)
    await write(response, eventText('content_block_delta', `"index":${index},"delta":${delta}`));
  await event(response, 'content_block_stop', { index });
}

export async function end(response: ServerResponse, stopReason: string): Promise<void> {
  await event(response, 'message_delta', {
    delta: { stop_reason: stopReason, stop_sequence: null },
    usage: { output_tokens: 2 },
  });
  await event(response, 'message_stop', {});
  response.end();
}

export function event(response: ServerResponse, type: string, data: object): Promise<void> {
  return write(response, eventText(type, JSON.stringify(data).slice(1, -1)));
}

/** Waits for room: an endless answer must not fill our own memory. */
export async function write(response: ServerResponse, text: string | Buffer): Promise<void> {
  if (response.destroyed) throw new Error('The gateway has hung up.');
  if (response.write(text)) return;
  const gone = new AbortController();
  const close = (): void => gone.abort();
  response.once('close', close);
  await once(response, 'drain', { signal: gone.signal }).finally(() => response.off('close', close));
}

/** `members` of the data without its braces: what the caller has escaped in its own way stays so. */
function eventText(type: string, members: string): string {
  return `event: ${type}\ndata: {"type":"${type}"${members === '' ? '' : ','}${members}}\n\n`;
}
