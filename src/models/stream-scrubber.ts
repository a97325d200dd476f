/**
 * Takes the key out of a stream of events, also where it is split over several: a service writes its text, its thinking and the
 * input of a tool in pieces of a few characters, and begins a new block wherever it likes.
 *
 * STREAM-1 Frames without the key go out as they came, byte for byte, in their order.
 * STREAM-2 Frames wait only while the texts in them may end in the middle of the key (key-pieces.ts PIECES-2): until the next piece of
 *    that text, the end of its block or of the stream, and no more than HELD_BYTES_MAX and HELD_FRAMES_MAX of them.
 * STREAM-3 A text goes on where the last one of its name ended: a key that is spread over blocks is one key.
 */
import type { Frame } from '../kernel/event-stream.ts';
import type { Pieces } from './key-pieces.ts';
import type { KeyScrubber } from './key-scrubber.ts';
import type { Steps } from './loop-share.ts';

/** Frames that wait: a key in pieces of one character is a few hundred bytes for each; a service that sends more is not waited for. */
const HELD_BYTES_MAX = 1024 * 1024;
/** And so many: an empty one takes some hundred bytes of memory. A key in pieces, with pings in between, is in some hundred. */
const HELD_FRAMES_MAX = 4_096;
/** Of a text that are looked at in one step. */
const STEP_CHARS = 16 * 1024;
/** Texts that are open at the same time: services write one block after the other. The oldest is taken for ended. */
const OPEN_TEXTS_MAX = 64;
/** Names of texts that are told apart; the API has five. */
const NAMES_MAX = 64;

/** Some services write the beginning of a block's text there, and no delta for it. */
const BEGUN_WITH: ReadonlySet<string> = new Set(['text', 'thinking']);

type Fields = Record<string, string>;

interface Held {
  readonly frame: Frame;
  /** Its data. */
  readonly said: Readonly<Record<string, unknown>> | undefined;
  /** Its texts by their names, without what is held back of them. */
  readonly fields: Fields | undefined;
}

/** One text of one block. */
interface Open {
  readonly block: string;
  readonly pieces: Pieces;
  readonly name: string;
  /** The texts of the frame that it was last in. */
  fields: Fields;
}

export class StreamScrubber {
  readonly #scrubber: KeyScrubber;
  #held: Held[] = [];
  #heldBytes = 0;
  /** By block and name. */
  #open = new Map<string, Open>();
  /** By name, of whatever block. */
  #latest = new Map<string, Pieces>();
  /** The key was in the frames that wait: they are written anew. */
  #found = false;

  constructor(scrubber: KeyScrubber) {
    this.#scrubber = scrubber;
  }

  /** What can go out by now. */
  *push(frame: Frame): Steps<readonly Buffer[]> {
    const said = frame.data === undefined ? undefined : parsed(frame.data);
    const type = said?.['type'];
    const block = String(said?.['index']);
    if (type !== 'content_block_delta') this.#endOf(type, block);
    const texts = textsOf(said);
    const fields: Fields | undefined = texts.length > 0 ? {} : undefined;
    if (fields !== undefined)
      for (const [name, text] of texts) fields[name] = yield* this.#piece(block, name, text, fields);
    this.#held.push({ frame, said, fields });
    this.#heldBytes += frame.bytes.length;
    if (this.#heldBytes > HELD_BYTES_MAX || this.#held.length > HELD_FRAMES_MAX)
      for (const text of this.#open.values()) this.#flush(text); // STREAM-2
    for (const { pieces } of this.#open.values()) if (pieces.holds) return [];
    return yield* this.#release();
  }

  /** What is left when the stream has ended. */
  *end(): Steps<readonly Buffer[]> {
    this.#endAll();
    return yield* this.#release();
  }

  *#piece(block: string, name: string, text: string, fields: Fields): Steps<string> {
    const { pieces } = this.#opened(block, name, fields);
    let out = '';
    let at = 0;
    for (; at + STEP_CHARS < text.length; at += STEP_CHARS) {
      out += pieces.pushMore(text.slice(at, at + STEP_CHARS));
      yield;
    }
    out += pieces.push(text.slice(at));
    this.#noteFound(pieces);
    return out;
  }

  #opened(block: string, name: string, fields: Fields): Open {
    const id = `${block}/${name}`;
    const known = this.#open.get(id);
    const pieces = known?.pieces ?? this.#latest.get(name)?.follow() ?? this.#scrubber.pieces(); // STREAM-3
    const open: Open = { block, pieces, name, fields };
    this.#open.set(id, open);
    if (this.#latest.has(name) || this.#latest.size < NAMES_MAX) this.#latest.set(name, pieces);
    const [oldest] = this.#open;
    if (oldest !== undefined && this.#open.size > OPEN_TEXTS_MAX) this.#end(...oldest);
    return open;
  }

  /** A block that begins or ends ends its texts, and the end of the answer those of all; a ping does not. */
  #endOf(type: unknown, block: string): void {
    if (type === 'content_block_start' || type === 'content_block_stop') this.#endAll(block);
    else if (type === 'error' || (typeof type === 'string' && type.startsWith('message_'))) this.#endAll();
  }

  #endAll(ofBlock?: string): void {
    for (const [id, text] of this.#open)
      if (ofBlock === undefined || text.block === ofBlock) this.#end(id, text);
  }

  #end(id: string, text: Open): void {
    this.#flush(text);
    this.#open.delete(id);
  }

  #flush({ pieces, name, fields }: Open): void {
    if (pieces.holds) fields[name] = (fields[name] ?? '') + pieces.flush();
    this.#noteFound(pieces);
  }

  #noteFound(pieces: Pieces): void {
    this.#found ||= pieces.found;
    pieces.found = false;
  }

  *#release(): Steps<readonly Buffer[]> {
    const anew = this.#found;
    const out: Buffer[] = [];
    for (const held of this.#held) {
      out.push(yield* this.#scrubber.bytes(anew ? written(held) : held.frame.bytes)); // STREAM-1
      if (this.#held.length > 1) yield;
    }
    this.#held = [];
    this.#heldBytes = 0;
    this.#found = false;
    return out;
  }
}

/** Those that more may follow: all of a delta, and with what a block begins. */
function textsOf(said: Held['said']): readonly (readonly [name: string, text: string])[] {
  const where = placeOf(said);
  const begins = where === 'content_block';
  return Object.entries(Object(where === undefined ? undefined : said?.[where])).filter(
    (entry): entry is [string, string] =>
      typeof entry[1] === 'string' && (begins ? BEGUN_WITH.has(entry[0]) : entry[0] !== 'type'),
  );
}

/** Where an event has its texts. */
function placeOf(said: Held['said']): 'delta' | 'content_block' | undefined {
  if (said?.['type'] === 'content_block_delta') return 'delta';
  return said?.['type'] === 'content_block_start' ? 'content_block' : undefined;
}

function written({ frame, said, fields }: Held): Buffer {
  const where = placeOf(said);
  if (fields === undefined || said === undefined || where === undefined) return frame.bytes;
  const text = JSON.stringify({ ...said, [where]: { ...Object(said[where]), ...fields } });
  return Buffer.from(`${frame.event === undefined ? '' : `event: ${frame.event}\n`}data: ${text}\n\n`);
}

function parsed(data: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined; // just checked
  } catch {
    return undefined;
  }
}
