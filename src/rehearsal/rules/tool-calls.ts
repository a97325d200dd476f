/** Rules about tool calls in a conversation, their results, and how the two belong together. */
import { isFields } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import { contentBlocks, type PlacedBlock, type ServiceRequest, type Turn } from '../service-request.ts';
import { RESULT_BLOCKS } from './block-fields.ts';

type CallRule = RequestRule<ServiceRequest>;

const ID = /^[a-zA-Z0-9_-]+$/;
const TOOL_NAME_CHARS_MAX = 200;

export const CALL_RULES: readonly CallRule[] = [
  ofBlocks('tool_use', {
    id: 'tool_use.id',
    refuses: 'a call whose id is not letters, digits, `_` and `-`',
    message: "{path}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    source: 'API reference; bifrost 5097',
    breaks: ({ fields: { id } }) => typeof id !== 'string' || !ID.test(id),
  }),
  ofBlocks('tool_use', {
    id: 'tool_use.name',
    refuses: 'a call without a name',
    message: '{path}.tool_use.name: String should have at least 1 character',
    source: 'API reference',
    breaks: ({ fields: { name } }) => typeof name !== 'string' || name === '',
  }),
  ofBlocks('tool_use', {
    id: 'tool_use.name.long',
    refuses: `a name of more than ${TOOL_NAME_CHARS_MAX} characters`,
    message: `{path}.tool_use.name: String should have at most ${TOOL_NAME_CHARS_MAX} characters`,
    source: 'openclaw 13134',
    breaks: ({ fields: { name } }) => typeof name === 'string' && name.length > TOOL_NAME_CHARS_MAX,
  }),
  ofBlocks('tool_use', {
    id: 'tool_use.input',
    refuses: 'an input that is no object',
    message: '{path}.tool_use.input: Input should be a valid dictionary',
    source: 'claude-code 6695, 6696',
    breaks: ({ fields: { input } }) => !isFields(input),
  }),
  {
    id: 'tool_use.unique',
    refuses: 'two calls of one id, anywhere in the conversation',
    message: '{path}: `tool_use` ids must be unique',
    source: 'litellm 23510, claudegram 12',
    find({ blocks }) {
      const seen = new Set<unknown>();
      const again = ofType(blocks, 'tool_use').find(({ fields: { id } }) => seen.size === seen.add(id).size);
      return again === undefined ? undefined : { path: again.path };
    },
  },
  ofBlocks('tool_result', {
    id: 'tool_result.id',
    refuses: 'a result whose `tool_use_id` is not letters, digits, `_` and `-`',
    message: "{path}.tool_result.tool_use_id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    source: 'API reference',
    breaks: ({ fields: { tool_use_id: id } }) => typeof id !== 'string' || !ID.test(id),
  }),
  ofBlocks('tool_result', {
    id: 'tool_result.content',
    refuses: `in a result anything but a text or a list of ${RESULT_BLOCKS.join(', ')}`,
    message: '{path}.tool_result.content: Input should be a valid list',
    source: 'API reference (our wording)',
    breaks({ fields: { content } }) {
      if (content === undefined || typeof content === 'string') return false;
      return !Array.isArray(content) || !content.every((inner) => isFields(inner) && isResult(inner['type']));
    },
  }),
  ofBlocks('tool_result', {
    id: 'tool_result.error',
    refuses: 'a failed result with nothing in it',
    message: '{path}.tool_result: content cannot be empty if `is_error` is true',
    source: 'markform 153, trae-agent 230',
    breaks: ({ fields }) => fields['is_error'] === true && contentBlocks(fields['content']).length === 0,
  }),
  ofBlocks('tool_result', {
    id: 'tool_result.error.text',
    refuses: 'a failed result with anything but text in it',
    message: '{path}.tool_result: all content must be type `text` if `is_error` is true',
    source: 'vellum-assistant 18387',
    breaks: ({ fields }) =>
      fields['is_error'] === true &&
      contentBlocks(fields['content']).some((inner) => isFields(inner) && inner['type'] !== 'text'),
  }),
  {
    id: 'tool_use.open',
    refuses: 'a call whose result is not at the beginning of the next message, before any text',
    message:
      '{path}: `tool_use` ids were found without `tool_result` blocks immediately after: {ids}. Each `tool_use` block must have a corresponding `tool_result` block in the next message.',
    source: 'Handle tool calls; claude-code 1237, 5989',
    find({ turns }) {
      for (const [index, turn] of turns.entries()) {
        const answered = new Set(leadingResults(turns[index + 1]));
        const open = ofType(turn.blocks, 'tool_use')
          .map(({ fields: { id } }) => id)
          .filter((id) => !answered.has(id));
        if (open.length > 0) return { path: turn.path, ids: [...new Set(open)].join(', ') };
      }
      return undefined;
    },
  },
  {
    id: 'tool_result.unexpected',
    refuses: 'a result of a call that is not in the message before',
    message:
      '{path}: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must have a corresponding `tool_use` block in the previous message.',
    source: 'Handle tool calls; claude-code 13460',
    find({ turns }) {
      for (const [index, turn] of turns.entries()) {
        const calls = ofType(turns[index - 1]?.blocks ?? [], 'tool_use').map(({ fields: { id } }) => id);
        const odd = resultsOf(turn).find(({ id }) => !calls.includes(id));
        if (odd !== undefined) return { path: odd.path, id: String(odd.id) };
      }
      return undefined;
    },
  },
  {
    id: 'tool_result.twice',
    refuses: 'two results of one call',
    message:
      '{path}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {id}',
    source: 'claude-code 14110, hindsight 4250',
    find({ turns }) {
      for (const turn of turns) {
        const seen = new Set<unknown>();
        const again = resultsOf(turn).find(({ id }) => seen.size === seen.add(id).size);
        if (again !== undefined) return { path: again.path, id: String(again.id) };
      }
      return undefined;
    },
  },
];

/** A rule about each block of a type. */
function ofBlocks(
  type: string,
  rule: Omit<CallRule, 'find' | 'status'> & { readonly breaks: (block: PlacedBlock) => boolean },
): CallRule {
  const { breaks, ...told } = rule;
  return {
    ...told,
    find({ blocks }): Values | undefined {
      const broken = ofType(blocks, type).find(breaks);
      return broken === undefined ? undefined : { path: broken.path };
    },
  };
}

function ofType(blocks: readonly PlacedBlock[], type: string): readonly PlacedBlock[] {
  return blocks.filter((block) => block.type === type);
}

function isResult(type: unknown): boolean {
  return RESULT_BLOCKS.some((known) => known === type);
}

function resultsOf(turn: Turn): readonly { readonly path: string; readonly id: unknown }[] {
  if (turn.role !== 'user') return [];
  return ofType(turn.blocks, 'tool_result').map(({ path, fields }) => ({ path, id: fields['tool_use_id'] }));
}

/** Ids of the results at the beginning of the turn: what comes after anything else answers no call. */
function leadingResults(turn: Turn | undefined): readonly unknown[] {
  if (turn?.role !== 'user') return [];
  const end = turn.blocks.findIndex(({ type }) => type !== 'tool_result');
  return turn.blocks.slice(0, end < 0 ? undefined : end).map(({ fields }) => fields['tool_use_id']);
}
