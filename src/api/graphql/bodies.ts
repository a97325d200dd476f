/**
 * Bodies of requests that are under way: how much they hold, and how many are owed by whom. A head is quickly sent.
 *
 * BODIES-1 all bodies hold at most BODIES_BYTES_MAX together, and those of one key or of one session's client tokens at most
 *    OWNER_BYTES_MAX: over the one a new body is refused UNAVAILABLE (503), over the other the owner's oldest that has not come.
 * BODIES-2 nobody is kept out by bodies that do not come: they are no operations yet (operations.ts), one of which nothing more comes for
 *    STALL_MS is refused REQUEST_TIMEOUT (408), and with one more than an owner may have operations the oldest is refused (429).
 */
import type { IncomingMessage } from 'node:http';
import type { Principal } from '../../access/principal.ts';
import { REQUEST_BYTES_MAX } from '../../kernel/limit.ts';
import { type BodyFailure, BodyRefused, RequestBody } from '../request-body.ts';
import { refusal } from './masking.ts';
import { nameOf, type Operations, tooMany } from './operations.ts';

const MIB = 1024 * 1024;
/** Of all bodies that come or wait to be parsed: sixty-four of the largest. */
const BODIES_BYTES_MAX = 128 * MIB;
/** Of one key's or one session's: a quarter, so that one alone stops nobody else. */
const OWNER_BYTES_MAX = 32 * MIB;
/** A line on which nothing comes for so long has broken; one that is bad sends something. */
const STALL_MS = 10_000;
/** When to try again: bodies come and go all the time. */
const RETRY_AFTER_MS = 1_000;

export interface BodyLimits {
  readonly bytes: number;
  readonly ownerBytes: number;
  readonly stallMs: number;
}

const LIMITS: BodyLimits = { bytes: BODIES_BYTES_MAX, ownerBytes: OWNER_BYTES_MAX, stallMs: STALL_MS };

export interface HeldBody {
  readonly bytes: Buffer;
  /** It has been parsed, or is not going to be. */
  release(): void;
}

/** What one owner has under way; those that have not come, the oldest first. */
interface Owner {
  bytes: number;
  count: number;
  readonly owed: Set<RequestBody>;
}

export class Bodies {
  readonly #limits: BodyLimits;
  readonly #operations: Pick<Operations, 'mostOf'>;
  readonly #owners = new Map<string, Owner>();
  #bytes = 0;

  constructor(operations: Pick<Operations, 'mostOf'>, limits: Partial<BodyLimits> = {}) {
    this.#operations = operations;
    this.#limits = { ...LIMITS, ...limits };
  }

  /** Throws refusals, each with a status. */
  async read(request: IncomingMessage, principal: Principal): Promise<HeldBody> {
    const name = nameOf(principal);
    const owner = this.#ownerOf(name);
    let held = 0;
    const body: RequestBody = new RequestBody(request, {
      bytesMax: REQUEST_BYTES_MAX,
      stallMs: this.#limits.stallMs,
      onGrown: (bytes) => {
        held += bytes;
        owner.bytes += bytes;
        this.#bytes += bytes;
        this.#bound(owner, body);
      },
    });
    const release = (): void => {
      owner.count -= 1;
      owner.bytes -= held;
      this.#bytes -= held;
      held = 0;
      if (owner.count === 0) this.#owners.delete(name);
    };
    owner.count += 1;
    owner.owed.add(body);
    try {
      const read = body.read();
      const most = this.#operations.mostOf(principal);
      if (owner.owed.size > most) {
        refuseOldest(owner, tooMany(`${most} bodies that have not come are the most`)); // BODIES-2
      }
      return { bytes: await read, release };
    } catch (error) {
      release();
      throw error instanceof BodyRefused ? refusalOf(error) : error;
    } finally {
      owner.owed.delete(body);
    }
  }

  #ownerOf(name: string): Owner {
    const owner = this.#owners.get(name) ?? { bytes: 0, count: 0, owed: new Set<RequestBody>() };
    this.#owners.set(name, owner);
    return owner;
  }

  /** BODIES-1. What is refused gives its bytes back in the same round of the event loop. */
  #bound(owner: Owner, body: RequestBody): void {
    if (this.#bytes > this.#limits.bytes) {
      const message = 'The server holds as many request bodies as it may. Send this one again in a second.';
      body.refuse(refusal('UNAVAILABLE', message, 503, RETRY_AFTER_MS));
    } else if (owner.bytes > this.#limits.ownerBytes) {
      refuseOldest(owner, tooMany(`${this.#limits.ownerBytes} bytes of bodies at once are the most`));
    }
  }
}

function refuseOldest(owner: Owner, error: Error): void {
  const [oldest] = owner.owed;
  if (oldest === undefined) return;
  owner.owed.delete(oldest);
  oldest.refuse(error);
}

const FORMS: Readonly<Record<BodyFailure, readonly [code: string, status: number]>> = {
  'too large': ['REQUEST_ENTITY_TOO_LARGE', 413],
  'too many pieces': ['BAD_REQUEST', 400],
  stalled: ['REQUEST_TIMEOUT', 408],
  gone: ['BAD_REQUEST', 400],
};

function refusalOf({ failure, message }: BodyRefused): Error {
  const [code, status] = FORMS[failure];
  return refusal(code, message, status);
}
