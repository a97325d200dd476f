/**
 * What the errors of graphql-js and yoga say, without what was sent. They print the value that they refuse, and a value may be a model key that
 * is in the wrong place. So a message is shown only where its sentence is known (SENTENCES), and of what stands in its gaps only what the
 * schema says itself: another version that words an error anew says less here, never more.
 *
 * ECHO-1 No error text holds a value of a document or of variables, nor a name that is neither of the schema nor made of words.
 * ECHO-2 Places stay: locations, paths of input fields, names of variables that are words.
 */
import { type GraphQLError, isInputObjectType, isInterfaceType, isObjectType } from 'graphql';
import { schema } from '../../../schema/schema.ts';

/** camelCase of a few words: what a field or a variable is called, and no key is. */
const WORDS = /^(?:[a-z]{1,14}|[A-Z][a-z]{1,13})(?:[A-Z][a-z]{1,13}){0,4}\d?$/;
/** Words in a row that are longer than this may be a passphrase. */
const WORDS_CHARS_MAX = 40;
/** Stands for a name that is not shown. */
const HIDDEN = '…';
/** Errors in errors: of a variable, of a field in it. No version nests deeper. */
const NESTED_MAX = 3;

/** What may stand in the gaps of a sentence. Of `{rest}` nothing is shown, and `{error}` is a sentence itself. */
const GAPS = {
  name: String.raw`[_A-Za-z]\w*`,
  type: String.raw`[\w![\]]+`,
  coordinate: String.raw`@?[\w.]+(?:\(\w+:\))?`,
  path: String.raw`(?: at (?:\.\w+|\[\d+\])+)?`,
  count: String.raw`\d+`,
  kind: String.raw`"?(?:[\w!$&().:=@[\]{|}]|<EOF>|\.{3})+"?`,
  token: '.*',
  rest: '.*',
  error: '.*',
} as const;
type Gap = keyof typeof GAPS;

