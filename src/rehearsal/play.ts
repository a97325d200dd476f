/** Which answer a request gets: pure, by looking at its conversation. */
import { digest, type Fields, isFields } from './json-value.ts';
import type { Part } from './script-part.ts';
import type { When } from './script-when.ts';
import type { Rule, Script, UsageOverride } from './script.ts';
import { contentBlocks } from './service-request.ts';
import { ThinkingPrefix } from './thinking-seal.ts';
import { promptTokensOf } from './token-count.ts';
import { usageOf } from './usage.ts';

/** What the script looks at, of the body of a request. */
export interface Asked {
  readonly body: Fields;
  readonly model: string;
  readonly stream: boolean;
  /** As the request says; undefined when it does not. */
  readonly thinking: { readonly off: boolean; readonly display?: string | undefined };
  readonly answers: number;
  readonly lastUser: string;
  readonly said: readonly string[];
  readonly steering: readonly string[];
  readonly results: readonly string[];
  readonly lastTools: readonly string[];
  /** The same for the same request, whatever its cache breakpoints. */
  readonly position: string;
  readonly promptTokens: number;
}

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'thinking'; readonly thinking: string; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

/** A block, and how a stream writes it. */
export type Written = { readonly index: number } & (
  | {
      readonly kind: 'known';
      readonly block: Block;
      /** Of its text, or of its input as JSON; undefined: as a model would. */
      readonly pieces?: readonly string[] | undefined;
      /** All of it comes with the start of the block. */
      readonly whole: boolean;
    }
  | { readonly kind: 'other'; readonly block: Fields }
);

export interface Play {
  readonly id: string;
  readonly written: readonly Written[];
  /** Those of the kinds that a script makes. */
  readonly blocks: readonly Block[];
  readonly stopReason: string | null;
  readonly stopSequence: string | null;
  readonly stopDetails: Fields | null;
  /** Null: the answer does not say. */
  readonly model: string | null;
  readonly usage: Required<UsageOverride>;
  readonly rule: Rule;
}

/** Reads the body of a request; undefined when it is not one of the Messages API. */
export function readAsked(body: unknown): Asked | undefined {
  if (!isFields(body) || typeof body['model'] !== 'string' || !Array.isArray(body['messages']))
    return undefined;
  const messages = body['messages']
    .filter(isFields)
    .map(({ role, content }) => ({ role, blocks: contentBlocks(content).filter(isFields) }));
  if (messages.length === 0) return undefined;
  const users = messages.filter(({ role }) => role === 'user');
  const last = messages.at(-1)?.role === 'user' ? messages.at(-1) : undefined;
  const answered = messages.filter(({ role }) => role === 'assistant');
  const said = users.flatMap(({ blocks }) => blocks.flatMap(textOf));
  const thinking = isFields(body['thinking']) ? body['thinking'] : {};
  return {
    body,
    model: body['model'],
    stream: body['stream'] === true,
    thinking: {
      off: thinking['type'] === 'disabled',
      display: typeof thinking['display'] === 'string' ? thinking['display'] : undefined,
    },
    answers: answered.length,
    lastUser: said.at(-1) ?? '',
    said,
    steering: users.flatMap(({ blocks }) => (blocks.some(isResult) ? blocks.flatMap(textOf) : [])),
    results: (last?.blocks ?? []).flatMap(resultOf),
    lastTools: (answered.at(-1)?.blocks ?? []).flatMap((block) =>
      block['type'] === 'tool_use' ? [String(block['name'])] : [],
    ),
    position: digest(JSON.stringify([body['model'], body['messages']], withoutBreakpoints)),
    promptTokens: promptTokensOf(body),
  };
}

/** The answer of `script`; undefined when no rule holds. */
export function play(script: Script, asked: Asked): Play | undefined {
  const rule = script.rules.find((candidate) => holds(candidate.when, asked));
  if (rule === undefined) return undefined;
  const written = writtenOf(script, rule, asked);
  const blocks = written.flatMap((one) => (one.kind === 'known' ? [one.block] : []));
  const uses = blocks.some((block) => block.type === 'tool_use');
  const stopReason = rule.stopReason === undefined ? (uses ? 'tool_use' : 'end_turn') : rule.stopReason;
  return {
    id: `msg_${asked.position}`,
    written,
    blocks,
    stopReason,
    stopSequence: rule.stopSequence ?? null,
    stopDetails: stopReason === 'refusal' ? refusalOf(rule) : null,
    model: rule.model === undefined ? asked.model : rule.model,
    usage: { ...usageOf(asked.body, blocks), ...rule.usage },
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

function writtenOf(script: Script, rule: Rule, asked: Asked): readonly Written[] {
  const display = asked.thinking.display ?? script.display;
  const parts = rule.answer.filter(
    (part) => holds(part.when, asked) && !(isThought(part) && asked.thinking.off),
  );
  const prefix = parts.some(isThought) ? ThinkingPrefix.of(asked.body) : undefined;
  return parts.map((part, place) => {
    const written = writtenPart(part, place, { asked, display, prefix });
    const fields: Fields = { ...written.block };
    prefix?.add({ role: 'assistant', type: String(fields['type']), fields });
    return written;
  });
}

function writtenPart(
  part: Part,
  place: number,
  scene: {
    readonly asked: Asked;
    readonly display: string | undefined;
    readonly prefix: ThinkingPrefix | undefined;
  },
): Written {
  const { asked, display, prefix } = scene;
  const index = part.index ?? place;
  const known = (block: Block, pieces?: readonly string[], whole = false): Written => ({
    kind: 'known',
    index,
    block,
    pieces,
    whole,
  });
  switch (part.kind) {
    case 'text': {
      const pieces = part.pieces.map((piece) => fill(piece, asked));
      return known({ type: 'text', text: pieces.join('') }, pieces.length > 1 ? pieces : undefined);
    }
    case 'thinking': {
      const thinking = display === 'omitted' ? '' : fill(part.text, asked);
      const signature = part.signature ?? prefix?.seal(thinking) ?? '';
      return known({ type: 'thinking', thinking, signature });
    }
    case 'redacted':
      return known({ type: 'redacted_thinking', data: prefix?.seal('') ?? '' });
    case 'tool': {
      const id = part.id ?? `toolu_${digest(`${asked.position}.${place}`)}`;
      const input = part.raw === undefined ? part.input : parsedOrText(part.raw.join(''));
      return known({ type: 'tool_use', id, name: part.tool, input }, part.raw, part.whole);
    }
    case 'block':
      return { kind: 'other', index, block: part.block };
  }
}

function isThought({ kind }: Part): boolean {
  return kind === 'thinking' || kind === 'redacted';
}

/** The service always says something about a refusal, though it may be nothing ("Handle streaming refusals"). */
function refusalOf({ stopDetails = {} }: Rule): Fields {
  const { category, explanation } = stopDetails;
  return { type: 'refusal', category: category ?? null, explanation: explanation ?? null };
}

function parsedOrText(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
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

function textOf(block: Fields): readonly string[] {
  return block['type'] === 'text' ? [String(block['text'])] : [];
}

function isResult(block: Fields): boolean {
  return block['type'] === 'tool_result';
}

function resultOf(block: Fields): readonly string[] {
  if (!isResult(block)) return [];
  return [contentBlocks(block['content']).filter(isFields).flatMap(textOf).join('\n')];
}

function withoutBreakpoints(key: string, value: unknown): unknown {
  return key === 'cache_control' ? undefined : value;
}
