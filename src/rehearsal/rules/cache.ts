/** Rules about cache breakpoints. Where they may stand at all, the fields of each block say (rules/messages.ts). */
import { type Fields, isFields, listOf } from '../json-value.ts';
import type { RequestRule } from '../request-rule.ts';
import { contentBlocks, type ServiceRequest } from '../service-request.ts';

type CacheRule = RequestRule<ServiceRequest>;

const NONE = {};
const BREAKPOINTS_MAX = 4;

export const CACHE_RULES: readonly CacheRule[] = [
  {
    id: 'cache.type',
    refuses: '`cache_control` whose `type` is not `ephemeral`',
    message: "cache_control.type: Input should be 'ephemeral'",
    source: 'Prompt caching',
    find: (request) =>
      breakpointsOf(request).every((mark) => mark['type'] === 'ephemeral') ? undefined : NONE,
  },
  {
    id: 'cache.ttl',
    refuses: 'a `ttl` other than `5m` and `1h`',
    message: "cache_control.ephemeral.ttl: Input should be '5m' or '1h'",
    source: 'Prompt caching',
    find: (request) =>
      breakpointsOf(request).every((mark) => ttlOf(mark) === '5m' || ttlOf(mark) === '1h') ? undefined : NONE,
  },
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
  {
    id: 'cache.order',
    refuses: 'a breakpoint of one hour after one of five minutes',
    message:
      "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`.",
    source: 'Prompt caching; headroom 2939',
    find(request) {
      const ttls = breakpointsOf(request).map(ttlOf);
      const short = ttls.indexOf('5m');
      return short >= 0 && ttls.lastIndexOf('1h') > short ? NONE : undefined;
    },
  },
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

/** In the order in which the service goes through them: tools, system, messages, and in a result what is in it first. */
function breakpointsOf({ body, blocks }: ServiceRequest): readonly Fields[] {
  const inMessages = blocks.flatMap(({ type, fields }) =>
    type === 'tool_result' ? [...contentBlocks(fields['content']), fields] : [fields],
  );
  return [...listOf(body['tools']), ...contentBlocks(body['system']), ...inMessages].flatMap((block) => {
    const mark = isFields(block) ? block['cache_control'] : undefined;
    return isFields(mark) ? [mark] : [];
  });
}

function ttlOf(mark: Fields): unknown {
  return mark['ttl'] ?? '5m';
}
