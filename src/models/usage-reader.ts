/** Reads what a call used from the frames of its stream, or from a whole answer. Pure; a frame it cannot read is passed over. */
import type { SessionId } from '../kernel/id.ts';
import { NO_USAGE, type Usage } from '../sessions/session.ts';

export interface KnownUsage {
  readonly model: string;
  readonly usage: Usage;
}

/** What one request to the model service used. A call that is made again is metered again. */
export interface Metered {
  readonly sessionId: SessionId;
  readonly callId: string;
  /** Unique per request: the key under which to journal it once. */
  readonly requestKey: string;
  readonly model: string;
  readonly usage: Usage;
}

/** The service's names. */
const COUNTS = {
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  cacheCreationInputTokens: 'cache_creation_input_tokens',
  cacheReadInputTokens: 'cache_read_input_tokens',
} as const;

/** A count in one answer: far above any context, and a million sums of it are exact numbers. */
export const USAGE_COUNT_MAX = 1_000_000_000;
/** The name of a model, as the service says it. */
const MODEL_CHARS_MAX = 200;

export class UsageReader {
  #model: string | undefined;
  #usage: Usage = NO_USAGE;

  /** Usage of an answer that was not streamed. */
  static ofMessage(text: string): KnownUsage | undefined {
    const message = record(parse(text));
    if (typeof message?.['model'] !== 'string') return undefined;
    return { model: message['model'].slice(0, MODEL_CHARS_MAX), usage: merge(NO_USAGE, message['usage']) };
  }

  /** Answers true for message_stop. */
  read(frame: string): boolean {
    const event = /^event: ?(message_start|message_delta|message_stop)\r?$/m.exec(frame)?.[1];
    if (event === undefined) return false;
    if (event === 'message_stop') return true;
    const data = record(parse(/^data: ?(.*)$/m.exec(frame)?.[1] ?? ''));
    if (event === 'message_start') {
      const message = record(data?.['message']);
      if (typeof message?.['model'] === 'string') this.#model = message['model'].slice(0, MODEL_CHARS_MAX);
      this.#usage = merge(this.#usage, message?.['usage']);
    } else {
      this.#usage = merge(this.#usage, data?.['usage']); // cumulative, says the service
    }
    return false;
  }

  /** Undefined when the stream had not begun. */
  known(complete: boolean): KnownUsage | undefined {
    if (this.#model === undefined) return undefined;
    return { model: this.#model, usage: { ...this.#usage, complete } };
  }
}

function merge(usage: Usage, reported: unknown): Usage {
  const counts = record(reported);
  const read = (name: keyof typeof COUNTS): number => {
    const value = counts?.[COUNTS[name]];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) return usage[name];
    return Math.min(value, USAGE_COUNT_MAX);
  };
  return {
    inputTokens: read('inputTokens'),
    outputTokens: read('outputTokens'),
    cacheCreationInputTokens: read('cacheCreationInputTokens'),
    cacheReadInputTokens: read('cacheReadInputTokens'),
    complete: usage.complete,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)
    : undefined; // just checked
}
