/**
 * How often an answer repeats the body of each event: once for every name that a selection gives it, whether whole, as a
 * preview, or as typed fields, which together are one body however many there are.
 *
 * Counted twice, for two questions: weightOf() for one list, before it is read, whatever types its events will have; weightsIn() for one
 * document, by the type of an event that is there. What one event may have at all is refused before either (api/graphql/cost.ts, OBJECT_BYTES_MAX).
 */
import {
  type DefinitionNode,
  type FieldNode,
  type GraphQLResolveInfo,
  type GraphQLSchema,
  Kind,
  type SelectionSetNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { RecordedEvent } from '../src/journal/event.ts';
import { bodyBytesOf } from './event-value.ts';

export interface BodyWeight {
  /** Of `body` and of typed fields: what lies in the log itself. */
  readonly inline: number;
  /** Of `fullBody`. */
  readonly whole: number;
}

/** What an event takes beside its body: ids, a cursor, names. */
const EVENT_BYTES = 512;
/** Between a list of events and their fields; and the fields of every event that are not its body. */
const AROUND = new Set(['nodes', 'edges', 'node', 'events']);
const SMALL = new Set(['__typename', 'id', 'seq', 'cursor', 'at', 'type', 'level', 'actor', 'turnId']);

/** Bytes that an event takes in an answer; at least once what is read of it. */
export function bytesOf(event: RecordedEvent, { inline, whole }: BodyWeight): number {
  const read = Buffer.byteLength(event.body);
  return EVENT_BYTES + Math.max(1, inline) * read + (whole === 0 ? 0 : whole * bodyBytesOf(event));
}

/** About the bytes of what lies in the log of them. */
export function charsOf(events: readonly RecordedEvent[]): number {
  return events.reduce((chars, { body }) => chars + body.length, 0);
}

/** Of a field that answers events. Directives are not looked at: it is no less than what will be answered. */
export function weightOf({ fieldNodes, fragments }: GraphQLResolveInfo): BodyWeight {
  /** The places in the answer at which a field of this name stands. */
  const places = new Map<string, Set<string>>();
  const walk = (selectionSet: SelectionSetNode | undefined, path: string, spread: Set<string>): void => {
    for (const selection of selectionSet?.selections ?? []) {
      switch (selection.kind) {
        case Kind.FIELD:
          take(selection, `${path}.${selection.alias?.value ?? selection.name.value}`);
          break;
        case Kind.INLINE_FRAGMENT:
          walk(selection.selectionSet, path, spread);
          break;
        case Kind.FRAGMENT_SPREAD: {
          const name = selection.name.value;
          if (spread.has(name)) break;
          spread.add(name);
          walk(fragments[name]?.selectionSet, path, spread);
        }
      }
    }
  };
  const take = ({ name: { value: name }, selectionSet }: FieldNode, place: string): void => {
    if (AROUND.has(name)) return walk(selectionSet, place, new Set());
    if (SMALL.has(name)) return;
    const known = places.get(name);
    if (known === undefined) places.set(name, new Set([place]));
    else known.add(place);
  };
  for (const { selectionSet } of fieldNodes) walk(selectionSet, '', new Set());

  const countOf = (name: string): number => places.get(name)?.size ?? 0;
  const typed = [...places.keys()].filter((name) => name !== 'body' && name !== 'fullBody').map(countOf);
  return { inline: countOf('body') + Math.max(0, ...typed), whole: countOf('fullBody') };
}

/** How often an object of one type is asked for its body, and for the whole of it. */
interface Names {
  bodies: number;
  wholes: number;
  /** Typed fields are pieces of the body: by name, since only the same one under several names takes more than the body does. */
  readonly typed: Map<string, number>;
}

/**
 * Of an event, by the name of its type. `definitions`: the operation and its fragments; a field that is written twice counts twice.
 * `onField` sees every field, and the type that has it.
 */
export function weightsIn(
  schema: GraphQLSchema,
  definitions: readonly DefinitionNode[],
  onField: (field: FieldNode, parent: string) => void,
): (typeName: string) => BodyWeight {
  const byType = new Map<string, Names>();
  const typeInfo = new TypeInfo(schema);
  visit(
    { kind: Kind.DOCUMENT, definitions },
    visitWithTypeInfo(typeInfo, {
      Field(field) {
        const parent = typeInfo.getParentType()?.name ?? '';
        const name = field.name.value;
        const names = namesOf(byType, parent);
        if (name === 'body') names.bodies += 1;
        else if (name === 'fullBody') names.wholes += 1;
        else names.typed.set(name, (names.typed.get(name) ?? 0) + 1);
        onField(field, parent);
      },
    }),
  );
  const ofAll = namesOf(byType, 'Event');
  const weights = new Map<string, BodyWeight>();
  return (typeName) => {
    const known = weights.get(typeName);
    if (known !== undefined) return known;
    const { bodies, wholes, typed } = namesOf(byType, typeName);
    const inline = ofAll.bodies + bodies + Math.max(0, ...typed.values());
    const weight = { inline, whole: ofAll.wholes + wholes };
    weights.set(typeName, weight);
    return weight;
  };
}

function namesOf(byType: Map<string, Names>, type: string): Names {
  const known = byType.get(type);
  if (known !== undefined) return known;
  const names: Names = { bodies: 0, wholes: 0, typed: new Map() };
  byType.set(type, names);
  return names;
}
