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
import type { ModelPlan } from '../sessions/model-plan.ts';
import { thinkingParam } from '../sessions/thinking-param.ts';
import { GatewayRefusal } from './refusal.ts';

type Check = (value: unknown, path: string) => void;
type Fields = Readonly<Record<string, unknown>>;

export interface PlannedRequest {
  readonly model: string;
  readonly cacheTtl: ModelPlan['cacheTtl'];
  readonly body: Buffer;
}

/** Throws GatewayRefusal. */
export function plannedRequest(text: string, plans: readonly ModelPlan[]): PlannedRequest {
  const request = fieldsOf(parsed(text), 'the request');
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
    messages: list(object({ role: word, content: orText(list(block)) })),
  })(request, '');
  if (request['max_tokens'] === undefined) throw refused('max_tokens', 'expected a number');
  asPlanned(request, 'thinking', thinkingParam(plan)); // PLAN-3
  asPlanned(request, 'output_config', plan.effort === undefined ? undefined : { effort: plan.effort });
  return { model: plan.name, cacheTtl: plan.cacheTtl, body: Buffer.from(JSON.stringify(request)) }; // PLAN-2
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw refused('the request', 'expected JSON');
  }
}

/** Of a path, names of fields that somebody else has chosen: enough to see which is meant. */
const PATH_CHARS_MAX = 100;

function refused(path: string, why: string): GatewayRefusal {
  const where = path.slice(0, PATH_CHARS_MAX).toWellFormed();
  return new GatewayRefusal(403, 'not_planned', `The gateway does not make this call (${where}: ${why}).`);
}
