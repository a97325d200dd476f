/**
 * What the hands remember over their own death (wire.ts HANDS-1). `start` is durable before the tool runs and `settle` before
 * its result is told, so whatever a crash leaves behind says the truth: nothing, started, or done.
 */
import type { ToolResult } from './wire.ts';

export type Kept =
  | { readonly kind: 'none' }
  | { readonly kind: 'started' }
  | { readonly kind: 'done'; readonly result: ToolResult };

export interface KeptResults {
  /** `started` also for what is there and is no result: the truth about it is gone. */
  find(callId: string): Promise<Kept>;
  start(callId: string): Promise<void>;
  settle(callId: string, result: ToolResult): Promise<void>;
}
