/**
 * The form of a tool's JSON Schema (draft 2020-12, or draft-07 where it says so): what the model service takes of it, and what a validator can
 * compile and run within bounds. Pure; it walks the schema by its keywords, since names of properties may be anything.
 *
 * The validator's authors say what to bound where schemas come from others: size, depth, and patterns (ajv.js.org/security.html). Patterns
 * cannot be judged by looking, so they are bounded where they are run (platform/ajv).
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** One schema as JSON: hundreds of described fields. */
export const TOOL_SCHEMA_BYTES_MAX = 32 * 1024;
/** Schemas in schemas: the validator compiles them by recursion, and nobody writes inputs of more levels by hand. */
export const TOOL_SCHEMA_DEPTH_MAX = 16;
/** A regular expression: longer ones are lists of words, for which there is `enum`. */
export const TOOL_PATTERN_CHARS_MAX = 512;
/** What is shown of a place in a schema. */
const PLACE_CHARS_MAX = 120;

export const DRAFT_07 = 'http://json-schema.org/draft-07/schema';
const DRAFTS: readonly string[] = [DRAFT_07, 'https://json-schema.org/draft/2020-12/schema'];

/** Keywords whose value is a table of schemas, a list of them, or one. */
const TABLES: ReadonlySet<string> = new Set(
  'properties patternProperties $defs definitions dependentSchemas dependencies'.split(' '),
);
const LISTS: ReadonlySet<string> = new Set('allOf anyOf oneOf prefixItems'.split(' '));
const SINGLES: ReadonlySet<string> = new Set(
  'items additionalItems additionalProperties unevaluatedItems unevaluatedProperties propertyNames contains not if then else contentSchema'.split(
    ' ',
  ),
);
/** They name schemas that are elsewhere, or change what others mean: a tool says all of its input by itself. */
const REFUSED: ReadonlySet<string> = new Set(
  'id $id $anchor $dynamicAnchor $dynamicRef $recursiveAnchor $recursiveRef $vocabulary $async $data'.split(
    ' ',
  ),
);
/** Within the schema itself; `~` and `%` would be escapes. */
const LOCAL = /^#(?:\/(?:\$defs|definitions)\/[^/~%]+)?$/;

/** The service's own rules for the top of a schema; where they are from stands at src/rehearsal/rules/tools.ts. */
const NOT_AT_TOP: readonly string[] = ['oneOf', 'allOf', 'anyOf'];
const PROPERTY = /^[a-zA-Z0-9_.-]{1,64}$/;

/** What is wrong, in a sentence that says what to do; undefined when nothing is. */
export function schemaDefect(schema: JsonSchema): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(schema));
  if (bytes > TOOL_SCHEMA_BYTES_MAX)
    return `expected at most ${TOOL_SCHEMA_BYTES_MAX} bytes of JSON, got ${bytes}.`;
  return topDefect(schema) ?? defectAt(schema, '', 1);
}

function topDefect(schema: JsonSchema): string | undefined {
  if (schema['type'] !== 'object')
    return 'expected "type": "object" at the top: the input of a tool is an object.';
  const composed = NOT_AT_TOP.find((name) => schema[name] !== undefined);
  if (composed !== undefined)
    return `expected no "${composed}" at the top, which model services refuse: move it into a property.`;
  const { properties, $schema: draft } = schema;
  if (draft !== undefined && !DRAFTS.includes(typeof draft === 'string' ? draft.replace(/#$/, '') : ''))
    return `expected "$schema" to be left out, or one of ${DRAFTS.join(', ')}.`;
  const isNamed = isObject(properties) ? Object.keys(properties).every((name) => PROPERTY.test(name)) : true;
  return isNamed
    ? undefined
    : 'expected names of properties of 1 to 64 letters, digits and _ . - at the top.';
}

function defectAt(schema: unknown, place: string, depth: number): string | undefined {
  if (typeof schema === 'boolean') return undefined;
  const where = place === '' ? 'the top' : place.slice(0, PLACE_CHARS_MAX).toWellFormed();
  if (!isObject(schema)) return `expected a schema, an object or true or false, at ${where}.`;
  if (depth > TOOL_SCHEMA_DEPTH_MAX)
    return `expected at most ${TOOL_SCHEMA_DEPTH_MAX} schemas in one another; there are more at ${where}. Use "$defs" and "$ref".`;
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${place}/${keyword}`;
    const defect =
      keywordDefect(keyword, value, where) ??
      innerSchemas(keyword, value).reduce<string | undefined>(
        (found, [name, inner]) => found ?? defectAt(inner, name === '' ? at : `${at}/${name}`, depth + 1),
        undefined,
      );
    if (defect !== undefined) return defect;
  }
  return undefined;
}

function keywordDefect(keyword: string, value: unknown, where: string): string | undefined {
  if (REFUSED.has(keyword)) return `expected no "${keyword}", which there is at ${where}: leave it out.`;
  if (keyword === '$schema' && where !== 'the top') return 'expected "$schema" at the top only.';
  if (keyword === '$ref' && !(typeof value === 'string' && LOCAL.test(value)))
    return `expected a "$ref" within the schema, "#" or "#/$defs/…", at ${where}: nothing is fetched.`;
  if (keyword === 'pattern') return patternDefect(value, where);
  if (!TABLES.has(keyword)) return undefined;
  if (!isObject(value)) return `expected "${keyword}" to be an object at ${where}.`;
  const names = Object.keys(value);
  if (names.includes('__proto__')) return `expected another name than __proto__ at ${where}.`;
  if (keyword !== 'patternProperties') return undefined;
  return names.map((pattern) => patternDefect(pattern, where)).find((defect) => defect !== undefined);
}

function patternDefect(pattern: unknown, where: string): string | undefined {
  if (typeof pattern === 'string' && pattern.length <= TOOL_PATTERN_CHARS_MAX) return undefined;
  return `expected patterns of at most ${TOOL_PATTERN_CHARS_MAX} characters at ${where}.`;
}

function innerSchemas(
  keyword: string,
  value: unknown,
): readonly (readonly [name: string, schema: unknown])[] {
  if (TABLES.has(keyword) && isObject(value)) {
    // of the older draft: names in place of a schema
    const entries = Object.entries(value);
    return keyword === 'dependencies' ? entries.filter(([, inner]) => !Array.isArray(inner)) : entries;
  }
  if (LISTS.has(keyword) && Array.isArray(value)) return value.map((inner, index) => [String(index), inner]);
  return SINGLES.has(keyword) ? [['', value]] : [];
}

function isObject(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
