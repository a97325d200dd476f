/**
 * A tool's JSON Schema, compiled by ajv. Each has a validator of its own, so that nothing of one is found by another. `$data`, formats and
 * schemas from elsewhere are off: of the first a pattern could come from the input (GHSA-2g4f-4pwh-qvx6).
 */
import { Ajv, type ErrorObject, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { DRAFT_07, type JsonSchema } from '../../sessions/tool-schema.ts';

export interface CompiledSchema {
  /** What is wrong with an input, in a part of a sentence; undefined when nothing is. May take for ever: bounded.ts. */
  defectOf(input: unknown): string | undefined;
}

const OPTIONS: Options = {
  strict: false, // what the draft does not know says nothing
  validateFormats: false,
  inlineRefs: false, // each definition is compiled once, however often it is named
  ownProperties: true,
  allErrors: false, // a long list of wrong values would be a long list of errors
  logger: false,
};

/** Names and values of an input or a schema are in what is said: enough to see what is meant. */
const SAID_CHARS_MAX = 300;

/** Throws an error whose message says why, where the validator does not take the schema. */
export function compiled(schema: JsonSchema): CompiledSchema {
  const { $schema: draft } = schema;
  const isOld = typeof draft === 'string' && draft.startsWith(DRAFT_07);
  const validate = (isOld ? new Ajv(OPTIONS) : new Ajv2020(OPTIONS)).compile(schema);
  return {
    defectOf: (input) => (validate(input) ? undefined : saidOf(validate.errors?.[0])),
  };
}

/** For example `/city must be string`. */
function saidOf(error: ErrorObject | undefined): string {
  if (error === undefined) return 'it does not fit';
  const { instancePath, keyword, message = 'does not fit', params } = error;
  const more: unknown =
    keyword === 'additionalProperties'
      ? params['additionalProperty']
      : keyword === 'enum'
        ? params['allowedValues']
        : keyword === 'const'
          ? params['allowedValue']
          : undefined;
  const shown = more === undefined ? '' : ` (${JSON.stringify(more)})`;
  const said = `${instancePath === '' ? 'it' : instancePath} ${message}${shown}`;
  return (said.length > SAID_CHARS_MAX ? `${said.slice(0, SAID_CHARS_MAX)}…` : said).toWellFormed();
}
