/** Rules about the fields of a request that are neither messages nor tools nor thinking. */
import { isFields } from '../json-value.ts';
import type { RequestRule } from '../request-rule.ts';
import { contentBlocks, placedBlocks, type ServiceRequest } from '../service-request.ts';
import { promptTokensOf } from '../token-count.ts';

type BodyRule = RequestRule<ServiceRequest>;

const NONE = {};
/** MessageCountTokensParams of @anthropic-ai/sdk 1.12. */
const COUNT_FIELDS = new Set(
  'model messages system tools tool_choice thinking output_config cache_control speed user_profile_id workspace_id'.split(
    ' ',
  ),
);
const SAMPLING_FIELDS = ['temperature', 'top_p', 'top_k'];
/** MessageCreateParams of the same, and what version 2026-10-21 has taken out. */
const FIELDS = new Set([
  ...COUNT_FIELDS,
  ...'max_tokens stream stop_sequences metadata service_tier container diagnostics inference_geo'.split(' '),
  ...SAMPLING_FIELDS,
]);
const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'];
const USER_ID_CHARS_MAX = 256;

export const BODY_RULES: readonly BodyRule[] = [
  {
    id: 'fields.unknown',
    refuses: 'a field that the API does not have (with `anthropic-beta`: any is accepted)',
    message: '{field}: Extra inputs are not permitted',
    source: 'API reference; aider 3367',
    find({ body, counts, beta }) {
      const known = counts ? COUNT_FIELDS : FIELDS;
      const field = beta
        ? undefined
        : Object.keys(body).find((name) => !known.has(name) && body[name] !== undefined);
      return field === undefined ? undefined : { field };
    },
  },
  {
    id: 'fields.sampling',
    refuses: '`temperature`, `top_p` and `top_k` with version `2026-10-21`',
    message: '{field}: Extra inputs are not permitted',
    source: 'Versions (our wording)',
    find({ body, version }) {
      const field = SAMPLING_FIELDS.find((name) => body[name] !== undefined);
      return field === undefined || version === '2023-06-01' ? undefined : { field };
    },
  },
  {
    id: 'model.missing',
    refuses: 'no `model`',
    message: 'model: Field required',
    source: 'API reference',
    find: ({ body }) => (typeof body['model'] === 'string' ? undefined : NONE),
  },
  {
    id: 'max_tokens.missing',
    refuses: 'no `max_tokens` (not when tokens are counted)',
    message: 'max_tokens: Field required',
    source: 'API reference',
    find: ({ body, counts }) => (counts || body['max_tokens'] !== undefined ? undefined : NONE),
  },
  {
    id: 'max_tokens.least',
    refuses: '`max_tokens` that is no whole number from 0',
    message: 'max_tokens: Input should be greater than or equal to 0',
    source: 'API reference',
    find: ({ body, counts }) => (counts || isCount(body['max_tokens']) ? undefined : NONE),
  },
  {
    id: 'max_tokens.most',
    refuses: 'more than the `maxOutputTokens` of the script',
    message: 'max_tokens: {asked} > {most}, which is the maximum allowed number of output tokens for {model}',
    source: 'Models; claude-code 24451',
    find({ body, counts, traits: { maxOutputTokens: most } }) {
      const asked = Number(body['max_tokens']);
      const model = String(body['model']);
      return counts || most === undefined || asked <= most ? undefined : { asked, most, model };
    },
  },
  {
    id: 'system.type',
    refuses: '`system` that is neither a text nor a list of text blocks',
    message: 'system: Input should be a valid list',
    source: 'API reference',
    find({ body: { system } }) {
      const isText = system === undefined || typeof system === 'string';
      const isList =
        Array.isArray(system) &&
        placedBlocks('system', 'system', system).every(({ type }) => type === 'text');
      return isText || isList ? undefined : NONE;
    },
  },
  {
    id: 'system.blank',
    refuses: 'a system prompt with a text that is empty or all white space',
    message: 'system: text content blocks must {what}',
    source: 'API reference; claude-code 23440',
    find({ body: { system } }) {
      const texts = contentBlocks(system).flatMap((block) =>
        isFields(block) ? [String(block['text'])] : [],
      );
      const blank = texts.find((text) => text.trim() === '');
      if (blank === undefined) return undefined;
      return { what: blank === '' ? 'be non-empty' : 'contain non-whitespace text' };
    },
  },
  {
    id: 'stream.type',
    refuses: '`stream` that is not true or false',
    message: 'stream: Input should be a valid boolean',
    source: 'API reference',
    find: ({ body: { stream } }) => (stream === undefined || typeof stream === 'boolean' ? undefined : NONE),
  },
  {
    id: 'effort',
    refuses: `\`output_config.effort\` other than ${EFFORTS.join(', ')}`,
    message: "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
    source: 'Effort',
    find({ body }) {
      const config = body['output_config'];
      const effort = isFields(config) ? config['effort'] : undefined;
      if (effort === undefined || effort === null) return undefined;
      return EFFORTS.some((known) => known === effort) ? undefined : NONE;
    },
  },
  {
    id: 'metadata.user_id',
    refuses: `\`metadata.user_id\` of more than ${USER_ID_CHARS_MAX} characters`,
    message: `metadata.user_id: String should have at most ${USER_ID_CHARS_MAX} characters`,
    source: 'API reference',
    find({ body: { metadata } }) {
      const user = isFields(metadata) ? metadata['user_id'] : undefined;
      return typeof user === 'string' && user.length > USER_ID_CHARS_MAX ? NONE : undefined;
    },
  },
];

/** Comes after everything else: a prompt is measured when it is one. */
export const SIZE_RULES: readonly BodyRule[] = [
  {
    id: 'prompt.window',
    refuses: 'more tokens (four bytes each) than the `window` of the script',
    message: 'prompt is too long: {tokens} tokens > {window} maximum',
    source: 'Context windows; claude-code 12186',
    find({ body, traits: { window } }) {
      if (window === undefined) return undefined;
      const tokens = promptTokensOf(body);
      return tokens > window ? { tokens, window } : undefined;
    },
  },
];

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
