/**
 * What an introspection answers, counted by going through the schema as execution would: the answer depends on nothing else. The
 * count ends where the budget does, so it never takes longer than what it refuses is worth.
 */
import {
  type FieldNode,
  getNamedType,
  type GraphQLField,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  isObjectType,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { collect, type Fragments, subSelections } from './selection.ts';

export interface Introspecting {
  readonly schema: GraphQLSchema;
  readonly fragments: Fragments;
  /** Fields that may still be counted; once it is below 0 the count is only known to be larger. */
  readonly budget: { left: number };
  readonly args: (
    field: GraphQLField<unknown, unknown>,
    node: FieldNode,
  ) => Readonly<Record<string, unknown>>;
}

/** Of `__schema` or `__type`. */
export function introspectionCost(
  how: Introspecting,
  field: GraphQLField<unknown, unknown>,
  nodes: readonly FieldNode[],
  isIncluded: (node: SelectionNode) => boolean,
): number {
  const { schema, fragments, budget, args } = how;
  const all = budget.left;

  const answer = (of: GraphQLField<unknown, unknown>, from: unknown, asked: readonly FieldNode[]): void => {
    const [node] = asked;
    budget.left -= 1;
    if (node === undefined || budget.left < 0) return;
    const type = getNamedType(of.type);
    if (!isObjectType(type)) return; // a name, a kind, a flag
    // as: introspection's own resolvers look at nothing but the schema
    const value = of.resolve?.(from, args(of, node), undefined, { schema } as GraphQLResolveInfo);
    const selectionSets = subSelections(asked);
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== null && item !== undefined) object(item, type.name, selectionSets);
    }
  };
  const object = (item: unknown, typeName: string, selectionSets: readonly SelectionSetNode[]): void => {
    const type = schema.getType(typeName);
    if (!isObjectType(type) || budget.left < 0) return;
    for (const asked of collect(schema, fragments, type, selectionSets, isIncluded).values()) {
      const inner = schema.getField(type, asked[0]?.name.value ?? '');
      if (inner !== undefined) answer(inner, item, asked);
    }
  };
  answer(field, undefined, nodes);
  return all - budget.left;
}
