/**
 * What an operation can cost, counted before it runs.
 *
 * COST-1 No operation answers more fields than were counted for it. The count collects fields as execution does, from variables
 *    that were coerced as execution does it, for the type of which a value would cost most; what is skipped is not counted.
 * COST-2 What cannot be counted is refused: variables and arguments of the wrong type, an operation that is not there, a list
 *    of unknown length, a document that takes too long to count.
 */
import {
  type DocumentNode,
  type FieldNode,
  getArgumentValues,
  getDirectiveValues,
  getNamedType,
  getOperationAST,
  getVariableValues,
  type GraphQLError,
  type GraphQLField,
  GraphQLIncludeDirective,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  GraphQLSkipDirective,
  isAbstractType,
  isCompositeType,
  isListType,
  isNonNullType,
  isObjectType,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { costOf } from '../../../schema/cost.ts';
import { must } from '../../kernel/assert.ts';
import { checkShape } from './document-shape.ts';
import { introspectionCost } from './introspection-cost.ts';
import {
  COMPLEXITY_MAX,
  COUNT_STEPS_MAX,
  ERRORS_MAX,
  INTROSPECTION_FIELDS_MAX,
  OBJECT_BYTES_MAX,
} from './limits.ts';
import { refusal } from './masking.ts';
import { collect, type Fragments, fragmentsOf, subSelections } from './selection.ts';

type Variables = Readonly<Record<string, unknown>> | undefined;
type Coerced = NonNullable<ReturnType<typeof getVariableValues>['variableValues']>;

/** Throws when the operation asks for too much, or cannot be counted; `variables` as they came. */
export function checkCost(
  schema: GraphQLSchema,
  document: DocumentNode,
  operationName: string | undefined,
  variables: Variables,
): void {
  const operation = operationOf(document, operationName);
  checkShape(operation, fragmentsOf(document));
  const complexity = complexityOf(schema, document, operation, variables);
  if (complexity > COMPLEXITY_MAX) throw tooComplex(`can answer ${complexity} fields`);
}

/** COST-1. The document is valid. Throws what cannot be counted (COST-2). */
export function complexityOf(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
  variables: Variables,
): number {
  const { variableValues, errors } = getVariableValues(
    schema,
    operation.variableDefinitions ?? [],
    variables ?? {},
    { maxErrors: ERRORS_MAX, hideSuggestions: true },
  );
  if (variableValues === undefined) throw new AggregateError(errors);
  const root = must(schema.getRootType(operation.operation), 'a valid document has operations of the schema');
  return new Count(schema, fragmentsOf(document), variableValues).selections(
    root,
    [operation.selectionSet],
    1,
  );
}

class Count {
  readonly #schema: GraphQLSchema;
  readonly #fragments: Fragments;
  readonly #variables: Coerced;
  /** Fragments are counted once, however often they are spread: selection set, type and page -> points. */
  readonly #known = new WeakMap<SelectionSetNode, Map<string, number>>();
  /** Of all that the operation asks of the schema: under each name the same would be counted again. */
  readonly #introspection = { left: INTROSPECTION_FIELDS_MAX };
  #steps = 0;

  constructor(schema: GraphQLSchema, fragments: Fragments, variables: Coerced) {
    this.#schema = schema;
    this.#fragments = fragments;
    this.#variables = variables;
  }

  /** Of one value of the type; `page`: how many things the connection around it can hold. */
  selections(type: GraphQLOutputType, selectionSets: readonly SelectionSetNode[], page: number): number {
    const [alone] = selectionSets;
    if (alone === undefined || selectionSets.length > 1) return this.#selections(type, selectionSets, page);
    const known = this.#known.get(alone) ?? new Map<string, number>();
    this.#known.set(alone, known);
    const key = `${page} ${String(type)}`;
    const points = known.get(key) ?? this.#selections(type, selectionSets, page);
    known.set(key, points);
    return points;
  }

  #selections(type: GraphQLOutputType, selectionSets: readonly SelectionSetNode[], page: number): number {
    if (isObjectType(type)) return this.#object(type, selectionSets, page);
    if (!isAbstractType(type)) throw uncountable();
    const possible = this.#schema.getPossibleTypes(type);
    return Math.max(0, ...possible.map((one) => this.#object(one, selectionSets, page)));
  }

  #object(type: GraphQLObjectType, selectionSets: readonly SelectionSetNode[], page: number): number {
    let points = 0;
    let bytes = 0;
    const included = (node: SelectionNode): boolean => this.#isIncluded(node);
    for (const nodes of collect(this.#schema, this.#fragments, type, selectionSets, included).values()) {
      const [node] = nodes;
      const field = node === undefined ? undefined : this.#schema.getField(type, node.name.value);
      if (node === undefined || field === undefined) throw uncountable();
      points += this.#field(type, field, nodes, page);
      bytes += costOf(field).bytes ?? 0;
    }
    if (bytes > OBJECT_BYTES_MAX) throw tooLarge(bytes);
    return points;
  }

  #field(
    type: GraphQLObjectType,
    field: GraphQLField<unknown, unknown>,
    nodes: readonly FieldNode[],
    page: number,
  ): number {
    const [node] = nodes;
    if (node === undefined) throw uncountable();
    const args = this.#argumentsOf(field, node);
    const { points = 1, items, page: pageOf, each = 0 } = costOf(field);
    if (field.name.startsWith('__') && field.name !== '__typename') {
      const how = {
        schema: this.#schema,
        fragments: this.#fragments,
        budget: this.#introspection,
        args: this.#argumentsOf,
      };
      const fields = introspectionCost(how, field, nodes, (one) => this.#isIncluded(one));
      if (this.#introspection.left < 0) throw tooIntrospective();
      return fields;
    }
    const named = getNamedType(field.type);
    if (!isCompositeType(named)) return points;
    const own = pageOf?.(args);
    const inner = this.selections(named, subSelections(nodes), own ?? page);
    return points + each * (own ?? 0) + inner * timesOf(type, field, items, page);
  }

  readonly #argumentsOf = (
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ): Readonly<Record<string, unknown>> => getArgumentValues(field, node, this.#variables, undefined, true);

  /** As execution decides it. */
  #isIncluded(node: SelectionNode): boolean {
    this.#steps += 1;
    if (this.#steps > COUNT_STEPS_MAX) throw tooComplex('takes too long to count');
    if ((node.directives?.length ?? 0) === 0) return true;
    const skip = getDirectiveValues(GraphQLSkipDirective, node, this.#variables, undefined, true);
    if (skip?.['if'] === true) return false;
    const include = getDirectiveValues(GraphQLIncludeDirective, node, this.#variables, undefined, true);
    return include?.['if'] !== false;
  }
}

function timesOf(
  type: GraphQLObjectType,
  field: GraphQLField<unknown, unknown>,
  items: number | 'page' | undefined,
  page: number,
): number {
  const isList = isListType(isNonNullType(field.type) ? field.type.ofType : field.type);
  if (!isList) return 1;
  if (items === undefined) throw uncountable(`${type.name}.${field.name}`);
  return items === 'page' ? page : items;
}

function operationOf(document: DocumentNode, name: string | undefined): OperationDefinitionNode {
  const operation = getOperationAST(document, name);
  if (operation) return operation;
  const message =
    name === undefined
      ? 'Send a document with one operation, or name one of its operations in operationName.'
      : 'The document has no operation of this name. Name one that it has in operationName.';
  throw refusal('OPERATION_RESOLUTION_FAILURE', message, 400);
}

function tooComplex(what: string): GraphQLError {
  const message = `This query ${what}; ${COMPLEXITY_MAX} fields is the most. Ask for less, or for smaller pages.`;
  return refusal('TOO_COMPLEX', message, 400);
}

function tooIntrospective(): GraphQLError {
  const message = `This query asks for more than ${INTROSPECTION_FIELDS_MAX} fields of the schema. Ask for each part once.`;
  return refusal('TOO_COMPLEX', message, 400);
}

function tooLarge(bytes: number): GraphQLError {
  const message = `This query names whole bodies so often that one event can have ${bytes} bytes; ${OBJECT_BYTES_MAX} is the most. Name each once.`;
  return refusal('TOO_COMPLEX', message, 400);
}

function uncountable(what = 'This query'): GraphQLError {
  return refusal('TOO_COMPLEX', `What ${what} can answer cannot be counted, so it is refused.`, 400);
}
