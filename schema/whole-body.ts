/**
 * Whole bodies of events that are being answered: read once, under however many names.
 *
 * BODYREAD-1 a body that the store does not answer in BODY_READ_MS_MAX is given up UNAVAILABLE: whoever waits for it, and what it holds for
 *    that (a permit of the renderers, bytes of the ledger), is free again.
 */
import type { RecordedEvent } from '../src/journal/event.ts';
import { JsonText } from '../src/kernel/json-text.ts';
import { Outage } from '../src/kernel/outage.ts';
import type { Context } from './context.ts';

/** Once its turn has come: a store that takes longer for four megabytes is not well. */
const BODY_READ_MS_MAX = 30_000;

type BodyContext = Pick<Context, 'budget'> & { readonly journal: Pick<Context['journal'], 'readBody'> };

export class WholeBodies {
  /** Only while they are read: an event may be kept for others long after. */
  readonly #reading = new WeakMap<RecordedEvent, Promise<JsonText | null>>();
  readonly #msMax: number;

  /** `msMax`: for tests. */
  constructor(msMax = BODY_READ_MS_MAX) {
    this.#msMax = msMax;
  }

  of(event: RecordedEvent, context: BodyContext): Promise<JsonText | null> {
    const known = this.#reading.get(event);
    if (known !== undefined) return known;
    const reading = read(event, context, this.#msMax).finally(() => this.#reading.delete(event));
    this.#reading.set(event, reading);
    return reading;
  }
}

async function read(
  { sessionId, seq }: RecordedEvent,
  { journal, budget }: BodyContext,
  msMax: number,
): Promise<JsonText | null> {
  await budget.largeTurn(sessionId); // TURNS-1
  const text = await inTime(journal.readBody(sessionId, seq), msMax);
  return text === undefined ? null : new JsonText(text);
}

/** BODYREAD-1 */
async function inTime<Value>(reading: Promise<Value>, msMax: number): Promise<Value> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = 'The store did not answer with a whole body in time. Try again.';
    late.reject(new Outage('BODY_READ_TIMEOUT', message));
  }, msMax);
  try {
    return await Promise.race([reading, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
