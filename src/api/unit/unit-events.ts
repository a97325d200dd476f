/** The log of a brain's session, as lines of JSON: followed for as long as the brain lives, or up to a seq. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RecordedEvent } from '../../journal/event.ts';
import { follow } from '../../journal/follow.ts';
import type { Live } from '../../journal/live.ts';
import type { SessionId } from '../../kernel/id.ts';
import { nextRound } from '../../kernel/scheduler.ts';
import type { SessionJournal } from '../../sessions/session-store.ts';
import type { UnitEvents } from '../../sessions/unit-wire.ts';
import { parseSeq } from './unit-request.ts';

/** Bodies in one line of events; a single body may be larger, up to BODY_BYTES_MAX. */
const LINE_CHARS_MAX = 4 * 1024 * 1024;

export interface UnitEventPorts {
  readonly journal: SessionJournal;
  readonly live: Live;
}

/** JSON lines of UnitEvents: a line per batch, and one for each time the head is reached; up to `to`, where that is given. */
export async function sendEvents(
  ports: UnitEventPorts,
  sessionId: SessionId,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const query = new URL(request.url ?? '', 'http://unit').searchParams;
  const after = parseSeq(query, 'after') ?? 0;
  const to = parseSeq(query, 'to');
  await ports.journal.head(sessionId); // an unknown session is refused before the answer begins
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  if (to !== undefined) return history(ports, response, { sessionId, after, to }, gone.signal);
  for await (const frame of follow(ports, { sessionId, after, deltas: false }, gone.signal)) {
    if (frame.kind === 'caughtUp') await writeLine(response, { events: [], head: frame.seq });
    if (frame.kind !== 'events') continue;
    for await (const part of wholeParts(ports.journal, frame.events)) {
      await writeLine(response, { events: part, head: frame.head });
    }
  }
  response.end();
}

/** As far as the log goes: the reader sees when it was shorter. */
async function history(
  { journal, live }: UnitEventPorts,
  response: ServerResponse,
  { sessionId, after, to }: { readonly sessionId: SessionId; readonly after: number; readonly to: number },
  gone: AbortSignal,
): Promise<void> {
  const head = await journal.head(sessionId);
  for (let read = after; read < Math.min(to, head) && !gone.aborted; ) {
    const events = await journal.read(sessionId, { after: read, limit: to - read });
    for await (const part of wholeParts(journal, events)) await writeLine(response, { events: part, head });
    read = events.at(-1)?.seq ?? head;
    await nextRound(live.scheduler);
  }
  response.end();
}

/** The events with their whole bodies, in parts that fit into a line. */
async function* wholeParts(
  journal: SessionJournal,
  events: readonly RecordedEvent[],
): AsyncGenerator<readonly RecordedEvent[]> {
  let part: RecordedEvent[] = [];
  let chars = 0;
  for (const event of events) {
    const spilled =
      event.spilledBytes === undefined ? undefined : await journal.readBody(event.sessionId, event.seq);
    const body = spilled ?? event.body;
    if (part.length > 0 && chars + body.length > LINE_CHARS_MAX) {
      yield part;
      part = [];
      chars = 0;
    }
    part.push({ ...event, body });
    chars += body.length;
  }
  yield part;
}

async function writeLine(response: ServerResponse, line: UnitEvents): Promise<void> {
  response.write(`${JSON.stringify(line)}\n`);
  if (response.writableNeedDrain) await drained(response);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}
