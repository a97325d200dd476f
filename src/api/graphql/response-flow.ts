/** One HTTP answer, as the ledger of what goes out sees it (outgoing.ts). */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Outflow } from './outgoing.ts';

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

/** What the other side has taken of a socket, also of a write that is under way; -1 once it is closed. */
export function takenFrom(socket: Socket | null): number {
  if (socket === null) return -1;
  // as: net.Socket looks there itself, for its own timeout; without it, progress shows when a whole write is done
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
}
