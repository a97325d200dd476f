/**
 * What a brain may ask of a model service: a call of one of its session's models, as the plan says, of what a conversation is made of. A
 * brain that was taken over asks for a dearer model, for longer answers, for tools that the service runs, for files and addresses that it
 * opens with the account's rights.
 *
 * PLAN-1 Every field of a request is on a list; what is not is refused, before the service is asked.
 * PLAN-2 What goes to the service is what was checked: a field that stands there twice is there once.
 * PLAN-3 Thinking and effort are those of the plan, no more and no less; an answer is at most as long as the plan has it.
 */
import { isDeepStrictEqual } from 'node:util';
import { jsonParts, JsonPartTooLarge } from '../kernel/json-parts.ts';
import { REQUEST_DEPTH_MAX } from '../kernel/limit.ts';
import type { ModelPlan } from '../sessions/model-plan.ts';
import { thinkingParam } from '../sessions/thinking-param.ts';
import type { Steps } from './loop-share.ts';
import { GatewayRefusal } from './refusal.ts';

const MESSAGES = 'messages';
/** Values in one message: what an append may have (api/unit/unit-endpoint.ts), so that what a model has written can be sent again. */
const PART_VALUES_MAX = 500_000;
/** Messages, and items of other lists, all together: what the Messages API takes (platform.claude.com/docs, "Create a Message", messages). */
const ITEMS_MAX = 100_000;

type Check = (value: unknown, path: string) => void;
type Fields = Readonly<Record<string, unknown>>;

export interface PlannedRequest {
  readonly model: string;
  readonly cacheTtl: ModelPlan['cacheTtl'];
  readonly body: Buffer;
}

/** Throws GatewayRefusal. A request may be a context of a million tokens: it is read message by message. */
export function* plannedRequest(text: string, plans: readonly ModelPlan[]): Steps<PlannedRequest> {
  const { request, messages } = yield* readRequest(text);
  const plan = plans.find(({ name }) => name === request['model']);
  if (plan === undefined)
    throw refused('model', `expected one of the session's: ${plans.map(({ name }) => name).join(', ')}`);
  object({
    model: anything,
    max_tokens: oneOf(
      (value) => isCount(value) && value <= plan.outputTokensMax,
      `up to ${plan.outputTokensMax}`,
    ),
    stream: boolean,
    thinking: anything, // below
    output_config: object({
      effort: oneOf((value) => value === plan.effort, `${plan.effort ?? 'none'}, as planned`),
    }),
    tools: list(tool),
    tool_choice: object({ type: word, name: word, disable_parallel_tool_use: boolean }),
    system: orText(list(text_)),
    messages: list(anything), // they were looked at one by one
  })(request, '');
  if (request['max_tokens'] === undefined) throw refused('max_tokens', 'expected a number');
  asPlanned(request, 'thinking', thinkingParam(plan)); // PLAN-3
  asPlanned(request, 'output_config', plan.effort === undefined ? undefined : { effort: plan.effort });
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(request)) {
    parts.push(Buffer.from(`${parts.length === 0 ? '{' : ','}${JSON.stringify(name)}:`));
    const whole =
      name === MESSAGES
        ? Buffer.concat([Buffer.from('['), ...messages, Buffer.from(']')])
        : Buffer.from(JSON.stringify(value));
    parts.push(whole);
  }
  yield;
  return { model: plan.name, cacheTtl: plan.cacheTtl, body: Buffer.concat([...parts, Buffer.from('}')]) }; // PLAN-2
}

interface ReadRequest {
  /** Its messages are left out of their list. */
  readonly request: Fields;
  /** Each as JSON, with a comma before it where it is not the first. */
  readonly messages: readonly Buffer[];
}

