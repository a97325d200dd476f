/** Which tool calls a brain may have run (UNIT-4). */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { journalledCall } from '../../src/api/unit/journalled-call.ts';
import type { NewEvent } from '../../src/journal/event.ts';
import { must } from '../../src/kernel/assert.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import type { ToolAnswer } from '../../src/sessions/tool-requests.ts';
import type { SessionEntry } from '../../src/sessions/session-store.ts';
import { queuedSession } from '../support/session-log.ts';

const INPUT = { command: 'true', deep: [{ a: 1 }] };
const LARGE = { command: 'x'.repeat(100_000) };

let store: SqliteStore;
let id: SessionId;
beforeEach(async () => {
  store = openSqlite({ path: ':memory:' });
  id = await queuedSession(store);
  await apply({ kind: 'takeLease', owner: 'me' });
});
afterEach(() => store.close());

const apply = (command: Command) =>
  store.journal.append(id, { decide: (session) => decide(session, command) });
const entry = async (): Promise<SessionEntry> => must(await store.sessions.get(id), 'it was made');
const record = async (...events: readonly Pick<NewEvent, 'type' | 'body'>[]) => {
  const turnId = (await entry()).session.turn?.id;
  const whole = events.map((event) => ({ ...event, actor: { kind: 'agent' }, turnId }) as NewEvent); // of a turn that runs
  await apply({ kind: 'record', events: whole });
};
const call = (callId: string, input: object, more: object = {}) => ({
  type: 'tool.call' as const,
  body: { callId, modelCallId: 't1m1', toolUseId: 'u', tool: 'bash', input, ...more },
});
async function codeOf(callId: string, asked: object = {}, of?: SessionEntry): Promise<unknown> {
  const whole = { callId, tool: 'bash', input: INPUT as unknown, timeoutMs: 5, ...asked };
  return journalledCall(store.journal, of ?? (await entry()), whole).then(
    () => 'runs',
    (error: { code: string }) => error.code,
  );
}

it('those that are journalled like that, in the running turn, until they have their result (proves UNIT-4)', async () => {
  expect(await codeOf('t1m1.0')).toBe('TURN_OVER');
  await apply({ kind: 'beginTurn' });
  await record(call('t1m1.0', INPUT), call('t1m1.1', INPUT, { defect: 'none' }), call('t1m1.2', LARGE));

  const refused = [
    ['t1m1.7', {}],
    ['t1m1.1', {}],
    ['t1m1.2', {}],
    ['t1m1.0', { tool: 'write' }],
    ['t1m1.0', { input: { ...INPUT, command: 'false' } }],
    ['t1m1.0', { input: undefined }],
  ] as const;
  for (const [callId, asked] of refused) expect(await codeOf(callId, asked)).toBe('INVALID_INPUT');
  expect([await codeOf('t1m1.0'), await codeOf('t1m1.2', { input: LARGE })]).toEqual(['runs', 'runs']);

  const ended = { callId: 't1m1.0', tool: 'bash', outcome: 'ok', output: '', durationMs: 1 } as const;
  await record({ type: 'tool.result', body: ended });
  expect(await codeOf('t1m1.0')).toBe('INVALID_INPUT');
  await apply({ kind: 'completeTurn', outcome: 'canceled' });
  expect(await codeOf('t1m1.2', { input: LARGE })).toBe('TURN_OVER');
});

it('also one behind much that came after it, and one that a record of before open calls does not tell', async () => {
  await apply({ kind: 'beginTurn' });
  await record(call('t1m1.0', INPUT));
  for (let n = 0; n < 150; n += 1)
    await apply({ kind: 'send', text: `${n}`, mode: 'steer', actor: { kind: 'human' } });

  expect(await codeOf('t1m1.0')).toBe('runs');
  const { session, head } = await entry();
  const turn = { ...must(session.turn, 'it runs'), openTools: undefined };
  const older = { session: { ...session, turn }, head };
  expect([await codeOf('t1m1.0', {}, older), await codeOf('t1m1.1', {}, older)]).toEqual([
    'runs',
    'INVALID_INPUT',
  ]);
});

it('each of many large ones, which fill more than a page of the journal, and one before as many large results', async () => {
  await apply({ kind: 'beginTurn' });
  const input = { command: 'x'.repeat(25_000) };
  const ids = Array.from({ length: 60 }, (_, at) => `t1m1.${at}`);
  await record(...ids.map((callId) => call(callId, input)));

  for (const callId of ids) expect([callId, await codeOf(callId, { input })]).toEqual([callId, 'runs']);

  const output = 'x'.repeat(30_000);
  const ended = { tool: 'bash', outcome: 'ok', output, durationMs: 1 } as const;
  for (const callId of ids.slice(1)) await record({ type: 'tool.result', body: { callId, ...ended } });
  expect(await codeOf('t1m1.0', { input })).toBe('runs');
  expect(await codeOf('t1m1.59', { input })).toBe('INVALID_INPUT');
});

it('without reading the bodies of others', async () => {
  await apply({ kind: 'beginTurn' });
  await record(call('t1m1.0', INPUT), call('t1m1.1', LARGE), call('t1m1.2', LARGE));
  const bodies = vi.spyOn(store.journal, 'readBody');

  expect(await codeOf('t1m1.0')).toBe('runs');
  expect(bodies).not.toHaveBeenCalled();
  expect(await codeOf('t1m1.1', { input: LARGE })).toBe('runs');
  expect(bodies).toHaveBeenCalledTimes(1);
});

it('one that waits for somebody does not run, and what was approved with another input runs with that alone (proves APPROVAL-4)', async () => {
  id = await queuedSession(store, { toolRules: [{ tool: 'bash', action: 'ask' }] });
  await apply({ kind: 'takeLease', owner: 'me' });
  await apply({ kind: 'beginTurn' });
  await record(call('t1m1.0', INPUT), call('t1m1.1', INPUT), call('t1m1.2', INPUT), call('t1m1.3', INPUT));
  expect(await codeOf('t1m1.0')).toBe('INVALID_INPUT');
  const resolve = (callId: string, answer: ToolAnswer) =>
    apply({ kind: 'resolveTool', callId, answer, actor: { kind: 'human' } });

  await resolve('t1m1.0', { kind: 'approve' });
  await resolve('t1m1.1', { kind: 'approve', input: { command: 'false' } });
  await resolve('t1m1.2', { kind: 'approve', input: LARGE });
  await resolve('t1m1.3', { kind: 'deny' });

  expect(await codeOf('t1m1.0')).toBe('runs');
  expect(await codeOf('t1m1.1')).toBe('INVALID_INPUT');
  expect(await codeOf('t1m1.1', { input: { command: 'false' } })).toBe('runs');
  expect(await codeOf('t1m1.2')).toBe('INVALID_INPUT');
  expect(await codeOf('t1m1.2', { input: LARGE })).toBe('runs');
  expect(await codeOf('t1m1.3')).toBe('INVALID_INPUT');
});
