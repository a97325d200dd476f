/** Logs of whole turns, put into a database while no server has it: as a session would have them after years. */
import type { NewEvent } from '../../src/journal/event.ts';
import { type SessionId, turnIdOf } from '../../src/kernel/id.ts';
import { openSqlite } from '../../src/platform/sqlite/store.ts';

/** In one append: below what it may have. */
const APPEND_TURNS = 20;
const COMPACTION_TURNS = 200;
const OUTPUT = 'All checks have passed, and nothing else is to be said about it.\n'.repeat(3);

/** Appends turns to an idle session until its log has about `length` events; answers its head. */
export async function growLog(path: string, sessionId: SessionId, length: number): Promise<number> {
  const store = openSqlite({ path });
  try {
    const entry = await store.sessions.get(sessionId);
    let head = entry?.head ?? 0;
    let number = entry?.session.turnCount ?? 0;
    while (head < length) {
      const events: NewEvent[] = [];
      for (let turn = 0; turn < APPEND_TURNS; turn += 1) {
        number += 1;
        events.push(...turnEvents(sessionId, number, head + events.length + 1));
      }
      const appended = await store.journal.append(sessionId, { decide: () => ({ kind: 'append', events }) });
      head = appended.lastSeq;
    }
    return head;
  } finally {
    store.close();
  }
}

/** Turn `number`, whose message has the seq `said`: a command and an answer, and now and then a compaction before them. */
function turnEvents(sessionId: SessionId, number: number, said: number): readonly NewEvent[] {
  const of = { actor: { kind: 'system' }, turnId: turnIdOf(sessionId, number) } as const;
  const condensing = `t${number}c1`;
  const compaction: readonly NewEvent[] =
    number % COMPACTION_TURNS === 0
      ? [
          { ...of, type: 'model.started', body: { callId: condensing, inputToSeq: 0 } },
          {
            ...of,
            type: 'conversation.compacted',
            body: { callId: condensing, summary: `So far ${number} turns were done.`, throughSeq: said - 1 },
          },
          { ...of, type: 'model.completed', body: { callId: condensing, stopReason: 'end_turn' } },
        ]
      : [];
  const [work, answer] = [2, 3].map((call) => `t${number}m${call}`);
  const callId = `${work}.0`;
  const [modelCallId = '', answerId = ''] = [work, answer];
  const input = { command: 'make check 2>&1 | tail -20' };
  const result = {
    callId,
    tool: 'bash',
    outcome: 'ok',
    output: OUTPUT,
    exitCode: 0,
    durationMs: 12,
  } as const;
  return [
    {
      ...of,
      actor: { kind: 'human' },
      type: 'user.message',
      body: { text: `step ${number}`, mode: 'steer' },
    },
    { ...of, type: 'turn.started', body: { number, inputFromSeq: said, inputToSeq: said } },
    ...compaction,
    { ...of, type: 'model.started', body: { callId: modelCallId, inputToSeq: said } },
    {
      ...of,
      type: 'tool.call',
      body: { callId, modelCallId, toolUseId: `toolu_${number}`, tool: 'bash', input },
    },
    { ...of, type: 'model.completed', body: { callId: modelCallId, stopReason: 'tool_use' } },
    { ...of, type: 'tool.result', body: result },
    { ...of, type: 'model.started', body: { callId: answerId, inputToSeq: said } },
    { ...of, type: 'agent.message', body: { callId: answerId, text: `Step ${number} is done.` } },
    { ...of, type: 'model.completed', body: { callId: answerId, stopReason: 'end_turn' } },
    { ...of, type: 'turn.completed', body: { number, outcome: 'completed' } },
  ];
}
