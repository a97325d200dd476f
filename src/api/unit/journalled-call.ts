/**
 * The tool call that a brain has journalled, for one that it asks to be run: what runs is in the log, as it is run, before it is. Of one that was
 * approved with another input, that is what runs (APPROVAL-4).
 */
import { isDeepStrictEqual } from 'node:util';
import type { ToolCall } from '../../hands/wire.ts';
import type { BodyOf, RecordedEvent } from '../../journal/event.ts';
import { pagesBack, type ReadPage } from '../../journal/pages-back.ts';
import { InvalidInput } from '../../kernel/fault.ts';
import { parseWellFormedJson } from '../../kernel/well-formed.ts';
import { TurnOver } from '../../sessions/faults.ts';
import type { Turn } from '../../sessions/session.ts';
import type { SessionEntry, SessionJournal } from '../../sessions/session-store.ts';

/** How far to look for a call of which the record says nothing: records of before open calls were kept there. More is no call that is open. */
const LOOKBACK_EVENTS_MAX = 1_024;

/** Throws TurnOver, and InvalidInput for a call that is not journalled like that, or has its result (UNIT-4). */
export async function journalledCall(
  journal: SessionJournal,
  { session, head }: SessionEntry,
  asked: ToolCall,
): Promise<ToolCall> {
  const { turn } = session;
  if (turn?.state !== 'running') throw new TurnOver();
  const known = turn.openTools?.find(({ callId }) => callId === asked.callId);
  if (turn.openTools !== undefined && known?.mayRun !== true) throw notOpen();
  const from = earliestOf(turn, head, known !== undefined);
  const read: ReadPage = (after, to) => journal.read(session.id, { after, limit: to - after });
  let changed: unknown;
  for await (const page of pagesBack(read, { from, to: head })) {
    for (const event of page) {
      if (event.turnId !== turn.id || !TYPES.has(event.type)) continue;
      const said = parseWellFormedJson(event.body) as Said; // checked when it was written
      if (said.callId !== asked.callId) continue; // an id is whole in a preview, too
      if (event.type === 'tool.resolved') {
        changed ??= event.spilledBytes === undefined ? inputIn(said) : await inputOf(journal, event);
        continue;
      }
      if (!('input' in said) || 'defect' in said || event.type !== 'tool.call') throw notOpen();
      const passed = event.spilledBytes === undefined ? said.input : await inputOf(journal, event);
      const input = changed ?? passed;
      if (said.tool !== asked.tool || !isDeepStrictEqual(input, asked.input))
        throw new InvalidInput('input', 'expected the tool and the input that are journalled for this call.');
      return asked;
    }
  }
  throw notOpen();
}

type Said = BodyOf<'tool.call'> | BodyOf<'tool.result'> | BodyOf<'tool.resolved'>;
const TYPES: ReadonlySet<string> = new Set(['tool.call', 'tool.result', 'tool.resolved']);

async function inputOf(journal: SessionJournal, { sessionId, seq }: RecordedEvent): Promise<unknown> {
  const body = parseWellFormedJson((await journal.readBody(sessionId, seq)) ?? '{}') as Partial<Said>; // the call's
  return inputIn(body);
}

function inputIn(body: Partial<Said>): unknown {
  return 'input' in body ? body.input : undefined;
}

function earliestOf({ inputFromSeq }: Turn, head: number, isKnown: boolean): number {
  return isKnown ? inputFromSeq : Math.max(inputFromSeq, head - LOOKBACK_EVENTS_MAX + 1);
}

function notOpen(): InvalidInput {
  return new InvalidInput(
    'callId',
    'expected a tool call of this turn that is journalled and has no result.',
  );
}
