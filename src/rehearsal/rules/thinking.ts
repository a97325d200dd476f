/** Rules about thinking: how it is asked for, and how its blocks come back. */
import { type Fields, isFields } from '../json-value.ts';
import type { RequestRule, Values } from '../request-rule.ts';
import { THINKING_TYPES } from '../script.ts';
import type { ServiceRequest } from '../service-request.ts';
import { isThinking, type SealDefect, sealDefects } from '../thinking-seal.ts';

type ThinkingRule = RequestRule<ServiceRequest>;

const NONE = {};
const BUDGET_LEAST = 1_024;
const DISPLAYS = ['summarized', 'omitted'];
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  adaptive: ['display'],
  enabled: ['display', 'budget_tokens'],
  disabled: [],
  between_tools: [],
};

/** Of the configuration. */
export const THINKING_RULES: readonly ThinkingRule[] = [
  {
    id: 'thinking.type',
    refuses: `a \`thinking.type\` other than ${THINKING_TYPES.join(', ')}`,
    message: `thinking: Input tag '{type}' found using 'type' does not match any of the expected tags: ${THINKING_TYPES.map((type) => `'${type}'`).join(', ')}`,
    source: 'API reference',
    find({ body }) {
      if (body['thinking'] === undefined) return undefined;
      const type = String(thinkingOf(body)['type']);
      return THINKING_TYPES.some((known) => known === type) ? undefined : { type };
    },
  },
  {
    id: 'thinking.adaptive',
    refuses: 'adaptive thinking, when the `thinking` of the script does not have it',
    message: 'adaptive thinking is not supported on this model',
    source: 'Troubleshooting thinking; docker-agent 3362',
    find: ({ body, traits: { thinking: types } }) =>
      thinkingOf(body)['type'] !== 'adaptive' || types?.includes('adaptive') !== false ? undefined : NONE,
  },
  {
    id: 'thinking.model',
    refuses: 'another type that it does not have',
    message:
      '"thinking.type.{type}" is not supported for this model. Use "thinking.type.{other}" and "output_config.effort" to control thinking behavior.',
    source: 'Troubleshooting thinking',
    find({ body, traits: { thinking: types } }) {
      const { type } = thinkingOf(body);
      if (types === undefined || typeof type !== 'string' || types.some((known) => known === type))
        return undefined;
      return { type, other: types[0] ?? 'disabled' };
    },
  },
  {
    id: 'thinking.field',
    refuses: 'a field that this type does not have',
    message: 'thinking.{type}.{field}: Extra inputs are not permitted',
    source: 'API reference',
    find({ body, beta }) {
      const thinking = thinkingOf(body);
      const type = String(thinking['type']);
      const known = Object.hasOwn(FIELDS, type) ? FIELDS[type] : undefined;
      const field = Object.keys(thinking).find(
        (name) => name !== 'type' && thinking[name] !== undefined && known?.includes(name) === false,
      );
      return field === undefined || beta ? undefined : { type, field };
    },
  },
  {
    id: 'thinking.display',
    refuses: 'a `display` other than summarized and omitted',
    message: "thinking.{type}.display: Input should be 'summarized' or 'omitted'",
    source: 'Thinking',
    find({ body }) {
      const { type, display = null } = thinkingOf(body);
      return display === null || DISPLAYS.some((known) => known === display)
        ? undefined
        : { type: String(type) };
    },
  },
  {
    id: 'thinking.budget.least',
    refuses: `a \`budget_tokens\` of less than ${BUDGET_LEAST}`,
    message: `thinking.enabled.budget_tokens: Input should be greater than or equal to ${BUDGET_LEAST}`,
    source: 'Extended thinking; llm.js 30',
    find({ body }) {
      const { type, budget_tokens: budget } = thinkingOf(body);
      return type !== 'enabled' || Number(budget) >= BUDGET_LEAST ? undefined : NONE;
    },
  },
  {
    id: 'thinking.budget.most',
    refuses: 'a budget that is not less than `max_tokens`',
    message: '`max_tokens` must be greater than `thinking.budget_tokens`.',
    source: 'Extended thinking',
    find({ body, counts }) {
      const { type, budget_tokens: budget } = thinkingOf(body);
      return type !== 'enabled' || counts || Number(budget) < Number(body['max_tokens']) ? undefined : NONE;
    },
  },
  {
    id: 'thinking.forced',
    refuses: 'extended thinking together with a `tool_choice` of any or tool',
    message: 'Thinking may not be enabled when tool_choice forces tool use.',
    source: 'Extended thinking; llama_index 19641',
    find({ body }) {
      const choice = isFields(body['tool_choice']) ? body['tool_choice']['type'] : undefined;
      const forced = choice === 'any' || choice === 'tool';
      return forced && thinkingOf(body)['type'] === 'enabled' ? NONE : undefined;
    },
  },
];

