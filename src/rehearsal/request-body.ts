/** Reads the body of a request: at most what the service takes, as JSON. */
import type { IncomingMessage } from 'node:http';
import { GrowableBuffer } from '../kernel/growable-buffer.ts';
import { parseLoosely, type Parsed, parseStrictly } from './strict-json.ts';

/** platform.claude.com, "Errors": the request size limit of the Messages API. */
export const REHEARSAL_REQUEST_BYTES_MAX = 32 * 1024 * 1024;

export type Body = { readonly bytes: number } & (Parsed | { readonly kind: 'too_large' });

/** Also one that is too large is read to its end, and forgotten: a client that is still writing reads no answer. */
export async function readBody(request: IncomingMessage, strict: boolean): Promise<Body> {
  const kept = new GrowableBuffer();
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    // no encoding is set, so these are buffers
    bytes += chunk.length;
    if (bytes <= REHEARSAL_REQUEST_BYTES_MAX) kept.append(chunk);
    else kept.take();
  }
  if (bytes > REHEARSAL_REQUEST_BYTES_MAX) return { kind: 'too_large', bytes };
  const body = kept.take();
  return { bytes, ...(strict ? parseStrictly(body) : parseLoosely(body.toString('utf8'))) };
}
