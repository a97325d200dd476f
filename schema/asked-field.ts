/** What an operation asks for, before anything is done for it. */
import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';

/**
 * The names of the fields that are asked for at the end of a path of fields (`session`, `turn`) of what the resolver answers, through
 * fragments too. Directives and types are not looked at: what is named counts as asked for.
 */
export function askedOf(
  { fieldNodes, fragments }: GraphQLResolveInfo,
  ...path: readonly string[]
): ReadonlySet<string> {
  const fieldsOf = (from: readonly FieldNode[]): readonly FieldNode[] => {
    const fields: FieldNode[] = [];
    const spread = new Set<string>();
    const walk = (selectionSet: SelectionSetNode | undefined): void => {
      for (const selection of selectionSet?.selections ?? []) {
        switch (selection.kind) {
          case Kind.FIELD:
            fields.push(selection);
            break;
          case Kind.INLINE_FRAGMENT:
            walk(selection.selectionSet);
            break;
          case Kind.FRAGMENT_SPREAD: {
            const { value: fragment } = selection.name;
            if (spread.has(fragment)) break;
            spread.add(fragment);
            walk(fragments[fragment]?.selectionSet);
          }
        }
      }
    };
    for (const { selectionSet } of from) walk(selectionSet);
    return fields;
  };
  const named = path.reduce(
    (from, name) => fieldsOf(from).filter((field) => field.name.value === name),
    fieldNodes,
  );
  return new Set(fieldsOf(named).map((field) => field.name.value));
}
