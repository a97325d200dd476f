/**
 * The request as the Messages API wants it. Prompt caching is always on: the service allows four breakpoints, and they
 * stand after the tools, the system prompt, and the last two messages of the user, so that each call reads what the call
 * before it wrote.
 */
import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
} from '@anthropic-ai/sdk/resources/messages/messages';
import type { AnswerBlock, InputBlock, ModelMessage, ModelRequest, ToolSpec } from '../../brain/model.ts';

const BREAKPOINT = { cache_control: { type: 'ephemeral' } } as const;
/** Of the four; the other two are the tools and the system prompt. */
const MESSAGE_BREAKPOINTS = 2;

export function paramsOf(request: ModelRequest): MessageCreateParamsStreaming {
  const { plan, system, messages, tools } = request;
  return {
    model: plan.name,
    max_tokens: plan.outputTokensMax,
    stream: true,
    tools: tools.map((tool, index) => toolParam(tool, index === tools.length - 1)),
    ...(system.trim() === '' ? {} : { system: [{ type: 'text' as const, text: system, ...BREAKPOINT }] }),
    messages: messageParams(messages),
  };
}

function toolParam(tool: ToolSpec, last: boolean) {
  const { name, description, schema } = tool;
  const input_schema = {
    type: 'object' as const,
    properties: schema.properties,
    required: [...schema.required],
  };
  return { name, description, input_schema, ...(last ? BREAKPOINT : {}) };
}

function messageParams(messages: readonly ModelMessage[]): MessageParam[] {
  const users = messages.flatMap((message, index) => (message.role === 'user' ? [index] : []));
  const marked = new Set(users.slice(-MESSAGE_BREAKPOINTS));
  return messages.map((message, index) => {
    if (message.role === 'assistant') return { role: 'assistant', content: message.blocks.map(answerParam) };
    const end = message.blocks.length - 1;
    const content = message.blocks.map((block, at) => inputParam(block, marked.has(index) && at === end));
    return { role: 'user', content };
  });
}

function inputParam(block: InputBlock, marked: boolean): ContentBlockParam {
  const mark = marked ? BREAKPOINT : {};
  if (block.kind === 'text') return { type: 'text', text: block.text, ...mark };
  const failed = block.failed ? { is_error: true } : {};
  return { type: 'tool_result', tool_use_id: block.toolUseId, content: block.output, ...failed, ...mark };
}

function answerParam(block: AnswerBlock): ContentBlockParam {
  switch (block.kind) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'tool':
      return { type: 'tool_use', id: block.toolUseId, name: block.tool, input: block.input };
    case 'redacted':
      return { type: 'redacted_thinking', data: block.data };
    case 'thinking':
      return { type: 'thinking', thinking: block.text, signature: block.signature ?? '' };
  }
}
