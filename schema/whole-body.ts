/** Whole bodies of events that are being answered: read once, under however many names. */
import type { RecordedEvent } from '../src/journal/event.ts';
import { JsonText } from '../src/kernel/json-text.ts';
import type { Context } from './context.ts';

type BodyContext = Pick<Context, 'budget'> & { readonly journal: Pick<Context['journal'], 'readBody'> };

export class WholeBodies {
  /** Only while they are read: an event may be kept for others long after. */
  readonly #reading = new WeakMap<RecordedEvent, Promise<JsonText | null>>();

  of(event: RecordedEvent, context: BodyContext): Promise<JsonText | null> {
    const known = this.#reading.get(event);
    if (known !== undefined) return known;
    const reading = read(event, context).finally(() => this.#reading.delete(event));
    this.#reading.set(event, reading);
    return reading;
  }
}

async function read(
  { sessionId, seq }: RecordedEvent,
  { journal, budget }: BodyContext,
): Promise<JsonText | null> {
  await budget.largeTurn(sessionId); // TURNS-1
  const text = await journal.readBody(sessionId, seq);
  return text === undefined ? null : new JsonText(text);
}
