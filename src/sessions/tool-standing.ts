/** What has become of a tool call that somebody outside was asked about, for who answers it too late or again. */
import { InvalidInput } from '../kernel/fault.ts';
import { eventIdOf, type Organisation, type SessionId, turnIdOf } from '../kernel/id.ts';
import type { BodyOf, RecordedEvent } from '../journal/event.ts';
import type { ToolResolution } from '../journal/tool-request-events.ts';
import { turnNumberOf } from './call-turn.ts';
import type { Session } from './session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from './session-store.ts';

export interface ToolAnswered extends SessionEntry {
  readonly callId: string;
  /** False: the call had moved on, and nothing was done. */
  readonly applied: boolean;
  /** What stands; undefined: the call never waited for anybody, or its turn is still to run it. */
  readonly resolution: ToolResolution | undefined;
  /** Of the tool.resolved that says so. */
  readonly eventId: string | undefined;
  readonly replayed: boolean;
}

export interface ToolAnswerPorts {
  readonly organisation: Pick<Organisation, 'id'>;
  readonly journal: SessionJournal;
  readonly sessions: SessionStore;
}

/** Looks through the log for what became of a call: each at SCAN_EVENTS_MAX events, together more than the longest turn has. */
const LOOKS_MAX = 32;
const LOOK_EVENTS = 100;
const TYPES = ['tool.call', 'tool.resolved'] as const;

/** What has become of a call that does not wait (any more). Throws InvalidInput when the session has no such call. */
export async function standing(
  ports: ToolAnswerPorts,
  entry: SessionEntry,
  callId: string,
): Promise<ToolAnswered> {
  const { session } = entry;
  let isKnown = false;
  let eventId: string | undefined;
  let resolution: ToolResolution | undefined;
  for await (const { type, seq, body } of eventsOfTurn(ports, session, turnNumberOf(callId))) {
    const said = JSON.parse(body) as BodyOf<(typeof TYPES)[number]>; // checked when it was written; ids are whole in a preview, too
    if (said.callId !== callId) continue;
    isKnown = true;
    if (type === 'tool.resolved' && 'resolution' in said) {
      eventId = eventIdOf(session.id, seq);
      ({ resolution } = said); // an approval may come before
    }
  }
  if (!isKnown) throw new InvalidInput('callId', 'expected a tool call of this session.');
  return { ...entry, callId, applied: false, resolution, eventId, replayed: false };
}

async function* eventsOfTurn(
  { journal, sessions, organisation }: ToolAnswerPorts,
  { id, turnCount }: Session,
  number: number,
): AsyncGenerator<RecordedEvent, void> {
  if (!(number <= turnCount)) return;
  const turnId = turnIdOf(id, number);
  const turn = await sessions.turn(id, turnId, organisation.id);
  if (turn === undefined) return;
  const head = await journal.head(id);
  let after = turn.inputFromSeq;
  for (let look = 0; look < LOOKS_MAX && after < head; look += 1) {
    const range = { after, to: head, limit: LOOK_EVENTS, filter: { types: TYPES, turnId } };
    const { events, seq } = await journal.scan(id, range);
    yield* events;
    if (seq === after) return;
    after = seq;
  }
}

/** Of an event of this type; as: it was checked when it was written. */
export async function bodyOf<T extends 'tool.requested' | 'tool.resolved' | 'tool.result'>(
  journal: SessionJournal,
  sessionId: SessionId,
  seq: number,
): Promise<BodyOf<T>> {
  return JSON.parse((await journal.readBody(sessionId, seq)) ?? '{}') as BodyOf<T>;
}
