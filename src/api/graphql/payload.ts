/** A large payload that several sockets are sent: its bytes are made once, and all of them wait for the same ones. */
import type { Outgoing } from './outgoing.ts';

/** Below it a copy for each costs less than keeping count. */
const SHARED_CHARS_MIN = 64 * 1024;

export type Payload = string | SharedText;

/** `text`, as it is best sent to many. */
export function payloadOf(text: string): Payload {
  return text.length < SHARED_CHARS_MIN ? text : new SharedText(text);
}

export class SharedText {
  readonly bytes: Buffer;
  #holders = 0;

  constructor(text: string) {
    this.bytes = Buffer.from(text);
  }

  /** Somebody waits for it, until what this answers is called. */
  hold(outgoing: Pick<Outgoing, 'share' | 'unshare'>): () => void {
    if (this.#holders === 0) outgoing.share(this.bytes.length);
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders === 0) outgoing.unshare(this.bytes.length);
    };
  }
}
