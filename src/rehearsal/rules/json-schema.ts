/** Whether a value is a JSON Schema of draft 2020-12, as far as tools have them: the forms of its commonest keywords. */
import { isFields } from '../json-value.ts';

const TYPES: ReadonlySet<unknown> = new Set([
  'null',
  'boolean',
  'object',
  'array',
  'number',
  'string',
  'integer',
]);

const isText = (value: unknown): boolean => typeof value === 'string';
const isNumber = (value: unknown): boolean => typeof value === 'number';
const isCount = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 0;
const isUnique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;
const isTextList = (value: unknown): boolean =>
  Array.isArray(value) && value.every(isText) && isUnique(value);
const isSchemaList = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every(isSchema);
const isSchemaTable = (value: unknown): boolean => isFields(value) && Object.values(value).every(isSchema);

function isType(value: unknown): boolean {
  if (Array.isArray(value))
    return value.length > 0 && isUnique(value) && value.every((one) => TYPES.has(one));
  return TYPES.has(value);
}

/** Keyword, and what it must be; any other keyword says nothing about a schema's form. */
const KEYWORDS: Readonly<Record<string, (value: unknown) => boolean>> = {
  type: isType,
  enum: Array.isArray,
  title: isText,
  description: isText,
  pattern: isText,
  format: isText,
  $ref: isText,
  required: isTextList,
  properties: isSchemaTable,
  patternProperties: isSchemaTable,
  $defs: isSchemaTable,
  additionalProperties: isSchema,
  propertyNames: isSchema,
  items: isSchema, // a list of them was the form of older drafts
  prefixItems: isSchemaList,
  contains: isSchema,
  not: isSchema,
  allOf: isSchemaList,
  anyOf: isSchemaList,
  oneOf: isSchemaList,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber, // true and false were the form of draft 4
  exclusiveMaximum: isNumber,
  multipleOf: (value) => isNumber(value) && Number(value) > 0,
  minLength: isCount,
  maxLength: isCount,
  minItems: isCount,
  maxItems: isCount,
  minProperties: isCount,
  maxProperties: isCount,
};

export function isSchema(value: unknown): boolean {
  if (typeof value === 'boolean') return true;
  if (!isFields(value)) return false;
  return Object.entries(value).every(([name, given]) =>
    Object.hasOwn(KEYWORDS, name) ? KEYWORDS[name]?.(given) === true : true,
  );
}
