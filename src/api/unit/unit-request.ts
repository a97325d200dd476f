/** Requests of the unit endpoint, checked: a brain may be mistaken or taken over, so nothing it says is believed. */
import { InvalidInput } from '../../kernel/fault.ts';
import { APPEND_EVENTS_MAX, KEY_CHARS_MAX } from '../../kernel/limit.ts';
import { parseBody } from '../../journal/codec.ts';
import { LEVEL_RANK, type Level, TURN_OUTCOMES } from '../../journal/event-catalog.ts';
import { type EventType, type NewEvent } from '../../journal/event.ts';
import { CALL_ID, type ToolCall } from '../../hands/wire.ts';
import type { TurnId } from '../../kernel/id.ts';
import { parseId } from '../../kernel/id.ts';
import { type Said, SAID_CHARS_MAX } from '../../sessions/turn-events.ts';
import type { UnitAppend, UnitCommand, UnitDelta } from '../../sessions/unit-wire.ts';

/** UNIT-2: the events a brain writes about its turn; the rest belongs to the doors and the supervisor. */
const BRAIN_WRITES: ReadonlySet<string> = new Set<EventType>([
  'model.started',
  'model.retried',
  'model.completed',
  'agent.thinking',
  'agent.message',
  'tool.call',
  'tool.result',
  'conversation.compacted',
  'conversation.repaired',
  'error.model',
]);
/** A tool may run as long as the longest turn. */
const TOOL_TIMEOUT_MS_MAX = 1_800_000;
/** One delta holds what a model writes in some milliseconds. */
const DELTA_CHARS_MAX = 64 * 1024;

export function parseAppend(body: unknown): UnitAppend {
  const { key, command } = record(body, 'body');
  if (typeof key !== 'string' || key.length === 0 || key.length > KEY_CHARS_MAX) {
    throw new InvalidInput('key', `expected 1 to ${KEY_CHARS_MAX} characters.`);
  }
  return { key: `brain/${key}`, command: parseCommand(record(command, 'command')) };
}

/** A place in the log; undefined when none is given. */
export function parseSeq(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  const seq = Number(text);
  if (!Number.isSafeInteger(seq) || seq < 0) throw new InvalidInput(name, 'expected a seq.');
  return seq;
}

export function parseDelta(body: unknown): UnitDelta {
  const { callId, kind, offset, text } = record(body, 'body');
  const id = parseCallId(callId);
  if (kind !== undefined && kind !== 'message' && kind !== 'thinking')
    throw new InvalidInput('kind', 'expected message or thinking.');
  if (typeof offset !== 'number' || !Number.isSafeInteger(offset) || offset < 0) {
    throw new InvalidInput('offset', 'expected a whole number.');
  }
  if (typeof text !== 'string' || text.length > DELTA_CHARS_MAX)
    throw new InvalidInput('text', 'expected a short text.');
  return { callId: id, kind, offset, text };
}

export function parseToolCall(callId: string, body: unknown): ToolCall {
  const { tool, input, timeoutMs, inherited = false } = record(body, 'body');
  if (typeof tool !== 'string' || tool.length > 64)
    throw new InvalidInput('tool', 'expected the name of a tool.');
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0 && timeoutMs <= TOOL_TIMEOUT_MS_MAX)) {
    throw new InvalidInput('timeoutMs', `expected up to ${TOOL_TIMEOUT_MS_MAX} milliseconds.`);
  }
  if (typeof inherited !== 'boolean') throw new InvalidInput('inherited', 'expected true or false.');
  return { callId, tool, input, timeoutMs, inherited };
}

/** Of a model or a tool call: it becomes a key of maps, a part of a path and the name of a file. */
export function parseCallId(value: unknown, field = 'callId'): string {
  if (typeof value !== 'string' || !CALL_ID.test(value))
    throw new InvalidInput(
      field,
      'expected an id: 1 to 128 letters, digits and _ - . that do not begin with a point.',
    );
  return value;
}

function parseCommand(command: Readonly<Record<string, unknown>>): UnitCommand {
  switch (command.kind) {
    case 'beginTurn':
      return { kind: 'beginTurn' };
    case 'record':
      return { kind: 'record', events: parseEvents(command.events) };
    case 'completeTurn': {
      const outcome = TURN_OUTCOMES.find((known) => known === command.outcome);
      if (outcome === undefined)
        throw new InvalidInput('outcome', `expected one of ${TURN_OUTCOMES.join(', ')}.`);
      const { resultEventId } = command;
      return {
        kind: 'completeTurn',
        outcome,
        resultEventId:
          typeof resultEventId === 'string' ? parseId('event', resultEventId, 'resultEventId') : undefined,
        failure: command.failure === undefined ? undefined : parseFailure(command.failure),
        said: command.said === undefined ? undefined : parseSaid(command.said),
      };
    }
    default:
      throw new InvalidInput('command.kind', 'expected beginTurn, record or completeTurn.');
  }
}

function parseEvents(events: unknown): readonly NewEvent[] {
  if (!Array.isArray(events) || events.length === 0 || events.length > APPEND_EVENTS_MAX) {
    throw new InvalidInput('events', `expected 1 to ${APPEND_EVENTS_MAX} events.`);
  }
  return events.map(parseEvent);
}

function parseEvent(value: unknown): NewEvent {
  const { type, body, turnId, level } = record(value, 'event');
  if (typeof type !== 'string' || !BRAIN_WRITES.has(type)) {
    throw new InvalidInput('type', `a brain does not write ${JSON.stringify(type)}.`);
  }
  const ids = record(body, 'body');
  for (const field of ['callId', 'modelCallId'])
    if (ids[field] !== undefined) parseCallId(ids[field], `${type}.${field}`);
  return {
    type,
    actor: { kind: type === 'tool.result' ? 'system' : 'agent' },
    turnId: typeof turnId === 'string' ? parseId('turn', turnId) : undefined,
    level: isLevel(level) ? level : undefined,
    body: parseBody(type as EventType, body),
  } as NewEvent & { turnId: TurnId }; // type and body agree: parseBody checked the body against the type
}

function parseFailure(value: unknown): { code: string; message: string } {
  const { code, message } = record(value, 'failure');
  if (typeof code !== 'string' || typeof message !== 'string') {
    throw new InvalidInput('failure', 'expected code and message.');
  }
  return { code: code.slice(0, 64).toWellFormed(), message: message.slice(0, 2_000).toWellFormed() }; // a cut may go through a character
}

function parseSaid(value: unknown): Said {
  const { callId: given, text } = record(value, 'said');
  const callId = parseCallId(given, 'said.callId');
  if (typeof text !== 'string' || text.length > SAID_CHARS_MAX)
    throw new InvalidInput('said.text', `expected at most ${SAID_CHARS_MAX} characters.`);
  return { callId, text };
}

function isLevel(value: unknown): value is Level {
  return typeof value === 'string' && value in LEVEL_RANK;
}

function record(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new InvalidInput(field, 'expected a JSON object.');
  }
  return value as Readonly<Record<string, unknown>>;
}
