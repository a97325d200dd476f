/**
 * Cutting what a follower is sent into frames that are not too large, before anything is rendered. How large an event can
 * become is known from the document: how often it names the body, the whole body and each typed field of that type. A piece
 * of a message is cut as well, since its text has no other bound than the message's.
 *
 * FRAME-1 a frame is at most FRAME_CUT_BYTES as rendered, unless it is of one event only (FRAME_BYTES_MAX then); nothing is missed, and each frame's cursor
 *    is that of its last event.
 */
import { type DefinitionNode, type GraphQLSchema, Kind, TypeInfo, visit, visitWithTypeInfo } from 'graphql';
import type { DeltaFrame } from '../src/journal/draft.ts';
import type { RecordedEvent } from '../src/journal/event.ts';
import { FRAME_BYTES_MAX } from '../src/kernel/limit.ts';
import { bodyBytesOf, typeNameOf } from './event-value.ts';

/** Of several events: making a frame holds up everybody else, and what is larger gains nothing. */
export const FRAME_CUT_BYTES = 2 * 1024 * 1024;
/** Of a field that is no body: its name (which the document has), a time, a cursor or an id. */
const PLAIN_BYTES_MAX = 160;
/** Of one character as JSON: \u0000. */
const CHAR_BYTES_MAX = 6;
/** Of one UTF-16 unit of text that is JSON already. */
const UNIT_BYTES_MAX = 3;

export interface FrameCut {
  /** The events in order, in parts that fit into a frame each. A part of one event may not. */
  parts(events: readonly RecordedEvent[]): readonly (readonly RecordedEvent[])[];
  /** The same text, piece by piece. */
  pieces(frame: DeltaFrame): readonly DeltaFrame[];
}

/** How often an object of one type is asked for its body, and for the whole of it. */
interface Names {
  bodies: number;
  wholes: number;
  /** Typed fields are pieces of the body: by name, since only the same one under several names takes more than the body does. */
  readonly typed: Map<string, number>;
}

/** `definitions`: the operation and its fragments. A field that is written twice counts twice. */
export function frameCutOf(schema: GraphQLSchema, definitions: readonly DefinitionNode[]): FrameCut {
  const { byType, plainBytes, texts } = namesIn(schema, definitions);
  const ofAll = namesOf(byType, 'Event');
  const weights = new Map<string, { bodies: number; wholes: number }>();
  const weightOf = (type: string): { bodies: number; wholes: number } => {
    const name = typeNameOf(type);
    const known = weights.get(name);
    if (known !== undefined) return known;
    const own = namesOf(byType, name);
    const bodies = ofAll.bodies + own.bodies + Math.max(0, ...own.typed.values());
    const weight = { bodies, wholes: ofAll.wholes + own.wholes };
    weights.set(name, weight);
    return weight;
  };
  const mostBytesOf = (event: RecordedEvent): number => {
    const { bodies, wholes } = weightOf(event.type);
    return (
      plainBytes + (bodies + wholes) * event.body.length * UNIT_BYTES_MAX + wholes * (event.spilledBytes ?? 0)
    );
  };
  const bytesOf = (event: RecordedEvent): number => {
    const { bodies, wholes } = weightOf(event.type);
    return plainBytes + bodies * Buffer.byteLength(event.body) + wholes * bodyBytesOf(event);
  };

  return {
    parts(events) {
      let most = 0;
      for (const event of events) most += mostBytesOf(event);
      if (most <= FRAME_CUT_BYTES) return [events]; // nearly always, and counting exactly would cost more
      const parts: RecordedEvent[][] = [];
      let bytes = FRAME_CUT_BYTES;
      for (const event of events) {
        const more = bytesOf(event);
        bytes += more;
        if (bytes > FRAME_CUT_BYTES) {
          parts.push([]);
          bytes = more;
        }
        parts.at(-1)?.push(event);
      }
      return parts;
    },
    pieces(frame) {
      const charsMax = Math.floor((FRAME_BYTES_MAX - plainBytes) / (CHAR_BYTES_MAX * Math.max(1, texts)));
      if (frame.text.length <= charsMax) return [frame];
      const pieces: DeltaFrame[] = [];
      for (let at = 0; at < frame.text.length; ) {
        const end = endOf(frame.text, at + charsMax);
        pieces.push({ ...frame, offset: frame.offset + at, text: frame.text.slice(at, end) });
        at = end;
      }
      return pieces;
    },
  };
}

/** Not between the two halves of a character. */
function endOf(text: string, end: number): number {
  const unit = text.charCodeAt(end - 1);
  return end < text.length && unit >= 0xd800 && unit <= 0xdbff ? end - 1 : end;
}

function namesOf(byType: Map<string, Names>, type: string): Names {
  const known = byType.get(type);
  if (known !== undefined) return known;
  const names: Names = { bodies: 0, wholes: 0, typed: new Map() };
  byType.set(type, names);
  return names;
}

function namesIn(
  schema: GraphQLSchema,
  definitions: readonly DefinitionNode[],
): { readonly byType: Map<string, Names>; readonly plainBytes: number; readonly texts: number } {
  const byType = new Map<string, Names>();
  let plainBytes = PLAIN_BYTES_MAX;
  let texts = 0;
  const typeInfo = new TypeInfo(schema);
  visit(
    { kind: Kind.DOCUMENT, definitions },
    visitWithTypeInfo(typeInfo, {
      Field({ name: { value: name }, alias }) {
        const parent = typeInfo.getParentType()?.name ?? '';
        plainBytes += PLAIN_BYTES_MAX + (alias?.value ?? name).length;
        if (name === 'text' && parent.endsWith('Delta')) texts += 1;
        const names = namesOf(byType, parent);
        if (name === 'body') names.bodies += 1;
        else if (name === 'fullBody') names.wholes += 1;
        else names.typed.set(name, (names.typed.get(name) ?? 0) + 1);
      },
    }),
  );
  return { byType, plainBytes, texts };
}
