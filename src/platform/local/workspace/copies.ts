/** Copies here whose sessions may have been forgotten elsewhere: each is looked at, a few at the same time, until that was done once. */
import type { SessionId } from '../../../kernel/id.ts';
import { ConcurrencyLimit } from '../../host/workspace/concurrency-limit.ts';

/** Each is a look-up in the archive, and sessions that run go first. */
const LOOKED_AT_ONCE = 4;

/** Takes off `copies` what `look` has looked at; it never rejects, and answers false when it could not. */
export async function lookThrough(
  copies: Set<SessionId>,
  look: (sessionId: SessionId) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const looking = new ConcurrencyLimit(LOOKED_AT_ONCE);
  for (const sessionId of [...copies]) {
    if (signal.aborted) break;
    await looking.start(async () => {
      if (await look(sessionId)) copies.delete(sessionId);
    });
  }
  await looking.finish();
}
