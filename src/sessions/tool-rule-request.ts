/** Rules about tool calls, as somebody gives them, checked. */
import { InvalidInput } from '../kernel/fault.ts';
import { parseChoice, parseText } from '../kernel/parse.ts';
import { requestHash } from '../kernel/request-hash.ts';
import { BUILT_IN_TOOLS } from './agent-tool.ts';
import { TOOL_ACTIONS, type ToolRule } from './tool-rule.ts';

/** As somebody gives it: null is what is left out. */
export interface GivenRule {
  readonly tool: string;
  readonly action: string;
  readonly command?: string | null | undefined;
  readonly path?: string | null | undefined;
  readonly host?: string | null | undefined;
  readonly reason?: string | null | undefined;
}

/** Rules of an agent or of a session: all are looked at for each call, and a list that is longer nobody oversees. */
export const TOOL_RULES_MAX = 64;
/** Rules that approvals have added to one session: they are in its record. */
export const ADDED_RULES_MAX = 64;
/** A pattern: a long path, a long command. */
export const PATTERN_CHARS_MAX = 512;
/** What people and the model are told of a rule: a sentence. */
const REASON_BYTES_MAX = 512;

const PATTERNS = ['command', 'path', 'host'] as const;

/** `tools`: those that the agent declares. Undefined when there is none. Throws InvalidInput. */
export function parseRules(
  given: readonly GivenRule[] | undefined,
  tools: readonly { readonly name: string }[] = [],
): readonly ToolRule[] | undefined {
  if (given === undefined || given.length === 0) return undefined;
  if (given.length > TOOL_RULES_MAX)
    throw new InvalidInput('toolRules', `expected at most ${TOOL_RULES_MAX} rules, got ${given.length}.`);
  const names = ['*', ...BUILT_IN_TOOLS.filter((name) => name !== 'ask'), ...tools.map(({ name }) => name)];
  return given.map((rule, index) => parseRule(rule, `toolRules[${index}]`, names));
}

export function isSameRules(one: readonly ToolRule[] = [], other: readonly ToolRule[] = []): boolean {
  return requestHash(one) === requestHash(other);
}

function parseRule(given: GivenRule, field: string, names: readonly string[]): ToolRule {
  const { tool, reason } = given;
  if (!names.includes(tool))
    throw new InvalidInput(
      `${field}.tool`,
      `expected one of ${names.join(', ')}. A question (ask) waits by itself.`,
    );
  const action = parseChoice(`${field}.action`, given.action, TOOL_ACTIONS);
  const patterns = PATTERNS.flatMap((name) => {
    const pattern = given[name];
    return typeof pattern === 'string'
      ? [[name, parsePattern(pattern, `${field}.${name}`, name)] as const]
      : [];
  });
  const said =
    typeof reason === 'string' ? { reason: parseText(`${field}.reason`, reason, REASON_BYTES_MAX) } : {};
  return { tool, action, ...Object.fromEntries(patterns), ...said };
}

function parsePattern(pattern: string, field: string, name: (typeof PATTERNS)[number]): string {
  if (pattern === '' || pattern.length > PATTERN_CHARS_MAX || !pattern.isWellFormed())
    throw new InvalidInput(field, `expected a pattern of 1 to ${PATTERN_CHARS_MAX} characters.`);
  if (name === 'path' && (!pattern.startsWith('/') || /(^|\/)(\.\.?|)(\/|$)/.test(pattern.slice(1))))
    throw new InvalidInput(
      field,
      'expected an absolute path without . and .., for example /workspace/secrets/**.',
    );
  if (name === 'host' && /[/:@\s]/.test(pattern))
    throw new InvalidInput(field, 'expected the name of a host, for example *.example.com.');
  return pattern;
}
