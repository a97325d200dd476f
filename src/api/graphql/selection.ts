/** Collecting the fields of a selection for one object type, as execution does: in order, fragments merged in. */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  isAbstractType,
  Kind,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';

/** Thrown while compiling: this document is for `execute`. */
export class Unprojectable extends Error {}

export type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

export function fragmentsOf(document: DocumentNode): Fragments {
  return new Map(
    document.definitions
      .filter((definition) => definition.kind === Kind.FRAGMENT_DEFINITION)
      .map((fragment) => [fragment.name.value, fragment]),
  );
}

/** For those who know no variables: a directive anywhere may need some. */
export function withoutDirectives({ directives }: SelectionNode): true {
  if ((directives?.length ?? 0) > 0) throw new Unprojectable();
  return true;
}

/** Response key -> the nodes that select it, for a value of exactly this type; of those that `isIncluded` lets through. */
export function collect(
  schema: GraphQLSchema,
  fragments: Fragments,
  type: GraphQLObjectType,
  selectionSets: readonly SelectionSetNode[],
  isIncluded: (node: SelectionNode) => boolean,
): ReadonlyMap<string, readonly FieldNode[]> {
  const fields = new Map<string, FieldNode[]>();
  const visited = new Set<string>();

  const walk = (selectionSet: SelectionSetNode): void => {
    for (const selection of selectionSet.selections) {
      if (!isIncluded(selection)) continue;
      switch (selection.kind) {
        case Kind.FIELD: {
          const key = selection.alias?.value ?? selection.name.value;
          const nodes = fields.get(key);
          if (nodes === undefined) fields.set(key, [selection]);
          else nodes.push(selection);
          break;
        }
        case Kind.INLINE_FRAGMENT:
          if (applies(selection.typeCondition?.name.value)) walk(selection.selectionSet);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value;
          const fragment = fragments.get(name);
          if (fragment === undefined) throw new Unprojectable();
          if (visited.has(name)) break;
          visited.add(name);
          if (applies(fragment.typeCondition.name.value)) walk(fragment.selectionSet);
          break;
        }
      }
    }
  };
  const applies = (condition: string | undefined): boolean => {
    if (condition === undefined || condition === type.name) return true;
    const conditioned = schema.getType(condition);
    return isAbstractType(conditioned) && schema.isSubType(conditioned, type);
  };

  for (const selectionSet of selectionSets) walk(selectionSet);
  return fields;
}

export function subSelections(nodes: readonly FieldNode[]): readonly SelectionSetNode[] {
  return nodes.flatMap(({ selectionSet }) => (selectionSet === undefined ? [] : [selectionSet]));
}
