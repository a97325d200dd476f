/** A model service that answers at once and says when it was called: the far end of "start to first model call". */
import { createServer, type ServerResponse } from 'node:http';
import { listen } from './listen.ts';

export interface ModelService {
  readonly url: string;
  /** When the next call arrives, or the next of that model: milliseconds of performance.now(). Ask before what brings it. */
  nextCall(model?: string): Promise<number>;
  close(): Promise<void>;
}

const MESSAGE = {
  id: 'msg_bench',
  type: 'message',
  role: 'assistant',
  model: 'claude-bench',
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 10, output_tokens: 1 },
};
const ANSWER = [
  { type: 'message_start', message: MESSAGE },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Done.' } },
  { type: 'content_block_stop', index: 0 },
  {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: { output_tokens: 2 },
  },
  { type: 'message_stop' },
];

export async function startModelService(): Promise<ModelService> {
  let called: (at: number) => void = () => undefined;
  let awaited: string | undefined;
  const server = createServer((request, response) => {
    const at = performance.now();
    if (awaited === undefined) called(at);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => void (awaited !== undefined && chunks.push(chunk)));
    request.once('end', () => {
      if (awaited !== undefined && Buffer.concat(chunks).includes(`"${awaited}"`)) called(at);
      stream(response);
    });
  });
  const port = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    nextCall: (model) =>
      new Promise((resolve) => {
        called = resolve;
        awaited = model;
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const data of ANSWER) response.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
  response.end();
}