/** As graphql-js 17.1, its executors and yoga 5.24 word them; the first that fits counts. */
const SENTENCES: readonly string[] = [
  // syntax
  'Syntax Error: Expected {kind}, found {token}.',
  'Syntax Error: Unterminated string.',
  'Syntax Error: Document contains more than {count} tokens. Parsing aborted.',
  'Syntax Error: Unexpected variable "${name}" in constant value.',
  'Syntax Error: Unexpected single quote character (\'), did you mean to use a double quote (")?',
  'Syntax Error: Unexpected "..", did you mean "..."?',
  'Syntax Error: Unexpected description, descriptions are not supported on shorthand queries.',
  'Syntax Error: Unexpected description, only GraphQL definitions support descriptions.',
  'Syntax Error: Invalid Unicode escape sequence{rest}',
  'Syntax Error: Invalid character escape sequence{rest}',
  'Syntax Error: Invalid character within String{rest}',
  'Syntax Error: Invalid character{rest}',
  'Syntax Error: Unexpected character{rest}',
  'Syntax Error: Invalid number{rest}',
  'Syntax Error: Unexpected {token}.',
  // documents
  'Cannot query field "{name}" on type "{type}".',
  'Unknown argument "{name}" on field "{coordinate}".',
  'Unknown argument "{name}" on directive "@{name}".',
  'Unknown directive "@{name}".',
  'Unknown fragment "{name}".',
  'Unknown type "{name}".',
  'Directive "@{name}" may not be used on {name}.',
  'The directive "@{name}" can only be used once at this location.',
  'Field "{name}" must not have a selection since type "{type}" has no subfields.',
  'Field "{name}" of type "{type}" must have a selection of subfields{rest}',
  'Field "{name}" of type "{type}" must have at least one field selected.',
  'Argument "{coordinate}" of type "{type}" is required, but it was not provided.',
  'Argument "{coordinate}" of required type "{type}" was not provided.',
  'Argument "{coordinate}" of non-null type "{type}" must not be null.',
  'Argument "{coordinate}" of required type "{type}" was provided the variable "${name}" which was not provided a runtime value.',
  'Argument "{coordinate}" has invalid value{path}: {error}',
  'Argument "{coordinate}" has invalid value{rest}',
  'Variable "${name}" is not defined by operation "{name}".',
  'Variable "${name}" is not defined.',
  'Variable "${name}" is never used in operation "{name}".',
  'Variable "${name}" is never used.',
  'Variable "${name}" cannot be non-input type "{type}".',
  'Variable "${name}" of type "{type}" used in position expecting type "{type}".',
  'There can be only one argument named "{name}".',
  'There can be only one fragment named "{name}".',
  'There can be only one input field named "{name}".',
  'There can be only one operation named "{name}".',
  'There can be only one variable named "${name}".',
  'Fragment "{name}" is never used.',
  'Fragment "{name}" cannot condition on non composite type "{type}".',
  'Fragment cannot condition on non composite type "{type}".',
  'Fragment "{name}" cannot be spread here as objects of type "{type}" can never be of type "{type}".',
  'Fragment cannot be spread here as objects of type "{type}" can never be of type "{type}".',
  'Cannot spread fragment "{name}" within itself{rest}',
  'Fields "{name}" conflict{rest}',
  'This anonymous operation must be the only defined operation.',
  'The {name} definition is not executable.',
  'The {name} operation is not supported by the schema.',
  'Anonymous Subscription must select only one top level field.',
  'Subscription "{name}" must select only one top level field.',
  'Maximum introspection depth exceeded',
  'GraphQL introspection has been disabled, but the requested query contained the field "{name}".',
  // values
  'Variable "${name}" has invalid value{path}: {error}',
  'Variable "${name}" has invalid default value{path}: {error}',
  'Variable "${name}" got invalid value{rest}',
  'Variable "${name}" of required type "{type}" was not provided.',
  'Variable "${name}" of non-null type "{type}" must not be null.',
  'Expected a value of non-null type "{type}" to be provided.',
  'Expected value of non-null type "{type}" not to be null.',
  'Expected value of type "{type}" to be an object{rest}',
  'Expected value of type "{type}" to include required field "{name}"{rest}',
  'Expected value of type "{type}" not to include unknown field "{name}"{rest}',
  'Expected value of type "{type}" not to include unknown field{rest}',
  'Expected value of type "{type}"{rest}',
  'Expected variable "${name}" provided to type "{type}" to provide a runtime value.',
  'Expected variable "${name}" provided to non-null type "{type}" not to be null.',
  'Value "{rest}" does not exist in "{type}" enum{rest}',
  'Enum "{type}" cannot represent non-enum value{rest}',
  'Enum "{type}" cannot represent non-string value{rest}',
  'String cannot represent a non string value{rest}',
  'Int cannot represent non-integer value{rest}',
  'Int cannot represent non 32-bit signed integer value{rest}',
  'Float cannot represent non numeric value{rest}',
  'Boolean cannot represent a non boolean value{rest}',
  'ID cannot represent a non-string and non-integer value{rest}',
  'ID cannot represent value{rest}',
  'Too many errors processing variables, error limit reached. Execution aborted.',
  'Too many validation errors, error limit reached. Validation aborted.',
  // requests
  'Must provide query string.',
  'Must provide an operation.',
  'Must provide operation name if query contains multiple operations.',
  'Unknown operation named "{name}".',
  'Unable to identify operation',
  'Could not determine what operation to execute.',
  'Can only perform a mutation operation from a POST request.',
  'GraphQL only supports GET and POST requests.',
  'Batching is not supported.',
  'Request body too large',
  'Content-Length header is invalid.',
  'POST body sent invalid JSON.',
  'POST body is expected to be object but received {name}',
  'Expected params to be an object but given {name}.',
  'Expected "query" param to be a string, but given {name}.',
  'Expected "variables" param to be empty or an object, but given {name}.',
  'Expected "extensions" param to be empty or an object, but given {name}.',
  'Unexpected parameter "{name}" in the request body.',
  'Required CSRF header(s) not present',
];

/** Where no sentence is known. */
const BY_CODE: Readonly<Record<string, string>> = {
  GRAPHQL_PARSE_FAILED: 'Syntax Error: this place of the document cannot be read.',
  GRAPHQL_VALIDATION_FAILED: 'This place of the document does not fit the schema.',
};
const UNKNOWN = 'The request does not fit the schema, or is no request of GraphQL over HTTP.';

