/** Rules about messages and the form of their blocks. */
import { isFields } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import { contentBlocks, type PlacedBlock, type ServiceRequest } from '../service-request.ts';
import { BLOCK_FIELDS } from './block-fields.ts';

type MessageRule = RequestRule<ServiceRequest>;

const NONE = {};
const ROLES: readonly unknown[] = ['user', 'assistant', 'system'];
const MESSAGES_MAX = 100_000;
/** Blocks that only the one or only the other of the two writes. */
const ROLE_OF: Readonly<Record<string, 'user' | 'assistant'>> = {
  tool_use: 'assistant',
  thinking: 'assistant',
  redacted_thinking: 'assistant',
  server_tool_use: 'assistant',
  tool_result: 'user',
};
const KNOWN_BLOCKS = Object.keys(BLOCK_FIELDS)
  .map((type) => `'${type}'`)
  .join(', ');

export const MESSAGE_RULES: readonly MessageRule[] = [
  {
    id: 'messages.missing',
    refuses: 'no list of `messages`',
    message: 'messages: Field required',
    source: 'API reference',
    find: ({ body }) => (Array.isArray(body['messages']) ? undefined : NONE),
  },
  {
    id: 'messages.none',
    refuses: 'an empty list',
    message: 'messages: at least one message is required',
    source: 'Working with messages',
    find: ({ messages }) => (messages.length > 0 ? undefined : NONE),
  },
  {
    id: 'messages.many',
    refuses: `more than ${MESSAGES_MAX} messages`,
    message: `messages: Too many messages: {found} > ${MESSAGES_MAX}`,
    source: 'API reference (our wording)',
    find: ({ messages: { length: found } }) => (found > MESSAGES_MAX ? { found } : undefined),
  },
  {
    id: 'messages.role',
    refuses: 'a role other than user and assistant (and system, between them)',
    message: "{path}.role: Input should be 'user' or 'assistant'",
    source: 'API reference',
    find: ({ messages }) => pathOf(messages.find(({ role }) => !ROLES.includes(role))),
  },
  {
    id: 'messages.first',
    refuses: 'a first message that is not the user’s (messages of one role in a row are taken as one)',
    message: 'messages: first message must use the "user" role',
    source: 'Working with messages; lobehub 1601',
    find: ({ messages }) => (messages.length === 0 || messages[0]?.role === 'user' ? undefined : NONE),
  },
  {
    id: 'messages.field',
    refuses: 'a field of a message beside `role` and `content`',
    message: '{path}.{field}: Extra inputs are not permitted',
    source: 'API reference',
    find({ messages }) {
      for (const { path, role, fields } of messages) {
        const field = Object.keys(fields).find((name) => name !== 'role' && name !== 'content');
        if (field !== undefined && role !== 'system') return { path, field };
      }
      return undefined;
    },
  },
  {
    id: 'messages.content',
    refuses: 'content that is neither a text nor a list',
    message: '{path}.content: Input should be a valid list',
    source: 'API reference',
    find: ({ messages }) =>
      pathOf(
        messages.find(({ fields: { content } }) => typeof content !== 'string' && !Array.isArray(content)),
      ),
  },
  {
    id: 'messages.empty',
    refuses: 'a message with nothing in it, unless it is the assistant’s and the last',
    message:
      '{path}: all messages must have non-empty content except for the optional final assistant message',
    source: 'API reference; claude-code 6774',
    find: ({ messages }) =>
      pathOf(
        messages.find(
          ({ blocks, role, index }) =>
            blocks.length === 0 && !(role === 'assistant' && index === messages.length - 1),
        ),
      ),
  },
  {
    id: 'block.type',
    refuses: 'a block of a type that the API does not have',
    message: `{path}: Input tag '{type}' found using 'type' does not match any of the expected tags: ${KNOWN_BLOCKS}`,
    source: 'API reference',
    find({ blocks, beta }) {
      const odd = blocks.find(({ type }) => !beta && !Object.hasOwn(BLOCK_FIELDS, type));
      return odd === undefined ? undefined : { path: odd.path, type: odd.type };
    },
  },
  {
    id: 'block.field',
    refuses: 'a field that a block of this type does not have (a breakpoint on thinking, for one)',
    message: '{path}.{type}.{field}: Extra inputs are not permitted',
    source: 'API reference; claude-code 4378, inspect_ai 3967',
    find({ blocks, beta }) {
      for (const { path, type, fields } of blocks) {
        const known = Object.hasOwn(BLOCK_FIELDS, type) ? BLOCK_FIELDS[type] : undefined;
        const field = Object.keys(fields).find(
          (name) => name !== 'type' && fields[name] !== undefined && known?.includes(name) === false,
        );
        if (field !== undefined && !beta) return { path, type, field };
      }
      return undefined;
    },
  },
  {
    id: 'block.role',
    refuses: 'thinking or a tool call that is not the assistant’s, a tool result that is not the user’s',
    message: '{path}: `{type}` blocks can only be in `{role}` messages',
    source: 'Handle tool calls; Anthropic.SDK 128',
    find({ blocks }) {
      const odd = blocks.find(({ type, role }) => (ROLE_OF[type] ?? role) !== role);
      return odd === undefined
        ? undefined
        : { path: odd.path, type: odd.type, role: ROLE_OF[odd.type] ?? '' };
    },
  },
  {
    id: 'block.document',
    refuses: 'a document of the assistant’s, with version `2026-10-21`',
    message: '{path}: `document` blocks are not permitted in `assistant` messages',
    source: 'Versions (our wording)',
    find: ({ blocks, version }) =>
      version === '2023-06-01'
        ? undefined
        : pathOf(blocks.find(({ type, role }) => type === 'document' && role === 'assistant')),
  },
  {
    id: 'text.citations',
    refuses: 'a text of the user’s with citations, with version `2026-10-21`',
    message: '{path}.text.citations: citations are not permitted in user messages',
    source: 'Versions (our wording)',
    find: ({ blocks, version }) =>
      version === '2023-06-01'
        ? undefined
        : pathOf(
            blocks.find(
              ({ type, role, fields: { citations } }) =>
                type === 'text' && role === 'user' && Array.isArray(citations) && citations.length > 0,
            ),
          ),
  },
  {
    id: 'text.type',
    refuses: 'a text block without a text',
    message: '{path}.text.text: Input should be a valid string',
    source: 'API reference',
    find: ({ blocks }) =>
      pathOf(blocks.find(({ type, fields }) => type === 'text' && typeof fields['text'] !== 'string')),
  },
  {
    id: 'text.empty',
    refuses: 'an empty text, also in a tool result',
    message: 'messages: text content blocks must be non-empty',
    source: 'API reference; claude-code 59812',
    find: ({ blocks }) => (textsOf(blocks).includes('') ? NONE : undefined),
  },
  {
    id: 'text.blank',
    refuses: 'a text of nothing but white space (not in a tool result)',
    message: 'messages: text content blocks must contain non-whitespace text',
    source: 'claude-code 23440, theia 16596',
    find({ blocks }) {
      const texts = blocks.filter(({ type }) => type === 'text').map(({ fields }) => fields['text']);
      return texts.some((text) => typeof text === 'string' && !/\S/.test(text)) ? NONE : undefined;
    },
  },
];

