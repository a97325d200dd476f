/**
 * The shape of a document: how deep it is, how many names it gives, how often fields meet under one name. All of it with the
 * fragments where they are spread, and before what costs more: a document is refused for its shape in the time it takes to walk it.
 */
import {
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLError,
  Kind,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
  visit,
} from 'graphql';
import { ALIASES_MAX, COUNT_STEPS_MAX, DEPTH_MAX, MEETINGS_MAX } from './limits.ts';
import { refusal } from './masking.ts';
import { type Fragments, fragmentsOf, subSelections } from './selection.ts';

/** Of a document that may not be valid yet: validation compares all fields that meet under one name with each other. */
export function checkText(document: DocumentNode): void {
  let aliases = 0;
  visit(document, {
    Field(node) {
      if (node.alias !== undefined) aliases += 1;
    },
  });
  if (aliases > ALIASES_MAX) throw tooManyAliases(aliases);
  const meetings = new Meetings(fragmentsOf(document));
  for (const definition of document.definitions) {
    if ('selectionSet' in definition) meetings.count([definition.selectionSet], 0);
  }
}

/** Of an operation of a valid document: no fragment is in itself. */
export function checkShape({ selectionSet }: OperationDefinitionNode, fragments: Fragments): void {
  const depth = depthOf(selectionSet, fragments);
  if (depth > DEPTH_MAX)
    throw refusal('TOO_DEEP', `This query is ${depth} levels deep; ${DEPTH_MAX} is the most.`, 400);
  const aliases = aliasesOf(selectionSet, fragments);
  if (aliases > ALIASES_MAX) throw tooManyAliases(aliases);
}

/** Pairs of fields that meet under one name, level by level. */
class Meetings {
  readonly #fragments: Fragments;
  #pairs = 0;
  #steps = 0;

  constructor(fragments: Fragments) {
    this.#fragments = fragments;
  }

  count(selectionSets: readonly SelectionSetNode[], depth: number): void {
    if (depth > DEPTH_MAX) return; // refused for that, or for a fragment that is in itself
    const byName = new Map<string, FieldNode[]>();
    const spread = new Set<string>();
    for (const selectionSet of selectionSets) this.#walk(selectionSet, byName, spread);
    for (const nodes of byName.values()) {
      this.#pairs += (nodes.length * (nodes.length - 1)) / 2;
      if (this.#pairs > MEETINGS_MAX) throw tooRepetitive();
      const inner = subSelections(nodes);
      if (inner.length > 0) this.count(inner, depth + 1);
    }
  }

  #walk(selectionSet: SelectionSetNode, byName: Map<string, FieldNode[]>, spread: Set<string>): void {
    for (const selection of selectionSet.selections) {
      this.#steps += 1;
      if (this.#steps > COUNT_STEPS_MAX) throw tooRepetitive();
      switch (selection.kind) {
        case Kind.FIELD: {
          const name = selection.alias?.value ?? selection.name.value;
          const nodes = byName.get(name);
          if (nodes === undefined) byName.set(name, [selection]);
          else nodes.push(selection);
          break;
        }
        case Kind.INLINE_FRAGMENT:
          this.#walk(selection.selectionSet, byName, spread);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const { value: name } = selection.name;
          const fragment = this.#fragments.get(name);
          if (fragment === undefined || spread.has(name)) break;
          spread.add(name);
          this.#walk(fragment.selectionSet, byName, spread);
        }
      }
    }
  }
}

/** Introspection included. The document is valid: no fragment is in itself. */
function depthOf(selectionSet: SelectionSetNode, fragments: Fragments): number {
  return expanded(selectionSet, fragments, {
    field: (_node, inner) => 1 + inner,
    all: (depths) => Math.max(0, ...depths),
  });
}

/** As often as they are in the answer: a fragment's count wherever it is spread. */
function aliasesOf(selectionSet: SelectionSetNode, fragments: Fragments): number {
  return expanded(selectionSet, fragments, {
    field: ({ alias }, inner) => (alias === undefined ? 0 : 1) + inner,
    all: (counts) => counts.reduce((sum, count) => sum + count, 0),
  });
}

interface Folding {
  field(node: FieldNode, inner: number): number;
  all(values: readonly number[]): number;
}

/** Over the selections with their fragments; a fragment is looked into once, however often it is spread. */
function expanded(selectionSet: SelectionSetNode, fragments: Fragments, { field, all }: Folding): number {
  const known = new Map<string, number>();
  const spread = (name: string, fragment: FragmentDefinitionNode | undefined): number => {
    const value = known.get(name) ?? within(fragment?.selectionSet);
    known.set(name, value);
    return value;
  };
  const within = (of: SelectionSetNode | undefined): number => all((of?.selections ?? []).map(one));
  const one = (selection: SelectionNode): number => {
    switch (selection.kind) {
      case Kind.FIELD:
        return field(selection, within(selection.selectionSet));
      case Kind.INLINE_FRAGMENT:
        return within(selection.selectionSet);
      case Kind.FRAGMENT_SPREAD:
        return spread(selection.name.value, fragments.get(selection.name.value));
    }
  };
  return within(selectionSet);
}

function tooManyAliases(aliases: number): GraphQLError {
  return refusal(
    'TOO_MANY_ALIASES',
    `This query has ${aliases} aliases, as often as fragments repeat them; ${ALIASES_MAX} is the most.`,
    400,
  );
}

function tooRepetitive(): GraphQLError {
  const message = 'This query asks for the same fields again and again. Name each field once in a selection.';
  return refusal('TOO_COMPLEX', message, 400);
}
