/**
 * The request as the Messages API wants it. Prompt caching is always on: the service allows four breakpoints, and they
 * stand after the tools, the system prompt, and the last two messages of the user, so that each call reads what the call
 * before it wrote.
 */
import type {
  CacheControlEphemeral,
  MessageCreateParamsStreaming,
  MessageParam,
} from '@anthropic-ai/sdk/resources/messages/messages';
import { purposeOf } from '../../brain/call-id.ts';
import type { ModelRequest, ToolSpec } from '../../brain/model.ts';
import { thinkingParam } from '../../sessions/thinking-param.ts';
import { type RenderedMessage, rendered } from './message-params.ts';

/** Of the four; the other two are the tools and the system prompt. */
const MESSAGE_BREAKPOINTS = 2;

export function paramsOf(request: ModelRequest): MessageCreateParamsStreaming {
  const { plan, messages, tools } = request;
  // All breakpoints alike: the service refuses a longer time after a shorter one. Five minutes are its default.
  const breakpoint = {
    type: 'ephemeral' as const,
    ...(plan.cacheTtl === '1h' ? { ttl: '1h' as const } : {}),
  };
  const system = request.system.toWellFormed();
  const thinking = thinkingParam(plan);
  return {
    model: plan.name,
    max_tokens: plan.outputTokensMax,
    stream: true,
    ...(thinking === undefined ? {} : { thinking }),
    ...(plan.effort === undefined ? {} : { output_config: { effort: plan.effort } }),
    tools: tools.map((tool, index) => ({
      ...toolParam(tool),
      ...(index === tools.length - 1 ? { cache_control: breakpoint } : {}),
    })),
    ...(request.toolChoice === undefined ? {} : { tool_choice: { type: request.toolChoice } }),
    ...(system.trim() === ''
      ? {}
      : { system: [{ type: 'text' as const, text: system, cache_control: breakpoint }] }),
    messages: messageParams(rendered(messages), marksOf(request), breakpoint),
  };
}

function toolParam({ name, description, schema }: ToolSpec) {
  const { type: _object, properties, required, ...more } = schema;
  const input_schema = {
    type: 'object' as const,
    ...(properties === undefined ? {} : { properties }),
    ...(Array.isArray(required) ? { required: [...required] } : {}),
    ...more, // of a tool that an agent declares
  };
  return { name, description: description.toWellFormed(), input_schema };
}

/**
 * The messages whose last block is a breakpoint. The last message of a compaction is none: nothing after it would ever be
 * sent again, so what it wrote into the cache would be paid and never read.
 */
function marksOf({ callId, messages }: ModelRequest): ReadonlySet<number> {
  const compacts = purposeOf(callId) === 'compaction';
  const sent = compacts ? messages.slice(0, -1) : messages;
  const users = sent.flatMap((message, index) => (message.role === 'user' ? [index] : []));
  return new Set(users.slice(-MESSAGE_BREAKPOINTS));
}

function messageParams(
  messages: readonly RenderedMessage[],
  marks: ReadonlySet<number>,
  cache_control: CacheControlEphemeral,
): MessageParam[] {
  return messages.map(({ role, blocks }, index) => ({
    role,
    content: blocks.map(({ param }, at) => {
      const marked = marks.has(index) && at === blocks.length - 1;
      // the last block of a user's message is a text or a result, and both take it
      return marked && (param.type === 'text' || param.type === 'tool_result')
        ? { ...param, cache_control }
        : param;
    }),
  }));
}
