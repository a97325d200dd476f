/** Rules about cache breakpoints. Where they may stand at all, the fields of each block say (rules/messages.ts). */
import { type Fields, isFields, listOf } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import { placedBlocks, type ServiceRequest } from '../service-request.ts';

type CacheRule = RequestRule<ServiceRequest>;

const BREAKPOINTS_MAX = 4;

interface Breakpoint {
  /** Of the block that it stands on. */
  readonly path: string;
  readonly mark: Fields;
}

export const CACHE_RULES: readonly CacheRule[] = [
  ofBreakpoints({
    id: 'cache.type',
    refuses: '`cache_control` whose `type` is not `ephemeral`',
    message: "{path}.cache_control.type: Input should be 'ephemeral'",
    source: 'Prompt caching',
    breaks: ({ mark }) => mark['type'] !== 'ephemeral',
  }),
  ofBreakpoints({
    id: 'cache.ttl',
    refuses: 'a `ttl` other than `5m` and `1h`',
    message: "{path}.cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    source: 'Prompt caching',
    breaks: ({ mark }) => !['5m', '1h'].some((ttl) => ttl === ttlOf(mark)),
  }),
  {
    id: 'cache.many',
    refuses: `more than ${BREAKPOINTS_MAX} breakpoints in a request`,
    message: `A maximum of ${BREAKPOINTS_MAX} blocks with cache_control may be provided. Found {found}.`,
    source: 'Prompt caching; sub2api 176',
    find(request) {
      const found = breakpointsOf(request).length + (isFields(request.body['cache_control']) ? 1 : 0);
      return found > BREAKPOINTS_MAX ? { found } : undefined;
    },
  },
  ofBreakpoints({
    id: 'cache.order',
    refuses: 'a breakpoint of one hour after one of five minutes',
    message:
      "{path}.cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    source: 'Prompt caching; headroom 2939',
    breaks: ({ mark }, before) => ttlOf(mark) === '1h' && before.some((one) => ttlOf(one.mark) === '5m'),
  }),
  {
    id: 'cache.empty',
    refuses: 'a breakpoint on an empty text',
    message: '{path}.text: cache_control cannot be set for empty text blocks',
    source: 'Prompt caching; claude-code 50082',
    find({ blocks }) {
      const block = blocks.find(
        ({ type, fields }) => type === 'text' && fields['text'] === '' && isFields(fields['cache_control']),
      );
      return block === undefined ? undefined : { path: block.path };
    },
  },
];

function ofBreakpoints(
  rule: Omit<CacheRule, 'find' | 'status'> & {
    readonly breaks: (breakpoint: Breakpoint, before: readonly Breakpoint[]) => boolean;
  },
): CacheRule {
  const { breaks, ...told } = rule;
  return {
    ...told,
    find(request): Values | undefined {
      const all = breakpointsOf(request);
      const broken = all.find((breakpoint, at) => breaks(breakpoint, all.slice(0, at)));
      return broken === undefined ? undefined : { path: broken.path };
    },
  };
}

/** In the order in which the service goes through them: tools, system, messages, and in a result what is in it first. */
function breakpointsOf({ body, blocks }: ServiceRequest): readonly Breakpoint[] {
  const tools = listOf(body['tools']).map((tool, at) => ({ path: `tools.${at}`, fields: tool }));
  const inMessages = blocks.flatMap((block) =>
    block.type === 'tool_result'
      ? [...placedBlocks(`${block.path}.tool_result.content`, '', block.fields['content']), block]
      : [block],
  );
  return [...tools, ...placedBlocks('system', '', body['system']), ...inMessages].flatMap(
    ({ path, fields }) => {
      const mark = isFields(fields) ? fields['cache_control'] : undefined;
      return isFields(mark) ? [{ path, mark }] : [];
    },
  );
}

function ttlOf(mark: Fields): unknown {
  return mark['ttl'] ?? '5m';
}
