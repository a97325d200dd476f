/** Which answer a request gets: pure, by looking at its conversation. */
import { createHash } from 'node:crypto';
import type { Part, Rule, Script, UsageOverride, When } from './script.ts';

/** What the script looks at, of the body of a request. */
export interface Asked {
  readonly model: string;
  readonly stream: boolean;
  readonly answers: number;
  readonly lastUser: string;
  readonly said: readonly string[];
  readonly steering: readonly string[];
  readonly results: readonly string[];
  readonly lastTools: readonly string[];
  /** The same for the same request, whatever its cache breakpoints. */
  readonly position: string;
  /** Plausible sizes, in tokens. */
  readonly promptTokens: number;
  readonly freshTokens: number;
  readonly caches: boolean;
}

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

export interface Play {
  readonly id: string;
  readonly blocks: readonly Block[];
  readonly stopReason: string;
  readonly usage: Required<UsageOverride>;
  readonly rule: Rule;
}

const CHARS_PER_TOKEN = 4;

/** Reads the body of a request; undefined when it is not one of the Messages API. */
export function readAsked(body: unknown): Asked | undefined {
  if (!isRecord(body) || typeof body['model'] !== 'string' || !Array.isArray(body['messages']))
    return undefined;
  const messages = body['messages']
    .filter(isRecord)
    .map(({ role, content }) => ({ role, blocks: blocksOf(content) }));
  if (messages.length === 0) return undefined;
  const users = messages.filter(({ role }) => role === 'user');
  const last = messages.at(-1)?.role === 'user' ? messages.at(-1) : undefined;
  const answered = messages.filter(({ role }) => role === 'assistant');
  const said = users.flatMap(({ blocks }) => blocks.flatMap(textOf));
  const text = JSON.stringify({ system: body['system'], tools: body['tools'], messages: body['messages'] });
  return {
    model: body['model'],
    stream: body['stream'] === true,
    answers: answered.length,
    lastUser: said.at(-1) ?? '',
    said,
    steering: users.flatMap(({ blocks }) => (blocks.some(isResult) ? blocks.flatMap(textOf) : [])),
    results: (last?.blocks ?? []).flatMap(resultOf),
    lastTools: (answered.at(-1)?.blocks ?? []).flatMap((block) =>
      block['type'] === 'tool_use' ? [String(block['name'])] : [],
    ),
    position: digest(JSON.stringify([body['model'], body['messages']], withoutBreakpoints)),
    promptTokens: Math.ceil(text.length / CHARS_PER_TOKEN),
    freshTokens: Math.ceil(JSON.stringify(last ?? '').length / CHARS_PER_TOKEN),
    caches: text.includes('"cache_control"'),
  };
}

/** The answer of `script`; undefined when no rule holds. */
export function play(script: Script, asked: Asked): Play | undefined {
  const rule = script.rules.find((candidate) => holds(candidate.when, asked));
  if (rule === undefined) return undefined;
  const parts = rule.answer.filter((part) => holds(part.when, asked));
  const blocks = parts.map((part, index) => blockOf(part, index, asked));
  const uses = blocks.some((block) => block.type === 'tool_use');
  return {
    id: `msg_${asked.position}`,
    blocks,
    stopReason: rule.stopReason ?? (uses ? 'tool_use' : 'end_turn'),
    usage: { ...usageOf(blocks, asked), ...rule.usage },
    rule,
  };
}

function holds(when: When, asked: Asked): boolean {
  return (
    (when.answers === undefined || when.answers === asked.answers) &&
    (when.user === undefined || when.user.test(asked.lastUser)) &&
    (when.said === undefined || asked.said.some((text) => when.said?.test(text))) &&
    (when.result === undefined || asked.results.some((text) => when.result?.test(text))) &&
    (when.tool === undefined || asked.lastTools.includes(when.tool)) &&
    (when.steered === undefined || when.steered === asked.steering.length > 0)
  );
}

function blockOf(part: Part, index: number, asked: Asked): Block {
  if (part.kind === 'text') return { type: 'text', text: fill(part.text, asked) };
  const id = digest(`${asked.position}.${index}`);
  if (part.kind === 'thinking')
    return { type: 'thinking', thinking: fill(part.text, asked), signature: `sig_${id}` };
  return { type: 'tool_use', id: `toolu_${id}`, name: part.tool, input: part.input };
}

function fill(text: string, asked: Asked): string {
  const values: Readonly<Record<string, string>> = {
    user: asked.lastUser,
    result: asked.results.join('\n'),
    steering: asked.steering.join(' '),
    answers: String(asked.answers),
  };
  return text.replace(/\{\{(user|result|steering|answers)\}\}/g, (_, name: string) => values[name] ?? '');
}

/** With breakpoints, all but the new message is read from the cache, or written to it by the first request. */
function usageOf(blocks: readonly Block[], asked: Asked): Required<UsageOverride> {
  const output = Math.ceil(JSON.stringify(blocks).length / CHARS_PER_TOKEN);
  const { promptTokens, freshTokens, caches, answers } = asked;
  const old = answers === 0 ? 0 : Math.max(0, promptTokens - freshTokens);
  return {
    input_tokens: caches ? 4 : promptTokens,
    output_tokens: output,
    cache_creation_input_tokens: caches ? promptTokens - old : 0,
    cache_read_input_tokens: caches ? old : 0,
  };
}

function blocksOf(content: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return Array.isArray(content) ? content.filter(isRecord) : [];
}

function textOf(block: Readonly<Record<string, unknown>>): readonly string[] {
  return block['type'] === 'text' ? [String(block['text'])] : [];
}

function isResult(block: Readonly<Record<string, unknown>>): boolean {
  return block['type'] === 'tool_result';
}

function resultOf(block: Readonly<Record<string, unknown>>): readonly string[] {
  if (!isResult(block)) return [];
  return [blocksOf(block['content']).flatMap(textOf).join('\n')];
}

function withoutBreakpoints(key: string, value: unknown): unknown {
  return key === 'cache_control' ? undefined : value;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
