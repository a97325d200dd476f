/** Reads what a call used from the events of its stream, or from a whole answer. Pure; what it cannot read is passed over. */
import type { SessionId } from '../kernel/id.ts';
import type { CacheTtl } from '../sessions/model-plan.ts';
import { NO_USAGE, type Usage } from '../sessions/session.ts';

export interface KnownUsage {
  /** As the service says it; undefined when it does not. */
  readonly model: string | undefined;
  readonly usage: Usage;
  /** Of its cacheCreationInputTokens, those that are kept for an hour; undefined when the service does not say. */
  readonly cacheCreation1hInputTokens?: number | undefined;
}

/** A call as it was asked for. */
export interface Asked {
  readonly model: string;
  /** How long the conversation is cached: where the service does not say how long it keeps what. */
  readonly cacheTtl: CacheTtl;
  /** When the request was made, ms since the epoch. */
  readonly at: number;
}

/** What one request to the model service used. A call that is made again is metered again. */
export interface Metered {
  readonly sessionId: SessionId;
  readonly callId: string;
  /** Unique per request: the key under which to journal it once. */
  readonly requestKey: string;
  readonly model: string;
  readonly asked: Asked;
  readonly usage: Usage;
  readonly cacheCreation1hInputTokens?: number | undefined;
  /** Nothing is known of what it used, which may have been charged: the counts are 0 because none was said. */
  readonly unmetered?: boolean | undefined;
  /** The service's own id of the request. */
  readonly requestId?: string | undefined;
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

/** Of an event: its name, which some services leave to the `type` in its data. */
export interface UsageEvent {
  readonly event: string | undefined;
  readonly data: string | undefined;
}

export class UsageReader {
  #begun = false;
  #model: string | undefined;
  #usage: Usage = NO_USAGE;
  #anHour: number | undefined;

  /** Usage of an answer that was not streamed; undefined when it is no message. */
  static ofMessage(message: Readonly<Record<string, unknown>> | undefined): KnownUsage | undefined {
    const usage = record(message?.['usage']);
    if (message === undefined || (message['type'] !== 'message' && usage === undefined)) return undefined;
    const known = { model: modelIn(message), usage: merge(NO_USAGE, usage) };
    return withHour(known, keptAnHour(undefined, usage));
  }

  /** Answers true for message_stop. */
  read({ event, data = '' }: UsageEvent): boolean {
    if (event === 'message_stop') return true;
    const isNamed = event?.startsWith('message_') === true;
    const mayBe = isNamed || (event !== 'content_block_delta' && data.includes('message_'));
    if (!mayBe) return false; // most are pieces of text, which need not be parsed
    const said = record(parse(data));
    const type = isNamed ? event : said?.['type'];
    if (type === 'message_stop') return true;
    if (type === 'message_start') {
      const message = record(said?.['message']);
      this.#begun = true;
      this.#model = modelIn(message) ?? this.#model;
      this.#take(message?.['usage']);
    } else if (type === 'message_delta') {
      this.#begun = true;
      this.#take(said?.['usage']); // cumulative, says the service
    }
    return false;
  }

  /** Undefined when the answer had not begun. */
  known(complete: boolean): KnownUsage | undefined {
    if (!this.#begun) return undefined;
    return withHour({ model: this.#model, usage: { ...this.#usage, complete } }, this.#anHour);
  }

  #take(reported: unknown): void {
    this.#usage = merge(this.#usage, reported);
    this.#anHour = keptAnHour(this.#anHour, reported);
  }
}

function modelIn(message: Readonly<Record<string, unknown>> | undefined): string | undefined {
  const model = message?.['model'];
  return typeof model === 'string' && model !== '' ? model.slice(0, MODEL_CHARS_MAX) : undefined;
}

/** Counts grow while an answer is written; one that is less, or missing, says nothing: some services leave out at the end what they said at the start. */
function merge(usage: Usage, reported: unknown): Usage {
  const counts = record(reported);
  const read = (name: keyof typeof COUNTS): number => {
    const value =
      counts?.[COUNTS[name]] ?? (name === 'cacheCreationInputTokens' ? byLifetime(counts) : undefined);
    if (typeof value !== 'number' || !Number.isInteger(value)) return usage[name];
    return Math.min(Math.max(value, usage[name]), USAGE_COUNT_MAX);
  };
  return {
    inputTokens: read('inputTokens'),
    outputTokens: read('outputTokens'),
    cacheCreationInputTokens: read('cacheCreationInputTokens'),
    cacheReadInputTokens: read('cacheReadInputTokens'),
    complete: usage.complete,
  };
}

/** `cache_creation`: the same count, by how long the service keeps what was written. */
function byLifetime(counts: Readonly<Record<string, unknown>> | undefined): number | undefined {
  const parts = record(counts?.['cache_creation']);
  if (parts === undefined) return undefined;
  return Object.values(parts).reduce<number>((sum, part) => sum + (typeof part === 'number' ? part : 0), 0);
}

function withHour(known: KnownUsage, cacheCreation1hInputTokens: number | undefined): KnownUsage {
  return cacheCreation1hInputTokens === undefined ? known : { ...known, cacheCreation1hInputTokens };
}

/** Messages API: usage.cache_creation.ephemeral_1h_input_tokens. Counts grow. */
function keptAnHour(before: number | undefined, reported: unknown): number | undefined {
  const value = record(record(reported)?.['cache_creation'])?.['ephemeral_1h_input_tokens'];
  if (typeof value !== 'number' || !Number.isInteger(value)) return before;
  return Math.min(Math.max(value, before ?? 0), USAGE_COUNT_MAX);
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
