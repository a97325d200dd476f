/** What a model service should not do, and a gateway has to live through. Each ends when the gateway hangs up, or at its own bound. */
import type { ServerResponse } from 'node:http';
import { constants, createDeflateRaw } from 'node:zlib';
import type { MISDEEDS } from './model-script.ts';
import { begin, end, stream, textBlock, toolBlock, write, writeBlock } from './model-stream.ts';

const MIB = 1024 * 1024;
/** Of an endless answer: a gateway that takes so much has no bound. */
const ENDLESS_BYTES = 512 * MIB;
const CHUNK = 'x'.repeat(64 * 1024);
const DRIP_MS = 100;
const DRIPS = 600;

export async function misbehave(response: ServerResponse, how: (typeof MISDEEDS)[number]): Promise<void> {
  try {
    await misdeed(response, how);
  } catch {
    response.destroy(); // the gateway has hung up: as it should
  }
}

function misdeed(response: ServerResponse, how: (typeof MISDEEDS)[number]): Promise<void> | void {
  switch (how) {
    case 'hang':
      return; // nothing is ever said
    case 'hang in mid-stream':
      return begin(response);
    case 'cut':
      return begin(response).then(() => void response.destroy());
    case 'cut before the head':
      return void response.destroy();
    case 'endless line':
      return begin(response).then(() => endless(response, 'data: {"type":"', CHUNK));
    case 'endless text': {
      const delta = `{"type":"text_delta","text":"${CHUNK}"}`;
      const open = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}';
      const line = `event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":${delta}}\n\n`;
      return begin(response).then(() =>
        endless(response, `event: content_block_start\ndata: ${open}\n\n`, line),
      );
    }
    case 'endless comments':
      return begin(response).then(() => endless(response, '', `: ${CHUNK}\n\n`));
    case 'many blocks':
      return stream(
        response,
        Array.from({ length: 5_000 }, (_, at) => textBlock([`block ${at}`])),
        'end_turn',
      );
    case 'no stream':
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      return endless(response, '', CHUNK);
    case 'large header':
      response.writeHead(200, { 'request-id': 'r'.repeat(12 * 1024), 'content-type': 'text/event-stream' });
      return void response.end();
    case 'large error':
      response.writeHead(400, { 'content-type': 'application/json' });
      return endless(response, '{"type":"error","error":{"type":"invalid_request_error","message":"', CHUNK);
    case 'deep input':
      return stream(response, [deepInput()], 'tool_use');
    case 'large input':
      return stream(
        response,
        [toolBlock({ tool: 'bash', input: { command: 'x'.repeat(20 * MIB) } })],
        'tool_use',
      );
    case 'garbage':
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return void response.end(Buffer.alloc(MIB, 0xfe));
    case 'drip':
      return drip(response);
    case 'gzip bomb':
      return bomb(response);
  }
}

async function endless(response: ServerResponse, first: string, again: string): Promise<void> {
  if (first !== '') await write(response, first);
  for (let bytes = 0; bytes < ENDLESS_BYTES; bytes += again.length) await write(response, again);
  response.destroy();
}

function deepInput(): ReturnType<typeof toolBlock> {
  const { start } = toolBlock({ tool: 'bash', input: {} });
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  return {
    start,
    deltas: [JSON.stringify({ type: 'input_json_delta', partial_json: `{"command":${deep}}` })],
  };
}

async function drip(response: ServerResponse): Promise<void> {
  await begin(response);
  for (let drop = 0; drop < DRIPS; drop += 1) {
    await write(response, ':');
    await new Promise((resolve) => setTimeout(resolve, DRIP_MS));
  }
  await writeBlock(response, 0, textBlock(['At last.']));
  await end(response, 'end_turn');
}

/** Some kilobytes that are hundreds of megabytes when they are unpacked. */
async function bomb(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'deflate' });
  const packed = createDeflateRaw({ level: constants.Z_BEST_COMPRESSION });
  packed.on('data', (chunk: Buffer) => response.write(chunk));
  for (let bytes = 0; bytes < ENDLESS_BYTES; bytes += CHUNK.length) {
    if (response.destroyed) break;
    if (!packed.write(CHUNK)) await new Promise((resolve) => packed.once('drain', resolve));
  }
  packed.end();
  await new Promise((resolve) => packed.once('end', resolve));
  response.end();
}
