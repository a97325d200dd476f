/** One HTTP answer, as the ledger of what goes out sees it (outgoing.ts). */
import type { ServerResponse } from 'node:http';
import { type Outflow, takenFrom } from './outflow.ts';

export class ResponseFlow implements Outflow {
  readonly #response: ServerResponse;
  owner: string | undefined;
  sharedBytes = 0;
  heldBytes = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get pending(): number {
    return this.#response.writableLength + this.heldBytes;
  }

  get own(): number {
    return Math.max(0, this.pending - this.sharedBytes);
  }

  get taken(): number {
    return takenFrom(this.#response.socket);
  }

  end(): void {
    // One that waits behind another of its connection has no socket yet, and would be kept until it has.
    this.#response.req.socket.destroy();
  }
}
