/**
 * A script: what the rehearsal model says, as data. docs/rehearsal.md is its manual. A script is stateless: the answer is
 * chosen by looking at the conversation in the request, so the same request gets the same answer, also after a crash.
 */
import { type Part, readPart } from './script-part.ts';
import { readFault, readHeaders, type ScriptFault } from './script-fault.ts';
import {
  readBoolean,
  readList,
  readNumber,
  readOneOf,
  readText,
  ScriptFields,
  ScriptInvalid,
} from './script-field.ts';
import { readWhen, type When } from './script-when.ts';

/** As the Messages API has them. */
export const THINKING_TYPES = ['adaptive', 'enabled', 'disabled', 'between_tools'] as const;
const DISPLAYS = ['summarized', 'omitted'] as const;

/** What the model of a script can do, as far as requests are refused for it. */
export interface ModelTraits {
  /** Tokens of the context; without it, no prompt is too long. */
  readonly window?: number | undefined;
  readonly maxOutputTokens?: number | undefined;
  /** All of them if left out. */
  readonly thinking?: readonly (typeof THINKING_TYPES)[number][] | undefined;
  /** Whether a conversation may end with the assistant; false if left out, as the current models have it. */
  readonly prefill?: boolean | undefined;
  /** Whether thinking is bound to what stood before it; true if left out. */
  readonly preservedThinking?: boolean | undefined;
}

export interface Script extends ModelTraits {
  readonly name: string;
  readonly description: string;
  /** When set, any other model is unknown (404). */
  readonly models?: readonly string[] | undefined;
  /** When set, any other key is refused (401). */
  readonly key?: string | undefined;
  /** What becomes of thinking in answers to requests that do not say; summarized if left out. */
  readonly display?: (typeof DISPLAYS)[number] | undefined;
  /** How fast it writes; at once if left out. */
  readonly tokensPerSecond?: number | undefined;
  /** The first rule whose `when` holds answers. */
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly when: When;
  readonly answer: readonly Part[];
  /** Null is said as it is; left out: what goes with the answer. */
  readonly stopReason?: string | null | undefined;
  /** Of a refusal, as far as the service says. */
  readonly stopDetails?: StopDetails | undefined;
  readonly stopSequence?: string | undefined;
  readonly usage?: UsageOverride | undefined;
  /** What the answer says about its model; null: nothing, as some services do it. */
  readonly model?: string | null | undefined;
  /** Of the answer, besides the service's own or in place of them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly tokensPerSecond?: number | undefined;
  readonly faults: readonly ScriptFault[];
}

export interface StopDetails {
  readonly category?: string | undefined;
  readonly explanation?: string | undefined;
}

export interface UsageOverride {
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
  readonly cache_creation_input_tokens?: number | undefined;
  readonly cache_read_input_tokens?: number | undefined;
}

const SCRIPT_FIELDS = ['description', 'models', 'key', 'tokensPerSecond', 'rules'];
const TRAIT_FIELDS = ['window', 'maxOutputTokens', 'thinking', 'display', 'prefill', 'preservedThinking'];
const RULE_FIELDS = ['when', 'answer', 'stopReason', 'stopDetails', 'stopSequence', 'usage', 'model'];
const USAGE_FIELDS = [
  'input_tokens',
  'output_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
];

/** Parses the JSON text of a script; throws ScriptInvalid. */
export function parseScript(name: string, text: string): Script {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ScriptInvalid(name, `JSON (${error instanceof Error ? error.message : 'unreadable'})`);
  }
  const given = new ScriptFields(name, json, [...SCRIPT_FIELDS, ...TRAIT_FIELDS]);
  return {
    name,
    description: given.need('description', readText),
    models: given.get('models', readList(readText)),
    key: given.get('key', readText),
    window: given.get('window', readNumber),
    maxOutputTokens: given.get('maxOutputTokens', readNumber),
    thinking: given.get('thinking', readList(readOneOf(THINKING_TYPES))),
    display: given.get('display', readOneOf(DISPLAYS)),
    prefill: given.get('prefill', readBoolean),
    preservedThinking: given.get('preservedThinking', readBoolean),
    tokensPerSecond: given.get('tokensPerSecond', readNumber),
    rules: given.need('rules', readList(readRule)),
  };
}

function readRule(where: string, value: unknown): Rule {
  const given = new ScriptFields(where, value, [...RULE_FIELDS, 'headers', 'tokensPerSecond', 'faults']);
  return {
    when: readWhen(`${where}.when`, given.raw('when') ?? {}),
    answer: given.need('answer', readList(readPart)),
    stopReason: given.get('stopReason', readTextOrNull),
    stopDetails: given.get('stopDetails', readStopDetails),
    stopSequence: given.get('stopSequence', readText),
    usage: given.get('usage', readUsage),
    model: given.get('model', readTextOrNull),
    headers: given.get('headers', readHeaders) ?? {},
    tokensPerSecond: given.get('tokensPerSecond', readNumber),
    faults: given.get('faults', readList(readFault)) ?? [],
  };
}

function readStopDetails(where: string, value: unknown): StopDetails {
  const given = new ScriptFields(where, value, ['category', 'explanation']);
  return { category: given.get('category', readText), explanation: given.get('explanation', readText) };
}

function readUsage(where: string, value: unknown): UsageOverride {
  const given = new ScriptFields(where, value, USAGE_FIELDS);
  return Object.fromEntries(
    USAGE_FIELDS.filter((name) => given.has(name)).map((name) => [name, given.need(name, readNumber)]),
  );
}

function readTextOrNull(where: string, value: unknown): string | null {
  return value === null ? null : readText(where, value);
}
