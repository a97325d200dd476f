/**
 * How often an answer repeats the body of each event: once for every name that a selection gives it, whether whole, as a
 * preview, or as typed fields, which together are one body however many there are.
 */
import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from 'graphql';
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