/** Comes after the rules about tools: a conversation that ends with an open call is refused for that. */
export const ENDING_RULES: readonly MessageRule[] = [
  {
    id: 'prefill',
    refuses:
      'a conversation that ends with the assistant, unless the script has `prefill`, or a tool of the service’s own was paused',
    message:
      'This model does not support assistant message prefill. The conversation must end with a user message.',
    source: 'Working with messages (Claude 4.6 and later); llxprt-code 3695',
    find({ turns, traits: { prefill = false } }) {
      const last = turns.at(-1);
      return prefill || last?.role !== 'assistant' || last.blocks.some(isServersOwn) ? undefined : NONE;
    },
  },
  {
    id: 'prefill.space',
    refuses: 'such a last message that ends with white space',
    message: 'messages: final assistant content cannot end with trailing whitespace',
    source: 'Working with messages; Marinara-Engine 2673',
    find({ messages }) {
      const last = messages.at(-1);
      const text = last?.role === 'assistant' ? last.blocks.at(-1)?.fields['text'] : undefined;
      return typeof text === 'string' && /\s$/.test(text) ? NONE : undefined;
    },
  },
];

/** Of a tool that the service runs: an answer that it paused for is sent back as it is ("Handling stop reasons"). */
function isServersOwn({ type }: PlacedBlock): boolean {
  return type === 'server_tool_use' || (type.endsWith('_tool_result') && type !== 'tool_result');
}

function pathOf(found: { readonly path: string } | undefined): Values | undefined {
  return found === undefined ? undefined : { path: found.path };
}

function textsOf(blocks: readonly PlacedBlock[]): readonly unknown[] {
  return blocks.flatMap(({ type, fields }) => {
    if (type === 'text') return [fields['text']];
    if (type !== 'tool_result' || !Array.isArray(fields['content'])) return [];
    return contentBlocks(fields['content']).flatMap((inner) =>
      isFields(inner) && inner['type'] === 'text' ? [inner['text']] : [],
    );
  });
}
