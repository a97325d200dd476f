/**
 * A script: what the rehearsal model says, as data. docs/rehearsal.md is its manual. A script is stateless: the answer is
 * chosen by looking at the conversation in the request, so the same request gets the same answer, also after a crash.
 */
export interface Script {
  readonly name: string;
  readonly description: string;
  /** When set, any other model is unknown (404). */
  readonly models?: readonly string[] | undefined;
  /** When set, any other key is refused (401). */
  readonly key?: string | undefined;
  /** How fast it writes; at once if left out. */
  readonly tokensPerSecond?: number | undefined;
  /** The first rule whose `when` holds answers. */
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly when: When;
  readonly answer: readonly Part[];
  readonly stopReason?: string | undefined;
  readonly usage?: UsageOverride | undefined;
  readonly tokensPerSecond?: number | undefined;
  readonly faults: readonly ScriptFault[];
}

/** Everything that is given must hold; nothing given always holds. */
export interface When {
  /** How many answers the conversation has. */
  readonly answers?: number | undefined;
  /** The last text of the user. */
  readonly user?: RegExp | undefined;
  /** Any text of the user. */
  readonly said?: RegExp | undefined;
  /** Any tool result of the last message. */
  readonly result?: RegExp | undefined;
  /** The last answer used this tool. */
  readonly tool?: string | undefined;
  /** Whether the user has said something in the middle of the work, beside tool results. */
  readonly steered?: boolean | undefined;
}

export type Part =
  | { readonly kind: 'text'; readonly text: string; readonly when: When }
  | { readonly kind: 'thinking'; readonly text: string; readonly when: When }
  | { readonly kind: 'tool'; readonly tool: string; readonly input: unknown; readonly when: When };

export interface UsageOverride {
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
  readonly cache_creation_input_tokens?: number | undefined;
  readonly cache_read_input_tokens?: number | undefined;
}

/** Plays for the first `times` attempts of the same request, then the next fault, then the answer. */
export type ScriptFault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly message?: string | undefined;
      readonly retryAfterMs?: number | undefined;
      readonly times: number;
    }
  | { readonly kind: 'error'; readonly type: string; readonly afterTokens: number; readonly times: number }
  | { readonly kind: 'cut'; readonly afterTokens: number; readonly times: number }
  | { readonly kind: 'hang'; readonly afterTokens: number; readonly times: number };

/** A script that is not one; the message names the place and what was expected. */
export class ScriptInvalid extends Error {
  constructor(where: string, expected: string) {
    super(`${where}: expected ${expected}.`);
    this.name = 'ScriptInvalid';
  }
}

/** Parses the JSON text of a script; throws ScriptInvalid. */
export function parseScript(name: string, text: string): Script {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ScriptInvalid(name, `JSON (${error instanceof Error ? error.message : 'unreadable'})`);
  }
  const root = fields(name, json, ['description', 'models', 'key', 'tokensPerSecond', 'rules']);
  return {
    name,
    description: readText(`${name}.description`, root['description']),
    models: optional(root['models'], (value) => list(`${name}.models`, value, readText)),
    key: optional(root['key'], (value) => readText(`${name}.key`, value)),
    tokensPerSecond: optional(root['tokensPerSecond'], (value) => number(`${name}.tokensPerSecond`, value)),
    rules: list(`${name}.rules`, root['rules'], rule),
  };
}

function rule(where: string, value: unknown): Rule {
  const given = fields(where, value, ['when', 'answer', 'stopReason', 'usage', 'tokensPerSecond', 'faults']);
  return {
    when: when(`${where}.when`, given['when'] ?? {}),
    answer: list(`${where}.answer`, given['answer'], part),
    stopReason: optional(given['stopReason'], (reason) => readText(`${where}.stopReason`, reason)),
    usage: optional(given['usage'], (counts) => usage(`${where}.usage`, counts)),
    tokensPerSecond: optional(given['tokensPerSecond'], (rate) => number(`${where}.tokensPerSecond`, rate)),
    faults: list(`${where}.faults`, given['faults'] ?? [], fault),
  };
}