function* readRequest(text: string): Steps<ReadRequest> {
  const fields = new Map<string, unknown>();
  let messages: Buffer[] = [];
  let items = 0;
  try {
    for (const part of jsonParts(text, { depthMax: REQUEST_DEPTH_MAX, valuesMax: PART_VALUES_MAX })) {
      const { kind, name } = part;
      if (name === undefined) throw refused('the request', 'expected an object');
      const value: unknown = kind === 'list' ? [] : JSON.parse(part.text);
      yield;
      if (kind !== 'item') fields.set(name, value); // PLAN-2: the last one counts
      if (kind !== 'item' && name === MESSAGES) messages = [];
      if (kind !== 'item') continue;
      items += 1;
      if (items > ITEMS_MAX) throw refused('the request', `expected up to ${ITEMS_MAX} items in its lists`);
      if (name === MESSAGES) {
        message(value, `${MESSAGES}[${messages.length}]`);
        messages.push(Buffer.from(`${messages.length === 0 ? '' : ','}${JSON.stringify(value)}`));
        yield;
      } else (fields.get(name) as unknown[]).push(value); // its list came before it
    }
  } catch (error) {
    if (error instanceof JsonPartTooLarge) throw refused('the request', error.message);
    if (error instanceof SyntaxError) throw refused('the request', 'expected JSON');
    throw error;
  }
  return { request: Object.fromEntries(fields), messages };
}

/** Leaving it out is no less: then the service does as it likes. */
function asPlanned(request: Fields, name: string, planned: object | undefined): void {
  if (!isDeepStrictEqual(request[name], planned))
    throw refused(name, `expected ${JSON.stringify(planned) ?? 'none'}, as planned`);
}

const anything: Check = () => undefined;
const boolean = oneOf((value) => typeof value === 'boolean', 'true or false');
const word = oneOf((value) => typeof value === 'string', 'a text');
const cache_control = object({ type: oneOf((value) => value === 'ephemeral', 'ephemeral'), ttl: word });
const text_ = object({ type: oneOf((value) => value === 'text', 'text'), text: word, cache_control });
/** Of the brain's own: a tool with a type is the service's. */
const tool = object({ name: word, description: word, input_schema: anything, cache_control });

const BLOCKS: Readonly<Record<string, Check>> = {
  text: text_,
  tool_use: object({ type: word, id: word, name: word, input: anything, cache_control }),
  tool_result: object({
    type: word,
    tool_use_id: word,
    content: orText(list(text_)),
    is_error: boolean,
    cache_control,
  }),
  thinking: object({ type: word, thinking: word, signature: word }),
  redacted_thinking: object({ type: word, data: word }),
};

const message = object({ role: word, content: orText(list(block)) });

function block(value: unknown, path: string): void {
  const type = String(fieldsOf(value, path)['type']);
  if (!Object.hasOwn(BLOCKS, type))
    throw refused(`${path}.type`, `expected ${Object.keys(BLOCKS).join(', ')}`);
  BLOCKS[type]?.(value, path);
}

function object(fields: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    for (const [name, part] of Object.entries(fieldsOf(value, path))) {
      const inner = path === '' ? name : `${path}.${name}`;
      if (!Object.hasOwn(fields, name))
        throw refused(inner, 'it is not part of a call as the session makes it'); // PLAN-1
      fields[name]?.(part, inner);
    }
  };
}

function list(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw refused(path, 'expected a list');
    for (const [index, item] of value.entries()) check(item, `${path}[${index}]`);
  };
}

function orText(check: Check): Check {
  return (value, path) => {
    if (typeof value !== 'string') check(value, path);
  };
}

function oneOf(isRight: (value: unknown) => boolean, expected: string): Check {
  return (value, path) => {
    if (!isRight(value)) throw refused(path, `expected ${expected}`);
  };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) > 0;
}

function fieldsOf(value: unknown, path: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw refused(path, 'expected an object');
  return value as Fields; // just checked
}

/** Of a path, names of fields that somebody else has chosen: enough to see which is meant. */
const PATH_CHARS_MAX = 100;

function refused(path: string, why: string): GatewayRefusal {
  const where = path.slice(0, PATH_CHARS_MAX).toWellFormed();
  return new GatewayRefusal(403, 'not_planned', `The gateway does not make this call (${where}: ${why}).`);
}
