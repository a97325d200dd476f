/** Rules about tool calls, in and out. */
import type { ToolAction, ToolRule } from '../src/sessions/tool-rule.ts';
import { type GivenRule, PATTERN_CHARS_MAX, TOOL_RULES_MAX } from '../src/sessions/tool-rule-request.ts';
import { builder } from './builder.ts';
import { costing } from './cost.ts';

const RULE = {
  tool: 'The name of a tool, or * for each.',
  action: 'What becomes of a call that the rule fits.',
  command:
    'A pattern of the command that the call passes: * stands for any characters. A rule that allows fits one simple command and nothing beside it; one that asks or denies fits any command of the line.',
  path: 'A pattern of the path that the call passes, absolute (/workspace/...): * stands for any characters of one part, ** for any parts.',
  host: 'A pattern of the host of the URL that the call passes, for example *.example.com.',
  reason: 'What people and the model are told of it.',
} as const;

export const RULES_DESCRIPTION = `Which tool calls may run: the first rule that fits decides, and what none fits may. At most ${TOOL_RULES_MAX}, patterns of at most ${PATTERN_CHARS_MAX} characters.`;

/** What a list of them counts as in the cost of a query: mostly some short texts. */
const RULES_POINTS = 16;
const RULES_BYTES_MAX = TOOL_RULES_MAX * 4 * PATTERN_CHARS_MAX;

const ToolActionEnum = builder.enumType('ToolAction', {
  description: 'What becomes of a tool call.',
  values: {
    ALLOW: { value: 'allow', description: 'It runs.' },
    ASK: { value: 'ask', description: 'It waits until somebody approves or denies it.' },
    DENY: { value: 'deny', description: 'It does not run, and the model is told so.' },
  } as const satisfies Record<Uppercase<ToolAction>, object>,
});

export const ToolRuleInput = builder.inputType('ToolRuleInput', {
  description: 'A rule about tool calls. All patterns that are given have to fit.',
  fields: (t) => ({
    tool: t.string({ required: true, description: RULE.tool }),
    action: t.field({ type: ToolActionEnum, required: true, description: RULE.action }),
    command: t.string({ description: RULE.command }),
    path: t.string({ description: RULE.path }),
    host: t.string({ description: RULE.host }),
    reason: t.string({ description: RULE.reason }),
  }),
});

export const ToolRuleType = builder.objectRef<ToolRule>('ToolRule').implement({
  description: 'A rule about tool calls.',
  fields: (t) => ({
    tool: t.exposeString('tool', { description: RULE.tool }),
    action: t.field({ type: ToolActionEnum, description: RULE.action, resolve: ({ action }) => action }),
    command: t.string({
      nullable: true,
      description: RULE.command,
      resolve: ({ command }) => command ?? null,
    }),
    path: t.string({ nullable: true, description: RULE.path, resolve: ({ path }) => path ?? null }),
    host: t.string({ nullable: true, description: RULE.host, resolve: ({ host }) => host ?? null }),
    reason: t.string({ nullable: true, description: RULE.reason, resolve: ({ reason }) => reason ?? null }),
  }),
});

/** For the options of a field that lists rules. */
export const RULES_FIELD = {
  type: [ToolRuleType] as [typeof ToolRuleType],
  ...costing({ points: RULES_POINTS, items: TOOL_RULES_MAX, bytes: RULES_BYTES_MAX }),
};

/** GraphQL's null is what is left out. */
export function rulesOf(given: readonly GivenRule[] | null | undefined): readonly GivenRule[] | undefined {
  return given?.map((rule) =>
    Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== null && value !== undefined)),
  ) as readonly GivenRule[] | undefined; // as: what is left is as it was
}