function when(where: string, value: unknown): When {
  const given = fields(where, value, ['answers', 'user', 'said', 'result', 'tool', 'steered']);
  return {
    answers: optional(given['answers'], (count) => number(`${where}.answers`, count)),
    user: optional(given['user'], (pattern) => regexp(`${where}.user`, pattern)),
    said: optional(given['said'], (pattern) => regexp(`${where}.said`, pattern)),
    result: optional(given['result'], (pattern) => regexp(`${where}.result`, pattern)),
    tool: optional(given['tool'], (tool) => readText(`${where}.tool`, tool)),
    steered: optional(given['steered'], (steered) => {
      if (typeof steered !== 'boolean') throw new ScriptInvalid(`${where}.steered`, 'true or false');
      return steered;
    }),
  };
}

function part(where: string, value: unknown): Part {
  const given = fields(where, value, ['text', 'thinking', 'tool', 'input', 'when']);
  const condition = when(`${where}.when`, given['when'] ?? {});
  if (given['text'] !== undefined)
    return { kind: 'text', text: readText(`${where}.text`, given['text']), when: condition };
  if (given['thinking'] !== undefined) {
    return { kind: 'thinking', text: readText(`${where}.thinking`, given['thinking']), when: condition };
  }
  if (given['tool'] === undefined) throw new ScriptInvalid(where, 'one of "text", "thinking" and "tool"');
  const input = given['input'] ?? {};
  return { kind: 'tool', tool: readText(`${where}.tool`, given['tool']), input, when: condition };
}

function fault(where: string, value: unknown): ScriptFault {
  const given = fields(where, value, [
    'status',
    'message',
    'retryAfterMs',
    'error',
    'cut',
    'hang',
    'afterTokens',
    'times',
  ]);
  const times = optional(given['times'], (count) => number(`${where}.times`, count)) ?? 1;
  const afterTokens = optional(given['afterTokens'], (count) => number(`${where}.afterTokens`, count)) ?? 0;
  if (given['status'] !== undefined) {
    const status = number(`${where}.status`, given['status']);
    if (status < 400 || status > 599) throw new ScriptInvalid(`${where}.status`, 'a status from 400 to 599');
    const message = optional(given['message'], (said) => readText(`${where}.message`, said));
    const retryAfterMs = optional(given['retryAfterMs'], (ms) => number(`${where}.retryAfterMs`, ms));
    return { kind: 'status', status, message, retryAfterMs, times };
  }
  if (given['error'] !== undefined) {
    return { kind: 'error', type: readText(`${where}.error`, given['error']), afterTokens, times };
  }
  if (given['cut'] === true) return { kind: 'cut', afterTokens, times };
  if (given['hang'] === true) return { kind: 'hang', afterTokens, times };
  throw new ScriptInvalid(where, 'one of "status", "error", "cut": true and "hang": true');
}

function usage(where: string, value: unknown): UsageOverride {
  const names = ['input_tokens', 'output_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'];
  const given = fields(where, value, names);
  return Object.fromEntries(
    Object.entries(given).map(([name, count]) => [name, number(`${where}.${name}`, count)]),
  );
}

function fields(where: string, value: unknown, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ScriptInvalid(where, 'an object');
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new ScriptInvalid(`${where}.${unknown}`, `no such field, but one of ${known.join(', ')}`);
  return value as Readonly<Record<string, unknown>>; // checked above
}

function list<T>(where: string, value: unknown, item: (where: string, value: unknown) => T): readonly T[] {
  if (!Array.isArray(value)) throw new ScriptInvalid(where, 'a list');
  return value.map((entry, index) => item(`${where}[${index}]`, entry));
}

function readText(where: string, value: unknown): string {
  if (typeof value !== 'string') throw new ScriptInvalid(where, 'text');
  return value;
}

function number(where: string, value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0)
    throw new ScriptInvalid(where, 'a number from 0');
  return value;
}

function regexp(where: string, value: unknown): RegExp {
  try {
    return new RegExp(readText(where, value), 'su');
  } catch (error) {
    if (error instanceof ScriptInvalid) throw error;
    throw new ScriptInvalid(where, 'a regular expression');
  }
}

function optional<T>(value: unknown, parse: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : parse(value);
}
