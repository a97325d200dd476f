/** A model service that obeys: the last message of the user says what it does (model-script.ts). A process of its own. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { answerParent } from '../bench/child.ts';
import { listen } from '../bench/listen.ts';
import { misbehave } from './misdeeds.ts';
import { scriptOf } from './model-script.ts';
import { repeatKey } from './repeated-key.ts';
import { stream, textBlock, toolBlock } from './model-stream.ts';

/** What a brain may send. */
const MODEL_REQUEST_BYTES_MAX = 64 * 1024 * 1024;

export type ModelServiceCommands = { readonly port: () => Promise<number> };

const server = createServer((request, response) => {
  response.on('error', () => undefined); // the gateway hangs up when it likes
  void bodyOf(request).then(
    (body) => answer(request, response, body),
    () => response.destroy(),
  );
});
const port = await listen(server);
answerParent({ port: () => Promise.resolve(port) }, () => server.closeAllConnections());

interface Block {
  readonly type: string;
  readonly text?: string;
}

async function answer(request: IncomingMessage, response: ServerResponse, body: string): Promise<void> {
  const { messages = [] } = JSON.parse(body === '' ? '{}' : body) as {
    messages?: readonly { role: string; content: string | readonly Block[] }[];
  };
  const content = messages.at(-1)?.content ?? '';
  const blocks: readonly Block[] = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  if (blocks.some(({ type }) => type === 'tool_result'))
    return stream(response, [textBlock(['Done.'])], 'end_turn');
  const script = scriptOf(blocks.findLast(({ type }) => type === 'text')?.text ?? '');
  switch (script.kind) {
    case 'say':
      return stream(response, [textBlock([script.text])], 'end_turn');
    case 'call':
      return stream(response, script.calls.map(toolBlock), 'tool_use');
    case 'repeat':
      return repeatKey(response, String(request.headers['x-api-key'] ?? ''), script.form, script.place);
    case 'misbehave':
      return misbehave(response, script.how);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MODEL_REQUEST_BYTES_MAX) throw new Error('The request is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
