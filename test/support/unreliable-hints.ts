/** Hints as a journal may give them: as sent, never, twice, without or with older events, late and in any order, or all by chance. */
import type { RecordedEvent } from '../../src/journal/event.ts';
import type { Hint } from '../../src/journal/journal.ts';
import type { LiveOptions } from '../../src/journal/live.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import type { SessionJournal } from '../../src/sessions/session-store.ts';
import type { Random } from './random.ts';

export const HINTS = ['on', 'off', 'doubled', 'bare', 'overlapping', 'late', 'by chance'] as const;
export type Hints = (typeof HINTS)[number];

/** Longer than an append takes, so that hints overtake each other. */
const LATE_MS_MAX = 4;

/** What Live needs of a journal, with hints that come as `hints` says. */
export function unreliable(journal: SessionJournal, hints: Hints, random: Random): LiveOptions['journal'] {
  const before = new Map<SessionId, readonly RecordedEvent[]>();
  const deliver: Record<Exclude<Hints, 'by chance'>, (hint: Hint, listener: (hint: Hint) => void) => void> = {
    on: (hint, listener) => listener(hint),
    off: () => undefined,
    doubled: (hint, listener) => {
      listener(hint);
      listener(hint);
    },
    bare: ({ sessionId, head }, listener) => listener({ sessionId, head }),
    overlapping: ({ sessionId, head, events = [] }, listener) => {
      listener({ sessionId, head, events: [...(before.get(sessionId) ?? []), ...events] });
    },
    late: (hint, listener) => void setTimeout(listener, random.below(LATE_MS_MAX), hint),
  };
  return {
    read: (...args) => journal.read(...args),
    head: (id) => journal.head(id),
    onHint: (listener) =>
      journal.onHint((hint) => {
        const how =
          hints === 'by chance'
            ? random.pick(['on', 'off', 'doubled', 'bare', 'overlapping', 'late'] as const)
            : hints;
        deliver[how](hint, listener);
        before.set(hint.sessionId, hint.events ?? []);
      }),
  };
}
