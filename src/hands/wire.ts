/**
 * The whole conversation between the control plane and one hands process: JSON lines over its stdin and stdout.
 *
 * HANDS-1 A call's result is kept by its id, in memory and in the session's results folder. Calling an id again answers the
 *    kept result, joins the running call, or, when the call was started and its hands died, answers `unknown`: it is
 *    never run twice. Hands whose results folder may lack calls that other hands have run (those died together with
 *    their machine) answer `unknown` to an inherited call that they do not know.
 * HANDS-2 Calls run in parallel; results come in any order, one per call sent.
 * HANDS-3 `cancel` ends a running call with the outcome `canceled`; for any other id it does nothing.
 * HANDS-4 When stdin ends, everything that runs is ended and the process exits.
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
  /** An earlier brain has asked for it, so that it may have been started already. */
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

/** A longer line ends the connection: it is not a message of this wire. */
export const LINE_BYTES_MAX = 8 * 1024 * 1024;

/** Call ids become file names, none of them hidden and none a way up. Every door checks it: the hands end at any other. */
export const CALL_ID = /^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$/;
