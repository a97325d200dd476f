/**
 * What is known of calls over the death of hands and servers (kept-calls.ts). `start` is durable before the call is given to hands and
 * `settle` before its result is told, so whatever a crash leaves behind says the truth: nothing, started, or done.
 */
import type { ToolResult } from './wire.ts';

export type Kept =
  | { readonly kind: 'none' }
  | { readonly kind: 'started' }
  | { readonly kind: 'done'; readonly result: ToolResult };

export interface KeptResults {
  /** `started` also for a result that is none: the truth about it is gone. A result without its mark counts for nothing. */
  find(callId: string): Promise<Kept>;
  /** In place of whatever was there. */
  start(callId: string): Promise<void>;
  settle(callId: string, result: ToolResult): Promise<void>;
}
