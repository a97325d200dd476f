/**
 * The conversation as the Messages API takes it. What a log holds may be older than the rules that keep it sendable, so
 * everything that the service is known to refuse for its form is mended here, each time the request is built:
 *
 * REQUEST-1 Messages map one to one, and each block of a request knows which block of the conversation it is: the service says
 *    where it sees a fault in numbers of the request.
 * REQUEST-2 Deterministic, and what comes later changes nothing before it: the prompt cache lives on equal bytes.
 * REQUEST-3 No text holds half a surrogate pair, none is blank, and no message is empty.
 * REQUEST-4 Calls have an object as input, a lawful name, and an id that is lawful and there once; each is answered first of all in
 *    the next message, once, by a result of the same id. A result whose call is not there goes as a text.
 * REQUEST-5 Thinking goes back only with its signature, and never as the last block of a message.
 */
import type { ContentBlockParam } from '@anthropic-ai/sdk/resources/messages/messages';
import type { AnswerBlock, InputBlock, ModelMessage } from '../../brain/model.ts';
import { objectOf, wellFormed } from './json-value.ts';
import { lawfulName, lawfulPart, WireIds } from './wire-names.ts';

const EMPTY_USER = '(This message was empty.)';
const EMPTY_ANSWER = '(Nothing was said.)';
const EMPTY_FAILURE = 'It failed and said nothing.';
const NO_RESULT = 'No result of this call was kept.';
const LOST_CALL = 'Result of a tool call that is no longer in the conversation:';

export interface RenderedBlock {
  readonly param: ContentBlockParam;
  /** Index of its block in ModelMessage.blocks; absent: it stands for none. */
  readonly from?: number | undefined;
}

export interface RenderedMessage {
  readonly role: 'user' | 'assistant';
  /** Never empty. */
  readonly blocks: readonly RenderedBlock[];
}

/** A call of the message before, by the id that the conversation knows it by; two calls may have the same. */
interface OpenCall {
  readonly given: string;
  readonly id: string;
}

/** REQUEST-1 */
export function rendered(messages: readonly ModelMessage[]): readonly RenderedMessage[] {
  const ids = new WireIds(); // REQUEST-2: each is made of those before it
  let open: readonly OpenCall[] = [];
  return messages.map((message) => {
    if (message.role === 'user') {
      const blocks = userBlocks(message.blocks, open);
      open = [];
      return { role: 'user', blocks };
    }
    const calls: OpenCall[] = [];
    const blocks = answerBlocks(message.blocks, (given) => {
      const spare = lawfulPart(given); // REQUEST-4
      const id = ids.take(given, spare === '' ? 'toolu' : spare);
      calls.push({ given, id });
      return id;
    });
    open = calls;
    return { role: 'assistant', blocks };
  });
}

function answerBlocks(
  blocks: readonly AnswerBlock[],
  idOf: (given: string) => string,
): readonly RenderedBlock[] {
  const params = blocks.flatMap((block, from): RenderedBlock[] => {
    const param = answerParam(block, idOf);
    return param === undefined ? [] : [{ param, from }];
  });
  const end = params.findLastIndex(({ param }) => param.type === 'text' || param.type === 'tool_use');
  const kept = params.slice(0, end + 1); // REQUEST-5
  return kept.length === 0 ? [{ param: { type: 'text', text: EMPTY_ANSWER } }] : kept;
}

function answerParam(block: AnswerBlock, idOf: (given: string) => string): ContentBlockParam | undefined {
  switch (block.kind) {
    case 'text':
      return textParam(block.text);
    case 'tool': {
      const input = objectOf(wellFormed(block.input)) ?? {};
      return { type: 'tool_use', id: idOf(block.toolUseId), name: lawfulName(block.tool), input };
    }
    case 'redacted':
      return block.data === '' ? undefined : { type: 'redacted_thinking', data: block.data.toWellFormed() };
    case 'thinking': {
      const { text, signature } = block;
      if (signature === undefined || signature === '') return undefined; // REQUEST-5
      return { type: 'thinking', thinking: text.toWellFormed(), signature: signature.toWellFormed() };
    }
  }
}

function userBlocks(blocks: readonly InputBlock[], open: readonly OpenCall[]): readonly RenderedBlock[] {
  const waiting = [...open];
  const results: RenderedBlock[] = [];
  const texts: RenderedBlock[] = [];
  for (const [from, block] of blocks.entries()) {
    if (block.kind === 'text') {
      const param = textParam(block.text);
      if (param !== undefined) texts.push({ param, from });
      continue;
    }
    const at = waiting.findIndex(({ given }) => given === block.toolUseId);
    const [call] = at < 0 ? [] : waiting.splice(at, 1);
    if (call === undefined) {
      texts.push({ param: { type: 'text', text: `${LOST_CALL}\n${block.output.toWellFormed()}` }, from });
    } else {
      results.push({ param: resultParam(call.id, block.output, block.failed), from });
    }
  }
  const unanswered = waiting.map(({ id }) => ({ param: resultParam(id, NO_RESULT, true) }));
  const all = [...results, ...unanswered, ...texts]; // REQUEST-4
  return all.length === 0 ? [{ param: { type: 'text', text: EMPTY_USER } }] : all;
}

function textParam(text: string): ContentBlockParam | undefined {
  return text.trim() === '' ? undefined : { type: 'text', text: text.toWellFormed() }; // REQUEST-3
}

function resultParam(tool_use_id: string, output: string, failed: boolean): ContentBlockParam {
  const content = output.toWellFormed();
  if (!failed) return { type: 'tool_result', tool_use_id, content };
  return {
    type: 'tool_result',
    tool_use_id,
    content: content.trim() === '' ? EMPTY_FAILURE : content,
    is_error: true,
  };
}
