/**
 * Says in the session's log that its files are older than it, so that model and user know what is lost. Files are older when a tool has
 * ended since they were saved, and nobody has said so yet, or when one may have run in hands whose server died.
 */
import type { BodyOf, RecordedEvent } from '../journal/event.ts';
import { PAGE_EVENTS_MAX } from '../kernel/limit.ts';
import { type SessionId, turnIdOf } from '../kernel/id.ts';
import { EpochStale } from '../journal/faults.ts';
import { ASK } from '../sessions/session.ts';
import type { SessionJournal } from '../sessions/session-store.ts';
import type { SessionRuns } from '../sessions/session-runs.ts';
import { LOOKED_BACK_EVENTS_MAX } from './limit.ts';
import type { FilesAsOf, LogPlace } from '../hands/workspace-archive.ts';

const REASON_SAVED =
  'The server that had the session ended before it had saved the files, which are now as they were saved before.';
const REASON_NONE =
  'The server that had the session ended before it had saved any files, or they were removed.';

export class WorkspaceLog {
  readonly #ports: { sessions: SessionRuns; journal: SessionJournal; owner: string };

  constructor(ports: { sessions: SessionRuns; journal: SessionJournal; owner: string }) {
    this.#ports = ports;
  }

  /**
   * When it resolves, the log says what was lost, if anything was. `mayHaveRun`: an earlier brain has asked for the call that is about
   * to be made. Rejects as the journal does, and with EpochStale when this server has the session no more.
   */
  async told(sessionId: SessionId, files: FilesAsOf, mayHaveRun: boolean): Promise<void> {
    if (files.kind === 'now') return;
    const { sessions, owner } = this.#ports;
    const { session, head } = await sessions.get(sessionId);
    const { savedAt, place, isCut } = files;
    if (!(isCut && mayHaveRun) && !(await this.#isOlder(sessionId, place, head))) return;
    const { lease, epoch } = session;
    if (lease?.owner !== owner) throw new EpochStale(lease?.epoch ?? 0, epoch);
    const body = {
      ...(savedAt === undefined ? {} : { savedAt }),
      ...(place.turn === 0 ? {} : { turn: place.turn }),
      reason: savedAt === undefined ? REASON_NONE : REASON_SAVED,
    };
    const event = {
      type: 'workspace.reverted',
      actor: { kind: 'system' },
      turnId: session.turn?.id,
      body,
    } as const;
    const key = `reverted/${epoch}`; // hands begin with old files once per epoch, and a lost answer makes it asked again
    await sessions.supervise(sessionId, { kind: 'record', events: [event] }, epoch, key);
  }

  /** What the running turn has asked of the hands so far: nothing, calls that have all ended, or some that have not. */
  async callsOf(sessionId: SessionId): Promise<'none' | 'ended' | 'open'> {
    const { session, head } = await this.#ports.sessions.get(sessionId);
    const { turn } = session;
    if (turn?.state !== 'running') return 'none';
    const open = new Set<string>();
    let calls = 0;
    await this.#read(sessionId, Math.max(turn.inputFromSeq, head - LOOKED_BACK_EVENTS_MAX), head, (event) => {
      if (event.type !== 'tool.call' && event.type !== 'tool.result') return;
      const { callId, tool } = JSON.parse(event.body) as { callId: string; tool: string }; // the catalog's; neither is ever cut
      if (event.type === 'tool.result') open.delete(callId);
      else if (tool !== ASK) open.add(callId);
      calls += tool === ASK ? 0 : 1;
    });
    if (open.size > 0) return 'open';
    return calls > 0 ? 'ended' : 'none';
  }

  /** `place`: of the files. A call that was open then, and whose turn ended with them, has in them what it did, though its result came after. */
  async #isOlder(sessionId: SessionId, { seq, turn }: LogPlace, head: number): Promise<boolean> {
    const from = Math.max(seq, head - LOOKED_BACK_EVENTS_MAX);
    const ended = turnIdOf(sessionId, turn);
    const asked = new Set<string>();
    let isOlder = false;
    await this.#read(sessionId, from, head, (event) => {
      if (event.type === 'workspace.reverted') isOlder = false;
      else if (event.type === 'tool.call') asked.add(callIdOf(event));
      else if (event.type === 'tool.result' && !isOlder) {
        const isIn = from === seq && event.turnId === ended && !asked.has(callIdOf(event));
        isOlder = !isIn && isOfTool(event);
      }
    });
    return isOlder;
  }

  async #read(
    sessionId: SessionId,
    from: number,
    head: number,
    see: (event: RecordedEvent) => void,
  ): Promise<void> {
    for (let after = from; after < head; ) {
      const events = await this.#ports.journal.read(sessionId, { after, limit: PAGE_EVENTS_MAX });
      for (const event of events) see(event);
      after = events.at(-1)?.seq ?? head;
    }
  }
}

/** Whether the result is of a tool that ran in the hands, or may have: a brain that stops waiting knows no duration. */
function isOfTool({ body, spilledBytes }: RecordedEvent): boolean {
  if (spilledBytes !== undefined) return true; // so much output has nothing that did not run
  const { tool, outcome, durationMs, exitCode } = JSON.parse(body) as BodyOf<'tool.result'>; // the catalog's
  return tool !== ASK && (outcome !== 'failed' || durationMs > 0 || exitCode !== undefined);
}

/** Of a call or a result: the catalog's, which is never cut. */
function callIdOf({ body }: RecordedEvent): string {
  return (JSON.parse(body) as { callId: string }).callId;
}
