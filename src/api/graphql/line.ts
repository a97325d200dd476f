/** An operation of a socket, as its messages name it. */
import type { Outlet } from './outlet.ts';

/** Whose operation it is, and where its messages go. */
export interface Line {
  readonly outlet: Outlet;
  readonly operationId: string;
}

/** Of a `next` message of this operation, up to its payload. */
export function nextHead(operationId: string): string {
  return `{"id":${JSON.stringify(operationId)},"type":"next","payload":`;
}
