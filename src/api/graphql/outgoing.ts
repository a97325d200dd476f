/**
 * What this process holds for its readers: bytes that wait to be taken, on sockets and in HTTP answers, and what operations have
 * read for answers that are being made; all together, and of each owner (an API key, or all client tokens of a session). The sums are
 * exact once a second, and whenever what was added since then could be too much.
 *
 * OUTGOING-1 all that waits for readers and is being made for them is at most OUTGOING_BYTES_MAX: over it, those who have most unread
 *    are ended until it is three quarters, first those of owners that hold more than their share; an operation is refused UNAVAILABLE where
 *    that would not make room for it.
 * OUTGOING-2 a reader that takes nothing for RESPONSE_STALL_MS, though there is something for it, is ended.
 * OUTGOING-3 what an owner's operations read and its readers leave is no more than its share when an operation reads more: over it, its own
 *    readers are ended and its own operations refused, nobody else's. What is small may have the last of a share, and of all.
 */
import type { ServerResponse } from 'node:http';
import type { Logger } from '../../kernel/logger.ts';
import { Outage } from '../../kernel/outage.ts';
import { HeldBytes } from './held-bytes.ts';
import type { Outflow } from './outflow.ts';
import { ResponseFlow } from './response-flow.ts';

/** All that waits for readers, and all that is being made for them: a part of what a small machine has. */
const OUTGOING_BYTES_MAX = 128 * 1024 * 1024;
/** A reader that takes nothing for so long has gone, or wants to hold our memory: a slow line takes something. */
const RESPONSE_STALL_MS = 30_000;
/** Readers are looked at so often. */
const LOOK_MS = 1_000;
/** Refusals are told to the operator so often: an attack makes many in a second. */
const TOLD_MS = 60_000;
/** Of OUTGOING_BYTES_MAX, what is left when readers were ended: so that it is not the next frame that ends the next one. */
const GOAL = 0.75;
/** Of OUTGOING_BYTES_MAX, what one owner may hold: as much as one operation may read (READ_BYTES_MAX), and never all. */
const OWNER_SHARE = 0.5;
/** What was full is counted again so often: counting looks at every reader, and a flood is refused a thousand times a second. */
const RECOUNT_MS = 100;
/** Ending who leaves less than this unread frees nothing, and a slow line leaves as much. */
const WORTH_BYTES_MIN = 64 * 1024;

/** The ledger, as one owner sees it. */
export interface OutgoingAccount {
  /** An operation has read so much for its answer. Throws Outage when that is too much. */
  make(bytes: number): void;
  made(bytes: number): void;
  /** Something of so many bytes is about to be written to a reader. */
  sent(bytes: number): void;
}

export interface OutgoingOptions {
  readonly logger: Logger;
  /** For tests: OUTGOING_BYTES_MAX, RESPONSE_STALL_MS. */
  readonly bytesMax?: number | undefined;
  readonly stallMs?: number | undefined;
}

const FULL =
  'This server holds as many unread answers as it may. Read what you have asked for, or try again.';
const OVER_SHARE =
  'Your answers that are not read yet are as much as one API key or one session may hold. Read what you have asked for, ask for less at once, or try again.';

/** It is in the log already (TOLD_MS): who shows it need not write it there. */
export class OutgoingFull extends Outage {
  constructor(sentence: string = FULL) {
    super('OUTGOING_FULL', sentence);
  }
}

interface Seen {
  taken: number;
  at: number;
}

export class Outgoing {
  readonly #logger: Logger;
  readonly #stallMs: number;
  readonly #readers = new Map<Outflow, Seen>();
  readonly #all: HeldBytes;
  /** Of those who hold something. */
  readonly #owners = new Map<string, HeldBytes>();
  #refused = 0;
  #toldAt = Number.NEGATIVE_INFINITY;
  readonly #responses = new WeakMap<ServerResponse, ResponseFlow>();
  readonly #looking: NodeJS.Timeout;

  constructor({ logger, bytesMax = OUTGOING_BYTES_MAX, stallMs = RESPONSE_STALL_MS }: OutgoingOptions) {
    this.#logger = logger;
    this.#all = new HeldBytes(bytesMax);
    this.#stallMs = stallMs;
    this.#looking = setInterval(() => this.#look(), Math.min(LOOK_MS, stallMs)).unref();
  }

  /** Bytes held now. */
  get held(): number {
    this.#count();
    return this.#all.sum;
  }

  /** How many there are: for tests and for the operator. */
  get readers(): number {
    return this.#readers.size;
  }

  /** Until what it answers is called. */
  add(reader: Outflow): () => void {
    this.#readers.set(reader, { taken: reader.taken, at: performance.now() });
    return () => this.#readers.delete(reader);
  }

  /** An HTTP answer, until it is over. */
  addResponse(response: ServerResponse): void {
    const flow = new ResponseFlow(response);
    this.#responses.set(response, flow);
    response.once('close', this.add(flow));
  }

  /** Whose answer it is, once that is known. */
  belongsTo(response: ServerResponse, owner: string): void {
    const flow = this.#responses.get(response);
    if (flow !== undefined) flow.owner = owner;
  }

  /** The ledger for one owner; undefined: for nobody in particular, who has no share. */
  of(owner: string | undefined): OutgoingAccount {
    return {
      make: (bytes) => this.make(bytes, owner),
      made: (bytes) => this.made(bytes, owner),
      sent: (bytes) => this.sent(bytes, owner),
    };
  }

