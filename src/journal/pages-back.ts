/** A log from its end on: for what stands among the last events of a log of any length. */
import type { RecordedEvent } from './event.ts';
import { PAGE_EVENTS_MAX } from '../kernel/limit.ts';

/** Events after `after`, up to `to` at most: a page of a journal, which also ends at PAGE_BYTES_MAX. */
export type ReadPage = (after: number, to: number) => Promise<readonly RecordedEvent[]>;

/** Every event from `to` back to `from`, the last one first, in lists of PAGE_EVENTS_MAX at most. */
export async function* pagesBack(
  read: ReadPage,
  { from, to }: { readonly from: number; readonly to: number },
): AsyncGenerator<readonly RecordedEvent[], void> {
  for (let last = to; last >= from; last -= PAGE_EVENTS_MAX)
    yield (await whole(read, Math.max(from - 1, last - PAGE_EVENTS_MAX), last)).toReversed();
}

/** Large events come in pieces: a page that ended at its bytes has not come to `to`. */
async function whole(read: ReadPage, after: number, to: number): Promise<readonly RecordedEvent[]> {
  const events: RecordedEvent[] = [];
  for (let from = after; from < to; ) {
    const more = await read(from, to);
    const last = more.at(-1);
    if (last === undefined) break; // the log is shorter than its head was: nothing that a store does
    events.push(...more);
    from = last.seq;
  }
  return events;
}
