/**
 * A tool call as a model wrote it, in a form that can go back to the service: an object as input, a lawful name, a lawful
 * id. What could not be kept is said in `defect`, for the model: a call that nobody can read is answered, not asked for
 * again, since the same request is likely to be answered the same way, and paid each time.
 */
import type { AnswerBlock } from '../../brain/model.ts';
import { JSON_DEPTH_MAX } from '../../kernel/limit.ts';
import { areNumbersFinite, isDeep, objectOf, type JsonObject, wellFormed } from './json-value.ts';
import { isLawfulName, lawfulName } from './wire-names.ts';

/** What the model wrote, as it is shown to it: enough to find the mistake. */
const WRITTEN_CHARS_MAX = 2_000;
/** What the parser says about it. */
const REASON_CHARS_MAX = 200;

export interface WrittenCall {
  readonly name: string;
  /** The pieces of its input, joined. */
  readonly json: string;
  /** What stood in the start of the block: some services send the whole input there. */
  readonly start: unknown;
}

/** Undefined: nothing was written, or what was written does not parse: a call that was cut off looks like this. */
export function wholeInput({ json, start }: WrittenCall): unknown {
  if (json.trim() === '') return isFilled(start) ? start : undefined;
  const read = inputOf(json);
  if (read.kind === 'read') return read.input;
  return isFilled(start) ? start : undefined;
}

/** `toolUseId` is one that can be sent. */
export function toolBlock(call: WrittenCall, toolUseId: string): Extract<AnswerBlock, { kind: 'tool' }> {
  const { input, defect } = checked(call);
  const wrong = [
    ...(isLawfulName(call.name) ? [] : [nameDefect(call.name)]),
    ...(defect === undefined ? [] : [defect]),
  ];
  const block = { kind: 'tool', toolUseId, tool: lawfulName(call.name), input } as const;
  return wrong.length === 0 ? block : { ...block, defect: told(wrong, call) };
}

function checked(call: WrittenCall): { readonly input: JsonObject; readonly defect?: string | undefined } {
  const { json, start } = call;
  const read = json.trim() === '' ? { kind: 'read' as const, input: start ?? {} } : inputOf(json);
  if (read.kind === 'unread' && isFilled(start)) return checked({ ...call, json: '' });
  if (read.kind === 'unread') return { input: {}, defect: `Its input is not JSON (${read.why}).` };
  // a whole input that came as the text of its JSON
  if (json.trim() === '' && typeof read.input === 'string')
    return checked({ ...call, json: read.input, start: {} });
  const input = objectOf(read.input);
  if (input === undefined)
    return { input: {}, defect: `Its input has to be a JSON object, and is ${kindOf(read.input)}.` };
  if (isDeep(input))
    return { input: {}, defect: `Its input is nested more than ${JSON_DEPTH_MAX} levels deep.` };
  if (!areNumbersFinite(input))
    return { input: {}, defect: 'Its input holds a number beyond 1.8e308, which no program can read.' };
  return { input: wellFormed(input) as JsonObject }; // an object stays one
}

function inputOf(
  json: string,
): { readonly kind: 'read'; readonly input: unknown } | { readonly kind: 'unread'; readonly why: string } {
  try {
    return { kind: 'read', input: JSON.parse(json) };
  } catch (error) {
    const why = error instanceof SyntaxError ? error.message : 'it is nested too deeply';
    return { kind: 'unread', why: why.slice(0, REASON_CHARS_MAX).toWellFormed() };
  }
}

function isFilled(start: unknown): boolean {
  if (typeof start === 'string') return start.trim() !== '';
  return start !== undefined && start !== null && Object.keys(start).length > 0;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'string' ? 'a text' : `a ${typeof value}`;
}

function nameDefect(name: string): string {
  const shown = JSON.stringify(cut(name));
  return `${shown} is not the name of a tool: names have up to 128 letters, digits, "_" and "-".`;
}

function told(wrong: readonly string[], { json, start }: WrittenCall): string {
  const written = json.trim() === '' ? shownStart(start) : json;
  const shown = written === '' ? '' : `\nYou wrote: ${cut(written)}`;
  return `The call was not made. ${wrong.join(' ')} Make it again in a form that can be read.${shown}`;
}

function shownStart(start: unknown): string {
  if (!isFilled(start) || isDeep(start)) return '';
  return typeof start === 'string' ? start : JSON.stringify(wellFormed(start));
}

function cut(text: string): string {
  if (text.length <= WRITTEN_CHARS_MAX) return text.toWellFormed();
  const kept = text.slice(0, WRITTEN_CHARS_MAX).toWellFormed();
  return `${kept}… (${text.length} characters in all)`;
}