/** Of the blocks. */
export const PRESERVED_RULES: readonly ThinkingRule[] = [
  {
    id: 'thinking.required',
    refuses: 'a thinking block without a text or signature, redacted thinking without data',
    message: '{path}.{type}.{field}: Field required',
    source: 'API reference',
    find({ blocks }) {
      for (const { path, type, fields } of blocks) {
        const needed =
          type === 'thinking' ? ['thinking', 'signature'] : type === 'redacted_thinking' ? ['data'] : [];
        const field = needed.find((name) => typeof fields[name] !== 'string');
        if (field !== undefined) return { path, type, field };
      }
      return undefined;
    },
  },
  {
    id: 'thinking.last',
    refuses: 'thinking as the last block of a message',
    message: '{path}: The final block in an assistant message cannot be `{type}`.',
    source: 'Troubleshooting thinking; forgecode 2107',
    find({ messages }) {
      for (const { path, role, blocks } of messages) {
        const { type = '' } = blocks.at(-1) ?? {};
        if (role === 'assistant' && isThinking(type)) return { path, type };
      }
      return undefined;
    },
  },
  ofSeals({
    id: 'thinking.signature',
    refuses: 'thinking with a signature that the rehearsal has not made',
    message: '{path}: Invalid `signature` in `{type}` block',
    source: 'Preserved thinking; anthropic-sdk-python 1598',
    breaks: ({ kind }) => kind === 'invalid',
  }),
  ofSeals({
    id: 'thinking.changed',
    refuses: 'thinking whose text has changed',
    message:
      '{path}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. These blocks must remain as they were in the original response.',
    source: 'Preserved thinking; claude-code 63203',
    breaks: ({ kind }) => kind === 'text',
  }),
  ofSeals({
    id: 'thinking.prefix',
    refuses:
      'thinking before which the system prompt, the tools, a message or other thinking has changed, unless the script has `preservedThinking` false',
    message:
      '{path}: Invalid `signature` in `{type}` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "drop_block". What differs: {changed}.',
    source: 'Prefix checks on thinking blocks (the last sentence is ours)',
    breaks: ({ kind }, request) =>
      kind === 'prefix' && request.traits.preservedThinking !== false && !dropsBlocks(request),
  }),
];

function ofSeals(
  rule: Omit<ThinkingRule, 'find' | 'status'> & {
    readonly breaks: (defect: SealDefect, request: ServiceRequest) => boolean;
  },
): ThinkingRule {
  const { breaks, ...told } = rule;
  return {
    ...told,
    find(request): Values | undefined {
      const broken = sealDefects(request).find(([, defect]) => breaks(defect, request));
      if (broken === undefined) return undefined;
      const [{ path, type }, defect] = broken;
      return { path, type, changed: defect.kind === 'prefix' ? defect.changed : '' };
    },
  };
}

/** The caller has said that thinking which does not fit is to be left out, and has sent the header for it. */
function dropsBlocks({ body, beta }: ServiceRequest): boolean {
  const binding = thinkingOf(body)['block_binding'];
  return beta && isFields(binding) && binding['prefix_mismatch_behavior'] === 'drop_block';
}

function thinkingOf(body: Fields): Fields {
  return isFields(body['thinking']) ? body['thinking'] : {};
}
