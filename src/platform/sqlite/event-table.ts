/** The rows of the log: how an event lies in the table, and the statements that write and read it. */
import type { StatementSync } from 'node:sqlite';
import type { Level } from '../../journal/event-catalog.ts';
import { levelsOf } from '../../journal/event-filter.ts';
import type { Actor, RecordedEvent } from '../../journal/event.ts';
import type { Scanned, ScanRange } from '../../journal/journal.ts';
import type { SessionId, TurnId } from '../../kernel/id.ts';
import { PAGE_BYTES_MAX, PAGE_EVENTS_MAX, SCAN_EVENTS_MAX } from '../../kernel/limit.ts';
import { type Database, type Row, rowOf, rowsOf } from './database.ts';

/** Distinct actors kept parsed: most events of a page have one of very few. */
const ACTORS_MAX = 1_000;

/** The end of a session's log. */
export interface LogEnd {
  readonly seq: number;
  readonly at: number;
  readonly type: string;
  /** Bytes of all bodies up to here, spilled ones whole (JOURNAL-6). */
  readonly bytes: number;
}

/** What a row has beside the event itself. */
export interface RowExtras {
  readonly bytes: number;
  /** On the first event of a keyed append (JOURNAL-5). */
  readonly appendKey: string | undefined;
  readonly appendCount: number | undefined;
  /** The whole body, when `event.body` is a preview. */
  readonly whole: string | undefined;
}

const EVENT_COLUMNS = 'seq, at, type, level, turn, actor, body, spilled_bytes';

export class EventTable {
  readonly #insert: StatementSync;
  /** Of most events: without a key and whole. Binding three values that are null is a tenth of the insert. */
  readonly #insertPlain: StatementSync;
  readonly #insertBody: StatementSync;
  readonly #range: StatementSync;
  readonly #scan: StatementSync;
  readonly #end: StatementSync;
  readonly #body: StatementSync;
  readonly #wholeBody: StatementSync;
  readonly #actors = new Map<string, Actor>();

