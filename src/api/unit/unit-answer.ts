/** What the unit endpoint answers with: JSON, and refusals that say that they are the door's own (sessions/unit-wire.ts). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Fault } from '../../kernel/fault.ts';
import type { Logger } from '../../kernel/logger.ts';
import { DOOR_REFUSAL, REFUSAL_HEADER } from '../../sessions/unit-wire.ts';
import { statusOf } from '../fault-table.ts';

export function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  more: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    ...more,
  });
  response.end(text);
}

export function refuse(
  logger: Logger,
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
): void {
  const status = error instanceof Fault ? statusOf(error) : 500;
  if (status === 500) logger.error('unit endpoint failed', { url: request.url, error });
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const shown = error instanceof Fault ? error : { code: 'INTERNAL', message: 'The control plane failed.' };
  sendRefusal(response, status, shown);
}

export function sendRefusal(
  response: ServerResponse,
  status: number,
  { code, message }: { readonly code: string; readonly message: string },
): void {
  send(response, status, { error: { code, message } }, { [REFUSAL_HEADER]: DOOR_REFUSAL }); // WIRE-1
}
