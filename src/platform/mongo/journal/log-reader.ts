/**
 * Reading the logs: the older part from the pages, the newest appends from the session's document, which says also how far the
 * log goes. What one answer holds was there before it was asked for (JOURNAL-2).
 */
import { passes } from '../../../journal/event-filter.ts';
import type { RecordedEvent } from '../../../journal/event.ts';
import { SessionNotFound } from '../../../journal/faults.ts';
import type { ReadRange, Scanned, ScanRange } from '../../../journal/journal.ts';
import type { SessionId } from '../../../kernel/id.ts';
import { PAGE_BYTES_MAX, PAGE_EVENTS_MAX, SCAN_EVENTS_MAX } from '../../../kernel/limit.ts';
import type { PageCollection } from './page-collection.ts';
import type { SessionCollection } from './session-collection.ts';
import { loggedOf, recordedEvents, type SessionDocument } from './session-document.ts';

export class LogReader {
  readonly #sessions: SessionCollection;
  readonly #pages: PageCollection;

  constructor(sessions: SessionCollection, pages: PageCollection) {
    this.#sessions = sessions;
    this.#pages = pages;
  }

  async read(sessionId: SessionId, { after, limit }: ReadRange): Promise<readonly RecordedEvent[]> {
    const document = await this.#existing(sessionId);
    const last = Math.min(document.head, after + Math.min(limit, PAGE_EVENTS_MAX));
    if (last <= after) return [];
    const logged = Math.min(last, loggedOf(document));
    const range = { after, last: logged, bytesMax: PAGE_BYTES_MAX };
    const events = logged > after ? [...(await this.#pages.range(sessionId, range))] : [];
    let bytes = events.reduce((sum, { body }) => sum + body.length, 0);
    for (const event of newestOf(document)) {
      if (event.seq !== after + events.length + 1 || event.seq > last) continue;
      bytes += event.body.length;
      if (bytes > PAGE_BYTES_MAX && events.length > 0) break;
      events.push(event);
    }
    return events;
  }

  /** SCAN-1. */
  async scan(sessionId: SessionId, { after, to, limit, filter }: ScanRange): Promise<Scanned> {
    const document = await this.#existing(sessionId);
    const last = Math.min(document.head, to, after + SCAN_EVENTS_MAX);
    const most = Math.min(limit, PAGE_EVENTS_MAX);
    if (last <= after || most <= 0) return { events: [], seq: after };
    const logged = Math.min(last, loggedOf(document));
    const events: RecordedEvent[] = [];
    let bytes = 0;
    /** False when the page has ended before the event. */
    const take = (event: RecordedEvent): boolean => {
      if (event.seq <= after || event.seq > last || !passes(filter, event)) return true;
      bytes += event.body.length;
      if (events.length >= most || (bytes > PAGE_BYTES_MAX && events.length > 0)) return false;
      events.push(event);
      return true;
    };
    const isCut =
      (logged > after && !(await this.#pages.each(sessionId, { after, last: logged, filter }, take))) ||
      !newestOf(document).every((event) => event.seq <= logged || take(event));
    return { events, seq: isCut ? (events.at(-1)?.seq ?? after) : last };
  }

  async readBody(sessionId: SessionId, seq: number): Promise<string | undefined> {
    const document = await this.#sessions.load(sessionId);
    if (document === undefined || seq < 1 || seq > document.head) return undefined;
    const page =
      seq > loggedOf(document)
        ? document.tail.findLast(({ firstSeq }) => firstSeq <= seq)
        : await this.#pages.pageOf(sessionId, seq);
    const event = page?.events[seq - page.firstSeq];
    return event?.whole === undefined ? event?.body : this.#pages.body(event.whole.id);
  }

  async #existing(sessionId: SessionId): Promise<SessionDocument> {
    const document = await this.#sessions.load(sessionId);
    if (document === undefined) throw new SessionNotFound(sessionId);
    return document;
  }
}

function newestOf({ _id, tail }: SessionDocument): RecordedEvent[] {
  return tail.flatMap((page) => recordedEvents(_id, page));
}
