/**
 * Cutting what a follower is sent into frames that are not too large, before anything is rendered. How large an event can
 * become is known from the document: how often it names the body, the whole body and each typed field of that type. A piece
 * of a message is cut as well, since its text has no other bound than the message's.
 *
 * FRAME-1 a frame is at most FRAME_CUT_BYTES as rendered, unless it is of one event only (FRAME_BYTES_MAX then); nothing is missed, and each frame's cursor
 *    is that of its last event.
 */
import type { DefinitionNode, GraphQLSchema } from 'graphql';
import type { DeltaFrame } from '../src/journal/draft.ts';
import type { RecordedEvent } from '../src/journal/event.ts';
import { FRAME_BYTES_MAX } from '../src/kernel/limit.ts';
import { weightsIn } from './body-weight.ts';
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

/** `definitions`: the operation and its fragments. */
export function frameCutOf(schema: GraphQLSchema, definitions: readonly DefinitionNode[]): FrameCut {
  let plainBytes = PLAIN_BYTES_MAX;
  let texts = 0;
  const weightOf = weightsIn(schema, definitions, ({ name: { value: name }, alias }, parent) => {
    plainBytes += PLAIN_BYTES_MAX + (alias?.value ?? name).length;
    if (name === 'text' && parent.endsWith('Delta')) texts += 1;
  });
  const mostBytesOf = ({ type, body, spilledBytes = 0 }: RecordedEvent): number => {
    const { inline, whole } = weightOf(typeNameOf(type));
    return plainBytes + (inline + whole) * body.length * UNIT_BYTES_MAX + whole * spilledBytes;
  };
  const bytesOf = (event: RecordedEvent): number => {
    const { inline, whole } = weightOf(typeNameOf(event.type));
    return plainBytes + inline * Buffer.byteLength(event.body) + whole * bodyBytesOf(event);
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
