/** Events as the unit endpoint sends them, typed. */
import type { Event, RecordedEvent } from '../journal/event.ts';

/** The unit endpoint sends what the journal accepted, with whole bodies; a type of a later version is let through. */
export function parsedEvent(recorded: RecordedEvent): Event {
  const { body, ...rest } = recorded;
  return { ...rest, body: JSON.parse(body) } as Event; // the journal validated it against EVENTS
}
