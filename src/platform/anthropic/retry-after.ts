/** How long the service asks to wait before the same request. */
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Undefined where it does not say, and where it says 0: some services always do, and eight attempts at once would be all that
 * comes of it. A wait of hours is given as it is: whoever waits decides.
 */
export function retryAfterMs(headers: IncomingHttpHeaders, now = Date.now()): number | undefined {
  const exact = positive(Number(headers['retry-after-ms'] ?? Number.NaN));
  if (exact !== undefined) return exact;
  const after = headers['retry-after'];
  if (after === undefined) return undefined;
  const seconds = Number(after);
  return positive(Number.isNaN(seconds) ? Date.parse(after) - now : seconds * 1000);
}

function positive(ms: number): number | undefined {
  return Number.isFinite(ms) && ms > 0 ? ms : undefined;
}
