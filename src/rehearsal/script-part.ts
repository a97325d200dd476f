/** A part of an answer: one block, and how it is written. */
import { readWhen, type When } from './script-when.ts';
import {
  readBoolean,
  readNumber,
  readObject,
  readPieces,
  readText,
  ScriptFields,
  ScriptInvalid,
} from './script-field.ts';

interface Written {
  readonly when: When;
  /** The number that the stream gives the block, where it is not its place: some services give one number twice. */
  readonly index?: number | undefined;
}

export type Part = Written &
  (
    | { readonly kind: 'text'; readonly pieces: readonly string[] }
    | {
        readonly kind: 'thinking';
        readonly text: string;
        /** In place of the one that belongs to it. */
        readonly signature?: string | undefined;
      }
    | { readonly kind: 'redacted' }
    | {
        readonly kind: 'tool';
        readonly tool: string;
        readonly input: unknown;
        /** The input as the model writes it, whatever that is, in place of `input`. */
        readonly raw?: readonly string[] | undefined;
        /** In place of the one that belongs to it. */
        readonly id?: string | undefined;
        /** The input comes with the start of the block, as some services do it. */
        readonly whole: boolean;
      }
    /** A block of any form, as it is. */
    | { readonly kind: 'block'; readonly block: Readonly<Record<string, unknown>> }
  );

const FIELDS = ['text', 'thinking', 'signature', 'redacted', 'tool', 'input', 'raw', 'id', 'whole', 'block'];

export function readPart(where: string, value: unknown): Part {
  const given = new ScriptFields(where, value, [...FIELDS, 'index', 'when']);
  const written = {
    when: readWhen(`${where}.when`, given.raw('when') ?? {}),
    index: given.get('index', readNumber),
  };
  const pieces = given.get('text', readPieces);
  if (pieces !== undefined) return { kind: 'text', pieces, ...written };
  const text = given.get('thinking', readText);
  if (text !== undefined)
    return { kind: 'thinking', text, signature: given.get('signature', readText), ...written };
  if (given.get('redacted', readBoolean) === true) return { kind: 'redacted', ...written };
  const block = given.get('block', readObject);
  if (block !== undefined) {
    if (typeof block['type'] !== 'string') throw new ScriptInvalid(`${where}.block.type`, 'text');
    return { kind: 'block', block, ...written };
  }
  if (!given.has('tool'))
    throw new ScriptInvalid(where, 'one of "text", "thinking", "redacted": true, "tool" and "block"');
  return {
    kind: 'tool',
    tool: given.need('tool', readText),
    input: given.raw('input') ?? {},
    raw: given.get('raw', readPieces),
    id: given.get('id', readText),
    whole: given.get('whole', readBoolean) ?? false,
    ...written,
  };
}
