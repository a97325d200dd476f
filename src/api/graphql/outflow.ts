/** What waits for one reader, as the ledger of what goes out sees it (outgoing.ts). */
import type { Socket } from 'node:net';

/** One reader. */
export interface Outflow {
  /** Bytes that wait for it. */
  readonly pending: number;
  /** Those of them that wait for nobody else. */
  readonly own: number;
  /** Bytes that it has taken so far; any change will do. */
  readonly taken: number;
  /** Whose it is, where that is known. */
  readonly owner?: string | undefined;
  end(): void;
}

/** What the other side has taken of a socket, also of a write that is under way; -1 once it is closed. */
export function takenFrom(socket: Socket | null): number {
  if (socket === null) return -1;
  // as: net.Socket looks there itself, for its own timeout; without it, progress shows when a whole write is done
  const { _handle: handle } = socket as { readonly _handle?: { readonly writeQueueSize?: number } | null };
  return socket.bytesWritten - socket.writableLength - (handle?.writeQueueSize ?? 0);
}
