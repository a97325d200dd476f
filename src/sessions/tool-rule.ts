/**
 * Which tool calls may run, and which tools somebody outside runs: what a session is started with. Pure.
 *
 * APPROVAL-1 Of the rules of a session the first that fits decides, those first that approvals have added; then those of its agent; what none
 *    fits is allowed. What the agent denies stays denied, whatever a session or an approval says.
 * APPROVAL-2 A rule that allows fits only what it surely means: of a line of shell one simple command, or that very line; of several hosts
 *    all. A rule that asks or denies fits when any part of the call does, and when the call is too long to be looked through.
 */
import {
  commandsIn,
  fitsPath,
  fitsText,
  hostOf,
  isLiteral,
  isSimpleCommand,
  literalPattern,
  normalPath,
  PATTERN_TEXT_CHARS_MAX,
} from './tool-pattern.ts';

export const TOOL_ACTIONS = ['allow', 'ask', 'deny'] as const;
export type ToolAction = (typeof TOOL_ACTIONS)[number];

export interface ToolRule {
  /** The name of a tool, or `*` for each. */
  readonly tool: string;
  readonly action: ToolAction;
  /** Patterns of what the call passes (tool-pattern.ts); all that are given have to fit, and what has no such thing does not. */
  readonly command?: string | undefined;
  readonly path?: string | undefined;
  readonly host?: string | undefined;
  /** What people and the model are told of it. */
  readonly reason?: string | undefined;
}

/** A tool that somebody outside runs. What the model is told of it stands in the agent's revision. */
export interface ClientTool {
  readonly name: string;
  /** A call that nobody has answered by then has timed out; absent: it waits for as long as it takes. */
  readonly timeoutSeconds?: number | undefined;
}

export interface RuledCall {
  readonly tool: string;
  readonly input: unknown;
}

interface Rules {
  readonly addedRules?: readonly ToolRule[] | undefined;
  readonly toolRules?: readonly ToolRule[] | undefined;
  readonly agentRules?: readonly ToolRule[] | undefined;
}

/** Fields of an input in which tools name paths and hosts. */
const PATHS = ['path', 'file', 'file_path'];
const HOSTS = ['url', 'uri', 'host', 'hostname'];

const ALLOW: ToolRule = { tool: '*', action: 'allow' };

/** APPROVAL-1 */
export function ruleFor(
  { addedRules = [], toolRules = [], agentRules = [] }: Rules,
  call: RuledCall,
): ToolRule {
  const fits = (rule: ToolRule): boolean => fitsCall(rule, call);
  const ofAgent = agentRules.find(fits);
  if (ofAgent?.action === 'deny') return ofAgent;
  return addedRules.find(fits) ?? toolRules.find(fits) ?? ofAgent ?? ALLOW;
}

/** The rule that lets this call, and no other of its tool, run from now on; of a call that names no command and no path: each of its tool. */
export function ruleOfCall({ tool, input }: RuledCall): ToolRule {
  const [command] = textsOf(input, ['command']);
  if (command !== undefined) return { tool, action: 'allow', command: literalPattern(command) };
  const [path] = textsOf(input, PATHS);
  if (path === undefined) return { tool, action: 'allow' };
  return { tool, action: 'allow', path: normalPath(path).split('/').map(literalPattern).join('/') };
}

function fitsCall({ tool, action, command, path, host }: ToolRule, call: RuledCall): boolean {
  if (tool !== '*' && tool !== call.tool) return false;
  const { input } = call;
  return (
    (command === undefined || fitsCommands(command, action, textsOf(input, ['command']))) &&
    (path === undefined ||
      fitsAny(action, textsOf(input, PATHS), (one) => fitsPath(path, normalPath(one)))) &&
    (host === undefined || fitsAny(action, textsOf(input, HOSTS), (one) => fitsHost(host, one)))
  );
}

/** APPROVAL-2 */
function fitsCommands(pattern: string, action: ToolAction, lines: readonly string[]): boolean {
  return fitsAny(action, lines, (line) => {
    if (action !== 'allow') return commandsIn(line).some((command) => fitsText(pattern, command));
    return (isLiteral(pattern) || isSimpleCommand(line)) && fitsText(pattern, line);
  });
}

/** APPROVAL-2 */
function fitsAny(action: ToolAction, texts: readonly string[], fits: (text: string) => boolean): boolean {
  const fitsOne = (text: string): boolean =>
    text.length > PATTERN_TEXT_CHARS_MAX ? action !== 'allow' : fits(text);
  return action === 'allow' ? texts.length > 0 && texts.every(fitsOne) : texts.some(fitsOne);
}

function fitsHost(pattern: string, text: string): boolean {
  const host = hostOf(text);
  return host !== undefined && fitsText(pattern.toLowerCase(), host);
}

function textsOf(input: unknown, names: readonly string[]): readonly string[] {
  if (typeof input !== 'object' || input === null) return [];
  return Object.entries(input).flatMap(([name, value]) =>
    names.includes(name) && typeof value === 'string' ? [value] : [],
  );
}