/** The message of an error of graphql-js or yoga, as it may be shown (ECHO-1); `code` is that of its error. */
export function wordingOf(error: GraphQLError, code: string): string {
  return gotInvalidValue(error) ?? worded(error.message, NESTED_MAX) ?? BY_CODE[code] ?? UNKNOWN;
}

interface Sentence {
  /** Literal text, gap, literal text … */
  readonly parts: readonly string[];
  readonly pattern: RegExp;
}

const READ: readonly Sentence[] = SENTENCES.map((text) => {
  const parts = text.split(/\{(name|type|coordinate|path|count|kind|token|rest|error)\}/);
  const source = parts.map((part, at) =>
    // as: the split above lets no other word stand between two texts
    at % 2 === 0 ? part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`) : `(${GAPS[part as Gap]})`,
  );
  return { parts, pattern: new RegExp(`^${source.join('')}$`, 's') };
});

function worded(message: string, nested: number): string | undefined {
  if (nested === 0) return undefined;
  for (const { parts, pattern } of READ) {
    const found = pattern.exec(message);
    if (found === null) continue;
    const said = parts.map((part, at) => {
      if (at % 2 === 0) return part;
      const isLast = at === parts.length - 2 && parts.at(-1) === '';
      return filled(part as Gap, found[(at + 1) / 2] ?? '', { nested, isLast }); // as: see above
    });
    return said.join('').replace(/(?<![.?])$/, '.');
  }
  return undefined;
}

function filled(gap: Gap, text: string, { nested, isLast }: { nested: number; isLast: boolean }): string {
  switch (gap) {
    case 'name':
    case 'type':
    case 'coordinate':
    case 'path':
      return text.replaceAll(/[_A-Za-z]\w*/g, (name, at: number) =>
        gap === 'path' && at === 1 ? name : shownName(name),
      ); // " at "
    case 'count':
    case 'kind':
      return text;
    case 'token':
      return tokenWording(text);
    case 'rest':
      return isLast ? '' : HIDDEN;
    case 'error':
      return worded(text, nested - 1) ?? 'it does not fit its type.';
  }
}

/** Its kind; what it says itself where that is punctuation. */
function tokenWording(token: string): string {
  if (/^(?:"(?:[!$&().:=@[\]{|}]|\.{3})"|<EOF>)$/.test(token)) return token;
  return /^(?:Name|Int|Float|String|BlockString|Comment)(?= ")/.exec(token)?.[0] ?? HIDDEN;
}

/** The executor of yoga prints the value first; the sentence behind it is that of the error inside. */
function gotInvalidValue({ message, originalError }: GraphQLError): string | undefined {
  const [, name] = /^Variable "\$(\w+)" got invalid value /.exec(message) ?? [];
  if (name === undefined || originalError === undefined) return undefined;
  const head = message.slice(0, -originalError.message.length - 2); // "; "
  const [, path = ''] = new RegExp(`at "\\w+((?:\\.\\w+|\\[\\d+\\])+)"$`).exec(head) ?? [];
  const at = path === '' ? '' : ` at ${path}`;
  return worded(`Variable "$${name}" has invalid value${at}: ${originalError.message}`, NESTED_MAX);
}

/** ECHO-1 */
function shownName(name: string): string {
  const isShown = schemaNames().has(name) || (name.length <= WORDS_CHARS_MAX && WORDS.test(name));
  return isShown ? name : HIDDEN;
}

let known: ReadonlySet<string> | undefined;

/** Of types, fields and their arguments, input fields, directives. Not of enum values, which are values. */
function schemaNames(): ReadonlySet<string> {
  known ??= new Set([
    ...Object.values(schema.getTypeMap()).flatMap((type) => {
      if (isInputObjectType(type)) return [type.name, ...Object.keys(type.getFields())];
      if (!isObjectType(type) && !isInterfaceType(type)) return [type.name];
      const fields = Object.values(type.getFields());
      return [
        type.name,
        ...fields.flatMap(({ name, args }) => [name, ...args.map((argument) => argument.name)]),
      ];
    }),
    ...schema.getDirectives().flatMap(({ name, args }) => [name, ...args.map((argument) => argument.name)]),
  ]);
  return known;
}
