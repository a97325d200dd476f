/**
 * The whole conversation between the control plane and one hands process: JSON lines over its stdin and stdout.
 *
 * HANDS-1 Whoever calls keeps each call's start and its result by its id (kept-calls.ts). Calling an id again joins the running call, answers
 *    the kept result, or, when the call was started and its hands died, answers `unknown`: it is never run twice. Where calls that other
 *    hands have run may be missing (those died together with their machine), an inherited call that is not known is `unknown` too.
 * HANDS-2 Calls run in parallel; results come in any order, one per call sent.
 * HANDS-3 `cancel` ends a running call with the outcome `canceled`; for any other id it does nothing.
 * HANDS-4 When stdin ends, everything that runs is ended with the outcome `unknown`, since nobody has asked for its end, that is said, and the process exits.
 * HANDS-5 `background` is answered with how many processes run that commands have left behind.
 */

/** How a tool call ended; the same words as the event tool.result has. */
export type ToolOutcome = 'ok' | 'failed' | 'timed_out' | 'canceled' | 'unknown';

export interface ToolCall {
  readonly callId: string;
  readonly tool: string;
  readonly input: unknown;
  /** The call ends with `timed_out` after this long. */
  readonly timeoutMs: number;
  /** It was asked for before, by an earlier brain or of other hands, so that it may have been started already. */
  readonly inherited?: boolean | undefined;
}

export interface ToolResult {
  readonly outcome: ToolOutcome;
  /** What the model is told: at most TOOL_OUTPUT_BYTES_MAX, head and tail kept. */
  readonly output: string;
  readonly exitCode?: number | undefined;
  readonly durationMs: number;
}

export type ToHands =
  | ({ readonly kind: 'call' } & ToolCall)
  | { readonly kind: 'cancel'; readonly callId: string }
  | { readonly kind: 'background' };

export type FromHands =
  | { readonly kind: 'ready' }
  | { readonly kind: 'result'; readonly callId: string; readonly result: ToolResult }
  | { readonly kind: 'background'; readonly count: number };

/** A line to the hands: the input of a call, escaped. A longer line ends the connection: it is not a message of this wire. */
export const WIRE_LINE_BYTES_MAX = 8 * 1024 * 1024;
/** A line from the hands: a result at TOOL_OUTPUT_BYTES_MAX, each byte escaped as six, and its envelope. A longer one ends the hands. */
export const RESULT_LINE_BYTES_MAX = 256 * 1024;

/** Call ids become file names, none of them hidden and none a way up. Every door checks it: the hands end at any other. */
export const CALL_ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