  constructor(database: Database) {
    this.#insert = database.prepare(
      `INSERT INTO event (session, seq, at, type, level, turn, actor, body, bytes_total, append_key, append_count, spilled_bytes)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertPlain = database.prepare(
      `INSERT INTO event (session, seq, at, type, level, turn, actor, body, bytes_total)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#insertBody = database.prepare('INSERT INTO event_body (session, seq, body) VALUES (?, ?, ?)');
    this.#range = database.prepare(
      `SELECT ${EVENT_COLUMNS} FROM event WHERE session = ? AND seq > ? AND seq <= ? ORDER BY seq`,
    );
    // what does not pass is passed over by its columns, which lie before the body
    this.#scan = database.prepare(
      `SELECT ${EVENT_COLUMNS} FROM event WHERE session = ?1 AND seq > ?2 AND seq <= ?3
         AND (?4 IS NULL OR type IN (SELECT value FROM json_each(?4)))
         AND (?5 IS NULL OR level IN (SELECT value FROM json_each(?5)))
         AND (?6 IS NULL OR turn = ?6)
         AND (?7 IS NULL OR type NOT IN (SELECT value FROM json_each(?7)))
       ORDER BY seq LIMIT ?8`,
    );
    this.#end = database.prepare(
      'SELECT seq, at, type, bytes_total FROM event WHERE session = ? ORDER BY seq DESC LIMIT 1',
    );
    this.#body = database.prepare('SELECT body, spilled_bytes FROM event WHERE session = ? AND seq = ?');
    this.#wholeBody = database.prepare('SELECT body FROM event_body WHERE session = ? AND seq = ?');
  }

  /** Answers the number of the row. */
  insert(session: number, event: RecordedEvent, extras: RowExtras): number {
    const { seq, at, type, level, turnId, actor, body, spilledBytes } = event;
    const { bytes, appendKey, appendCount, whole } = extras;
    const actorText = textOf(actor);
    if (appendKey === undefined && spilledBytes === undefined) {
      return Number(
        this.#insertPlain.run(session, seq, at, type, level, turnId ?? null, actorText, body, bytes)
          .lastInsertRowid,
      );
    }
    const { lastInsertRowid } = this.#insert.run(
      session,
      seq,
      at,
      type,
      level,
      turnId ?? null,
      actorText,
      body,
      bytes,
      appendKey ?? null,
      appendCount ?? null,
      spilledBytes ?? null,
    );
    if (whole !== undefined) this.#insertBody.run(session, seq, whole);
    return Number(lastInsertRowid);
  }

  /** Events with after < seq <= last: both ends are bounded, so the index is walked no further than asked. */
  range(
    session: number,
    sessionId: SessionId,
    after: number,
    last: number,
    bytesMax: number,
  ): readonly RecordedEvent[] {
    return this.#pageOf(sessionId, rowsOf(this.#range, session, after, last), bytesMax);
  }

  /** SCAN-1. */
  scan(session: number, sessionId: SessionId, { after, to, limit, filter }: ScanRange): Scanned {
    const last = Math.min(to, after + SCAN_EVENTS_MAX);
    const most = Math.min(limit, PAGE_EVENTS_MAX);
    if (last <= after || most <= 0) return { events: [], seq: after };
    const levels = levelsOf(filter.level);
    const rows = rowsOf(
      this.#scan,
      session,
      after,
      last,
      filter.types ? JSON.stringify(filter.types) : null,
      levels === undefined ? null : JSON.stringify(levels),
      filter.turnId ?? null,
      filter.without ? JSON.stringify(filter.without) : null,
      most,
    );
    const events = this.#pageOf(sessionId, rows, PAGE_BYTES_MAX);
    const isCut = rows.length === most || events.length < rows.length;
    return { events, seq: isCut ? (events.at(-1)?.seq ?? after) : last };
  }

  /** At least one, however large. */
  #pageOf(sessionId: SessionId, rows: Iterable<Row>, bytesMax: number): readonly RecordedEvent[] {
    const events: RecordedEvent[] = [];
    let bytes = 0;
    for (const row of rows) {
      const event = this.#eventOf(sessionId, row);
      bytes += event.body.length;
      if (bytes > bytesMax && events.length > 0) break;
      events.push(event);
    }
    return events;
  }

  end(session: number): LogEnd | undefined {
    const row = rowOf(this.#end, session);
    if (row === undefined) return undefined;
    const [seq, at, type, bytes] = row as readonly [number, number, string, number]; // columns of #end
    return { seq, at, type, bytes };
  }

  body(session: number, seq: number): string | undefined {
    const row = rowOf(this.#body, session, seq);
    if (row === undefined) return undefined;
    const [body, spilledBytes] = row as readonly [string, number | null]; // columns of #body
    if (spilledBytes === null) return body;
    return rowOf(this.#wholeBody, session, seq)?.[0] as string; // written in the same transaction as its event
  }

  #eventOf(sessionId: SessionId, row: Row): RecordedEvent {
    // EVENT_COLUMNS, as written by insert().
    const [seq, at, type, level, turn, actor, body, spilledBytes] = row as readonly [
      number,
      number,
      string,
      Level,
      TurnId | null,
      string,
      string,
      number | null,
    ];
    return {
      sessionId,
      seq,
      at,
      type,
      level,
      actor: this.#actorOf(actor),
      turnId: turn ?? undefined,
      body,
      spilledBytes: spilledBytes ?? undefined,
    };
  }

  #actorOf(text: string): Actor {
    const known = this.#actors.get(text);
    if (known !== undefined) return known;
    const actor: Actor = JSON.parse(text);
    if (this.#actors.size >= ACTORS_MAX) this.#actors.clear();
    this.#actors.set(text, actor);
    return actor;
  }
}

/** Most actors are nobody in particular, and printing them anew costs more than the rest of the row's values. */
const PLAIN_ACTORS = {
  human: '{"kind":"human"}',
  agent: '{"kind":"agent"}',
  system: '{"kind":"system"}',
} as const satisfies Record<Actor['kind'], string>;

function textOf(actor: Actor): string {
  const isPlain = actor.id === undefined && actor.display === undefined;
  return isPlain ? PLAIN_ACTORS[actor.kind] : JSON.stringify(actor);
}
