/**
 * Operations that are under way, by who asked: those of an API key, and those of all client tokens of a session, over all of their
 * sockets and requests. And the sockets of each, so that one of them cannot take all that there are.
 *
 * OPERATIONS-1 nobody has more under way than the limit of its kind; one more is refused TOO_MANY_OPERATIONS (429), and may be tried again.
 */
import type { GraphQLError } from 'graphql';
import type { Principal } from '../../access/principal.ts';
import { refusal } from './masking.ts';

/** Of one session's client tokens: some browsers with some dozens of subscriptions and requests each. */
const CLIENT_OPERATIONS_MAX = 200;
/** Of one API key: a backend that follows sessions for all its users. Their bytes are bounded by themselves (outgoing.ts). */
const KEY_OPERATIONS_MAX = 20_000;
/** Sockets of one session's client tokens: a browser has one for each tab. */
const CLIENT_SOCKETS_MAX = 100;
/** When to ask again: operations end all the time. */
const RETRY_AFTER_MS = 1_000;

export interface OperationLimits {
  readonly client: number;
  readonly key: number;
  readonly clientSockets: number;
}

const LIMITS: OperationLimits = {
  client: CLIENT_OPERATIONS_MAX,
  key: KEY_OPERATIONS_MAX,
  clientSockets: CLIENT_SOCKETS_MAX,
};

export class Operations {
  readonly #limits: OperationLimits;
  readonly #operations = new Counts();
  readonly #sockets = new Counts();

  constructor(limits: Partial<OperationLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  /** How many are under way: for tests and for the operator. */
  get size(): number {
    return this.#operations.total;
  }

  /** How many of this principal may be under way at once. */
  mostOf({ kind }: Principal): number {
    return kind === 'key' ? this.#limits.key : this.#limits.client;
  }

  /** Answers what ends it. Throws TOO_MANY_OPERATIONS. */
  begin(principal: Principal): () => void {
    const most = this.mostOf(principal);
    const end = this.#operations.add(nameOf(principal), most);
    if (end === undefined) throw tooMany(`${most} operations at once are the most`); // OPERATIONS-1
    return end;
  }

  /** A socket of this principal; undefined when it has too many. */
  beginSocket(principal: Principal): (() => void) | undefined {
    const most = principal.kind === 'key' ? Number.POSITIVE_INFINITY : this.#limits.clientSockets;
    return this.#sockets.add(nameOf(principal), most);
  }
}

/** `what`: which limit was met. */
export function tooMany(what: string): GraphQLError {
  const message = `${what}. Wait until some have ended, then try again.`;
  return refusal('TOO_MANY_OPERATIONS', message, 429, RETRY_AFTER_MS);
}

class Counts {
  readonly #counts = new Map<string, number>();
  total = 0;

  /** Answers what takes it off again, however often it is called; undefined when there are `most` already. */
  add(name: string, most: number): (() => void) | undefined {
    const count = this.#counts.get(name) ?? 0;
    if (count >= most) return undefined;
    this.#counts.set(name, count + 1);
    this.total += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.total -= 1;
      const left = (this.#counts.get(name) ?? 1) - 1;
      if (left === 0) this.#counts.delete(name);
      else this.#counts.set(name, left);
    };
  }
}

/** Those who share a limit: all that one key or one session's client tokens ask for. */
export function nameOf(principal: Principal): string {
  return principal.kind === 'key' ? `key ${principal.keyId}` : `${principal.kind} ${principal.sessionId}`;
}
