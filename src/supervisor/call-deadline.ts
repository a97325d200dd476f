/**
 * A call's time, kept outside of the hands too: a command may have frozen or taken over those that keep it (hands/server.ts).
 *
 * CALL-1 A call that has no result CALL_LATE_MS after its own time, or CANCELED_MS_MAX after its cancel, ends its hands with everything in
 *    them. Its outcome is then unknown, and the next call has new hands.
 */
import { LOST } from '../hands/tool-result.ts';
import type { ToolCall, ToolResult } from '../hands/wire.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Hands } from './launcher.ts';
import { CALL_LATE_MS, CANCELED_MS_MAX, HANDS_DYING_MS_MAX, LAST_LOOK_MS } from './limit.ts';

/** Rejects as `hands.call` does; `unknown` when the hands were ended for being late. Cancels the call when `canceled` aborts. */
export async function callInTime(
  { hands, clock }: { readonly hands: Hands; readonly clock: Clock },
  call: ToolCall,
  canceled: AbortSignal,
): Promise<ToolResult> {
  const over = new AbortController();
  const late = Promise.withResolvers<ToolResult>();
  let isLate = false;
  const endAfter = async (ms: number, why: string): Promise<void> => {
    await clock.sleep(ms - LAST_LOOK_MS, over.signal);
    await clock.sleep(LAST_LOOK_MS, over.signal);
    if (over.signal.aborted) return;
    isLate = true;
    hands.kill(why);
    await clock.sleep(HANDS_DYING_MS_MAX, over.signal); // then the kernel holds them; nobody waits for that
    late.resolve(LOST);
  };
  const { callId, timeoutMs } = call;
  const cancel = (): void => {
    hands.cancel(callId);
    void endAfter(CANCELED_MS_MAX, `call ${callId} did not end within ${CANCELED_MS_MAX} ms of its cancel`);
  };
  const result = hands.call(call).catch((error: unknown) => {
    if (isLate) return LOST;
    throw error;
  });
  const lateMs = timeoutMs + CALL_LATE_MS;
  void endAfter(lateMs, `call ${callId} of ${timeoutMs} ms had no result after ${lateMs} ms`);
  canceled.addEventListener('abort', cancel, { once: true });
  try {
    return await Promise.race([result, late.promise]);
  } finally {
    canceled.removeEventListener('abort', cancel);
    over.abort();
  }
}
