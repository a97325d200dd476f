/** What the gateway itself refuses, in the form that the model service uses, so that any client of it understands. */
import type { ServerResponse } from 'node:http';
import { DOOR_REFUSAL, GATEWAY_REFUSAL, REFUSAL_HEADER } from '../sessions/unit-wire.ts';

export class GatewayRefusal extends Error {
  readonly status: number;
  readonly type: string;

  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

/** Statuses below 500 are final: making the same request again would change nothing. */
export function sendRefusal(response: ServerResponse, { status, type, message }: GatewayRefusal): void {
  const body = JSON.stringify({ type: 'error', error: { type, message } });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    [REFUSAL_HEADER]: GATEWAY_REFUSAL, // WIRE-1
    'x-should-retry': status >= 500 ? 'true' : 'false',
    ...(status === 413 ? { connection: 'close' } : {}), // the rest of the body is not read
  });
  response.end(body);
}

/** What is neither the service's fault nor the request's: as the unit endpoint says it for all else that a brain asks. */
export function sendDoorRefusal(
  response: ServerResponse,
  status: number,
  { code, message }: { readonly code: string; readonly message: string },
): void {
  const body = JSON.stringify({ error: { code, message } });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    [REFUSAL_HEADER]: DOOR_REFUSAL, // WIRE-1
  });
  response.end(body);
}
