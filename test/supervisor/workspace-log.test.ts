/** Whether the log is told that files are older than it is: what tools did since, and nobody has said yet. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ToolOutcome } from '../../src/journal/event-catalog.ts';
import { EpochStale } from '../../src/journal/faults.ts';
import type { FilesAsOf } from '../../src/hands/workspace-archive.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { openSqlite, type SqliteStore } from '../../src/platform/sqlite/store.ts';
import { type Command, decide } from '../../src/sessions/lifecycle.ts';
import { SessionRuns } from '../../src/sessions/session-runs.ts';
import { WorkspaceLog } from '../../src/supervisor/workspace-log.ts';
import { queuedSession } from '../support/session-log.ts';

let store: SqliteStore;
let sessions: SessionRuns;
beforeEach(() => {
  store = openSqlite({ path: ':memory:' });
  sessions = new SessionRuns({ journal: store.journal, sessions: store.sessions });
});
afterEach(() => store.close());

describe('the log of a workspace', () => {
  const act = (id: SessionId, command: Command) =>
    store.journal.append(id, { decide: (session) => decide(session, command) });
  /** A session whose turn runs here. */
  const begun = async (): Promise<SessionId> => {
    const id = await queuedSession(store);
    await act(id, { kind: 'takeLease', owner: 'me' });
    await act(id, { kind: 'beginTurn' });
    return id;
  };
  const ran = async (
    id: SessionId,
    tool: string,
    outcome: ToolOutcome,
    durationMs: number,
    callId = `c${Math.random()}`,
  ): Promise<void> => {
    const body = { callId, tool, outcome, output: '', durationMs };
    await store.journal.append(id, {
      decide: (session) => {
        const event = {
          type: 'tool.result',
          actor: { kind: 'system' },
          turnId: session.turn?.id,
          body,
        } as const;
        return decide(session, { kind: 'record', events: [event] });
      },
    });
  };
  const called = async (id: SessionId, callId: string): Promise<void> => {
    const body = { callId, modelCallId: 't1m1', toolUseId: 'u', tool: 'bash', input: {} };
    await store.journal.append(id, {
      decide: (session) => {
        const of = { type: 'tool.call', actor: { kind: 'agent' }, turnId: session.turn?.id } as const;
        return decide(session, { kind: 'record', events: [{ ...of, body }] });
      },
    });
  };
  const reverted = async (id: SessionId): Promise<readonly unknown[]> => {
    const events = await store.journal.read(id, { after: 0, limit: 100 });
    return events.filter(({ type }) => type === 'workspace.reverted').map(({ body }) => JSON.parse(body));
  };

  it('says in the log when files are older than what tools did, once', async () => {
    const id = await begun();
    const place = { seq: await store.journal.head(id), turn: 0 };
    const log = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'me' });
    const files: FilesAsOf = { kind: 'checkpoint', savedAt: 1_000, place, isCut: false };
    await ran(id, 'bash', 'failed', 0);
    await ran(id, 'ask', 'ok', 0);
    await log.told(id, files, false);
    expect(await reverted(id)).toEqual([]); // nothing of that has run
    expect(await log.callsOf(id)).toBe('ended');
    await ran(id, 'bash', 'ok', 0);
    await log.told(id, { kind: 'now' }, true);
    expect(await reverted(id)).toEqual([]);
    await log.told(id, files, false);
    await log.told(id, files, false);
    expect(await reverted(id)).toEqual([{ savedAt: 1_000, reason: expect.any(String) }]);

    await log.told(id, files, true);
    expect(await reverted(id)).toHaveLength(1); // its result would be known
    const other = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'other' });
    await expect(other.told(id, { ...files, isCut: true }, true)).rejects.toBeInstanceOf(EpochStale);
  });

  it('says nothing of calls whose results came with the end of the turn that the files are of, after these', async () => {
    const id = await begun();
    await called(id, 't1m1.0');
    const place = { seq: await store.journal.head(id), turn: 1 };
    const end = { kind: 'completeTurn', outcome: 'deadline_exceeded' } as const;
    await store.journal.append(id, { decide: (session) => decide(session, end) });
    const log = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'me' });
    const files: FilesAsOf = { kind: 'checkpoint', place, isCut: false };
    await log.told(id, files, false);
    expect(await reverted(id)).toEqual([]);

    const say = { kind: 'send', text: 'more', mode: 'steer', actor: { kind: 'human' } } as const;
    await store.journal.append(id, { decide: (session) => decide(session, say) });
    await act(id, { kind: 'beginTurn' });
    await called(id, 't2m1.0');
    await ran(id, 'bash', 'ok', 1, 't2m1.0');
    await log.told(id, files, false);
    expect(await reverted(id)).toHaveLength(1);
  });

  it('says so of a call that was made after the files were kept for the end of a turn that went on', async () => {
    const id = await begun();
    const place = { seq: await store.journal.head(id), turn: 1 };
    await called(id, 't1m1.0');
    await ran(id, 'bash', 'ok', 1, 't1m1.0');
    const log = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'me' });
    await log.told(id, { kind: 'checkpoint', place, isCut: false }, false);

    expect(await reverted(id)).toHaveLength(1);
  });

  it.each(['unknown', 'canceled'] as const)('says so of a call that may have run: %s', async (outcome) => {
    const id = await begun();
    const place = { seq: await store.journal.head(id), turn: 2 };
    const log = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'me' });
    await ran(id, 'bash', outcome, 0); // by the brain, which has waited for no result
    await log.told(id, { kind: 'checkpoint', place, isCut: false }, false);

    expect(await reverted(id)).toEqual([{ turn: 2, reason: expect.stringContaining('any files') }]);
  });

  it('says it once when the answer to the append was lost', async () => {
    const id = await begun();
    const log = new WorkspaceLog({ sessions: sessions, journal: store.journal, owner: 'me' });
    const files: FilesAsOf = { kind: 'checkpoint', place: { seq: 9_000, turn: 2 }, isCut: true };
    await log.told(id, files, true);
    await log.told(id, files, true);

    expect(await reverted(id)).toHaveLength(1);
  });
});
