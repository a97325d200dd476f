/**
 * Parsing and checking documents, once per text that is valid and not long: the same rules for HTTP and for sockets (which bypass yoga's own).
 */
import {
  type DocumentNode,
  getOperationAST,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { must } from '../../kernel/assert.ts';
import { checkCost } from './cost.ts';
import { checkText } from './document-shape.ts';
import {
  DOCUMENTS_MAX,
  ERRORS_MAX,
  KNOWN_DOCUMENT_CHARS_MAX,
  KNOWN_TOKENS_MAX,
  TOKENS_MAX,
} from './limits.ts';
import { own } from './masking.ts';

interface Valid {
  readonly kind: 'valid';
  readonly document: DocumentNode;
}

export type Checked = Valid | { readonly kind: 'invalid'; readonly errors: readonly GraphQLError[] };

export class Documents {
  readonly #schema: GraphQLSchema;
  readonly #rules: readonly (typeof specifiedRules)[number][];
  readonly #valid = new Map<string, Valid>();
  /** Operations that cost the same each time, and not too much. */
  readonly #counted = new WeakSet<OperationDefinitionNode>();
  /** Of all in #valid. */
  #tokens = 0;

  constructor(schema: GraphQLSchema, options: { introspection: boolean }) {
    this.#schema = schema;
    this.#rules = options.introspection
      ? specifiedRules
      : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  }

  /** The document of `text`, or what is wrong with it. */
  check(text: string): Checked {
    const known = this.#valid.get(text);
    if (known !== undefined) return known;
    const checked = this.#check(text);
    if (checked.kind === 'invalid' || text.length > KNOWN_DOCUMENT_CHARS_MAX) return checked;
    this.#keep(text, checked);
    return checked;
  }

  /** Throws when this operation of the document, with these variables, asks for too much. One without variables is counted once. */
  checkCost(
    document: DocumentNode,
    operationName: string | undefined,
    variables: Readonly<Record<string, unknown>> | undefined,
  ): void {
    const operation = getOperationAST(document, operationName);
    if (operation && this.#counted.has(operation)) return;
    checkCost(this.#schema, document, operationName, variables);
    if (operation && (operation.variableDefinitions ?? []).length === 0) this.#counted.add(operation);
  }

  /** The oldest are forgotten for it; their positions are kept too, since errors of execution say where they were. */
  #keep(text: string, checked: Valid): void {
    this.#valid.set(text, checked);
    this.#tokens += tokensOf(checked);
    for (const [oldest, forgotten] of this.#valid) {
      if (this.#valid.size <= DOCUMENTS_MAX && this.#tokens <= KNOWN_TOKENS_MAX) break;
      this.#valid.delete(oldest);
      this.#tokens -= tokensOf(forgotten);
    }
  }

  #check(text: string): Checked {
    try {
      const document = parse(text, { maxTokens: TOKENS_MAX, allowEmptySelectionSets: false });
      checkText(document);
      const options = { hideSuggestions: true, maxErrors: ERRORS_MAX };
      const errors = validate(this.#schema, document, this.#rules, options);
      if (errors.length === 0) return { kind: 'valid', document };
      return { kind: 'invalid', errors: errors.map((error) => refused(error, 'GRAPHQL_VALIDATION_FAILED')) };
    } catch (error) {
      if (!(error instanceof GraphQLError)) throw error;
      return { kind: 'invalid', errors: [refused(error, 'GRAPHQL_PARSE_FAILED')] };
    }
  }
}

function tokensOf({ document }: Valid): number {
  return must(document.tokenCount, 'graphql-js counts the tokens of what it parses');
}

/** A document that cannot be served is refused as a whole: 400. */
function refused(error: GraphQLError, code: string): GraphQLError {
  const { extensions } = error;
  if (extensions['http'] === undefined) extensions['http'] = { status: 400 };
  return own(error, code);
}