  /** So many bytes of this answer are in memory anyway, whoever waits for them. */
  sharedIn(response: ServerResponse, bytes: number): void {
    const flow = this.#responses.get(response);
    if (flow !== undefined) flow.sharedBytes = bytes;
  }

  /** This answer is made piece by piece, as it is read: until it is over it holds so many bytes beside what is written. */
  heldFor(response: ServerResponse, bytes: number): void {
    const flow = this.#responses.get(response);
    if (flow === undefined) return;
    flow.heldBytes = bytes;
    this.sent(bytes, flow.owner);
  }

  /** Something of so many bytes is about to be written to a reader. */
  sent(bytes: number, owner?: string): void {
    const add = (): void => {
      this.#all.waiting += bytes;
      const held = this.#heldBy(owner);
      if (held !== undefined) held.waiting += bytes;
    };
    add();
    const { bytesMax } = this.#all;
    if (this.#all.sum <= bytesMax) return;
    this.#count();
    if (this.#all.sum + bytes > bytesMax) this.#relieve(bytes);
    add();
  }

  /** One buffer that several readers wait for counts once. */
  share(bytes: number): void {
    this.#all.shared += bytes;
  }

  unshare(bytes: number): void {
    this.#all.shared -= bytes;
  }

  /** An operation has read so much for its answer. Throws Outage when that is too much for the process, or for its owner. */
  make(bytes: number, owner?: string): void {
    const share = this.#heldBy(owner);
    if (share !== undefined) this.#makeRoom(bytes, share, owner); // OUTGOING-3
    this.#makeRoom(bytes, this.#all, undefined); // OUTGOING-1
    this.#all.making += bytes;
    const held = this.#heldBy(owner); // anew: counting forgets who holds nothing
    if (held !== undefined) held.making += bytes;
  }

  made(bytes: number, owner?: string): void {
    this.#all.making -= bytes;
    const held = this.#heldBy(owner);
    if (held !== undefined) held.making -= bytes;
  }

  close(): void {
    clearInterval(this.#looking);
  }

  #heldBy(owner: string | undefined): HeldBytes | undefined {
    if (owner === undefined) return undefined;
    const known = this.#owners.get(owner);
    if (known !== undefined) return known;
    const held = new HeldBytes(this.#all.bytesMax * OWNER_SHARE);
    this.#owners.set(owner, held);
    return held;
  }

  /** Ends who leaves most unread where that helps, of this owner or of all. Throws Outage. */
  #makeRoom(bytes: number, held: HeldBytes, owner: string | undefined): void {
    if (held.hasRoomFor(bytes)) return;
    const now = performance.now();
    if (now - held.fullAt >= RECOUNT_MS) {
      this.#count();
      if (!held.hasRoomFor(bytes) && !held.isInVain(bytes)) this.#relieve(bytes, owner);
      if (held.hasRoomFor(bytes)) return;
      held.fullAt = now;
    }
    this.#tellRefusal();
    throw new OutgoingFull(owner === undefined ? FULL : OVER_SHARE);
  }

  #count(): void {
    this.#all.waiting = 0;
    for (const held of this.#owners.values()) held.waiting = 0;
    for (const { own, owner } of this.#readers.keys()) {
      this.#all.waiting += own;
      const held = own > 0 ? this.#heldBy(owner) : undefined;
      if (held !== undefined) held.waiting += own;
    }
    for (const [owner, { sum }] of this.#owners) if (sum === 0) this.#owners.delete(owner);
  }

  #look(): void {
    const now = performance.now();
    for (const [reader, seen] of this.#readers) {
      const { pending, taken } = reader;
      if (pending === 0 || taken !== seen.taken) {
        seen.taken = taken;
        seen.at = now;
      } else if (now - seen.at >= this.#stallMs) this.#end(reader, 'a reader takes nothing'); // OUTGOING-2
    }
    this.#count();
    if (this.#all.sum > this.#all.bytesMax) this.#relieve(0);
  }

  /**
   * OUTGOING-1, of one owner OUTGOING-3; counted just now. `more`: bytes that are about to come. What readers share is free when the last
   * of them has gone.
   */
  #relieve(more: number, owner?: string): void {
    const bound = this.#heldBy(owner) ?? this.#all;
    const most = [...this.#readers.keys()]
      .filter((reader) => owner === undefined || reader.owner === owner)
      .map((reader) => {
        const { own, pending } = reader;
        const held = this.#heldBy(reader.owner);
        const isOver = held !== undefined && held.sum > held.bytesMax;
        return { reader, own, pending, held, isOver };
      });
    most.sort(
      (one, other) =>
        Number(other.isOver) - Number(one.isOver) || other.own - one.own || other.pending - one.pending,
    );
    for (const { reader, own, pending, held } of most) {
      if (bound.sum + more <= bound.bytesMax * GOAL) break;
      if (pending < WORTH_BYTES_MIN) continue;
      this.#all.waiting -= own;
      if (held !== undefined) held.waiting -= own;
      this.#end(reader, 'readers leave too much unread');
    }
  }

  #tellRefusal(): void {
    this.#refused += 1;
    const now = performance.now();
    if (now - this.#toldAt < TOLD_MS) return;
    const { held: heldBytes } = this;
    this.#logger.warn('operations are refused: readers leave too much unread', {
      heldBytes,
      refused: this.#refused,
    });
    this.#toldAt = now;
    this.#refused = 0;
  }

  #end(reader: Outflow, why: string): void {
    this.#logger.warn('a reader was ended', { why, pendingBytes: reader.pending });
    this.#readers.delete(reader);
    reader.end();
  }
}
