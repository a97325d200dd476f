/**
 * The fold: session x event -> session. Pure and total: it judges nothing (sessions/lifecycle.ts did, before the append)
 * and ignores events it has no rule for. It answers the same object when the record does not change, so that a store
 * writes the record only when there is something to write.
 */
import type { Event, EventType } from '../journal/event.ts';
import { addUsage, usageOf } from './cost.ts';
import { ASK, NO_USAGE, type OpenTool, type Session, type SessionStatus, type Turn } from './session.ts';
import { claimed, released } from './claims.ts';
import { isParked } from './tool-requests.ts';
import type { ToolRule } from './tool-rule.ts';
import { withWaits } from './waits.ts';

type Typed<T extends EventType> = Extract<Event, { type: T }>;
/** What the fold needs of an event: an adapter has no more at hand before the write. */
export type FoldEvent = {
  readonly [T in EventType]: Pick<Typed<T>, 'type' | 'body' | 'seq' | 'at' | 'turnId'>;
}[EventType];

export function fold(session: Session, event: FoldEvent): Session {
  return withWaits(session, parked(session, event), event.seq); // WAIT-1
}

function parked(session: Session, event: FoldEvent): Session {
  const after = folded(session, event);
  if (after === session || after.turn?.state !== 'running' || after.status === 'archived') return after;
  return moved(after, isParked(after.turn) ? 'awaiting_input' : 'running', event.at); // PARK-3
}

// oxlint-disable-next-line max-lines-per-function -- one case per event type: the switch is the table
function folded(session: Session, event: FoldEvent): Session {
  switch (event.type) {
    case 'user.message':
      return messaged(session, event);
    case 'turn.started':
      return {
        ...moved(session, 'running', event.at),
        pending: undefined,
        failure: undefined,
        retry: undefined,
        turnCount: event.body.number,
        turn: started(event),
      };
    case 'turn.cancel_requested':
      return stopped(session, 'canceled');
    case 'turn.completed':
      return completed(session, event);
    case 'model.started':
      return {
        ...withTurn(session, {
          consumedToSeq: event.body.inputToSeq,
          modelCalls: (session.turn?.modelCalls ?? 0) + 1,
          openCallId: event.body.callId,
        }),
        retry: undefined,
      };
    case 'model.retried': {
      const { attempt, attemptMax, waitMs, code } = event.body;
      return { ...session, retry: { attempt, attemptMax, at: event.at + waitMs, code } };
    }
    case 'model.usage': {
      const used = usageOf(event.body);
      const usage = addUsage(session.usage, used);
      if (isLateUsage(session, event)) return { ...session, usage };
      return {
        ...withTurn(session, { usage: addUsage(session.turn?.usage ?? NO_USAGE, used) }),
        usage,
      };
    }
    case 'model.completed':
      return progressed(
        session.turn?.openCallId === event.body.callId
          ? withTurn(session, { openCallId: undefined })
          : session,
      );
    case 'tool.call':
      return called(session, event);
    case 'tool.result':
      return progressed(answered(session, event.body.callId));
    case 'tool.requested': {
      const { callId, kind, timeoutSeconds } = event.body;
      const expires = timeoutSeconds === undefined ? {} : { expiresAt: event.at + timeoutSeconds * 1000 };
      const request = { kind, seq: event.seq, since: event.at, ...expires };
      return withTool(session, callId, { request, mayRun: false });
    }
    case 'tool.resolved':
      return resolved(session, event);
    case 'request.claimed':
      return claimed(session, event.body, event.at);
    case 'request.released':
      return released(session, event.body);
    case 'error.model':
    case 'error.runtime': // no call is made again: what was said is in the log by now
      return {
        ...withTurn(session, { openCallId: undefined }),
        failure: { code: event.body.code, message: event.body.message },
      };
    case 'brain.started': {
      const { epoch, owner } = event.body;
      return {
        ...session,
        epoch,
        hibernated: false,
        retryAt: undefined,
        lease: { owner, epoch, since: event.at },
      };
    }
    case 'brain.lost': // the lease stays: hands and files are where they were, and the next brain begins there
      return {
        ...session,
        losses: event.body.attempt,
        retryAt: event.at + event.body.retryInMs,
      };
    case 'session.hibernated':
      return hibernated(session);
    case 'session.limits_changed': {
      const { given: _asked, ...limits } = event.body;
      return { ...session, newLimits: limits };
    }
    case 'session.archived':
      return closed(session, event.at);
    case 'log.limit_reached':
      return closed(cutOff(session, event.at), event.at);
    case 'agent.thinking':
    case 'agent.message':
    case 'conversation.compacted':
    case 'conversation.repaired':
    case 'workspace.reverted':
    case 'turn.cancel_ignored':
    case 'budget.threshold_reached':
      return session;
  }
}

/** In the middle of a turn, where its server had no room for it, the losses of the turn still count. */
function hibernated(session: Session): Session {
  const isAtRest = session.status !== 'queued' && session.status !== 'running';
  const asNew = isAtRest ? { losses: 0, retryAt: undefined } : {};
  return { ...session, lease: undefined, hibernated: true, ...asNew };
}

/** The brain works. */
function progressed(session: Session): Session {
  return session.losses === 0 && session.retry === undefined
    ? session
    : { ...session, losses: 0, retryAt: undefined, retry: undefined };
}

function called(session: Session, { body }: Extract<FoldEvent, { type: 'tool.call' }>): Session {
  const { callId, tool, defect } = body;
  const open = { callId, tool, mayRun: tool !== ASK && defect === undefined };
  return withTurn(session, { openTools: [...(session.turn?.openTools ?? []), open] });
}

/** An approved one is as any other from then on. */
function resolved(session: Session, { body }: Extract<FoldEvent, { type: 'tool.resolved' }>): Session {
  const after = withTool(session, body.callId, {
    request: undefined,
    mayRun: body.resolution === 'approved',
  });
  if (body.rule === undefined) return after;
  return { ...after, addedRules: [body.rule as ToolRule, ...(after.addedRules ?? [])] }; // as: resolveTool wrote it
}

function withTool(session: Session, callId: string, change: Partial<OpenTool>): Session {
  const open = session.turn?.openTools;
  if (open === undefined) return session;
  return withTurn(session, {
    openTools: open.map((call) => (call.callId === callId ? { ...call, ...change } : call)),
  });
}

function answered(session: Session, callId: string): Session {
  const open = session.turn?.openTools;
  const left = open?.filter((call) => call.callId !== callId);
  if (left === undefined || left.length === open?.length) return session;
  return withTurn(session, { openTools: left.length === 0 ? undefined : left });
}

function messaged(session: Session, event: Extract<FoldEvent, { type: 'user.message' }>): Session {
  const running = session.turn?.state === 'running' ? session.turn : undefined;
  if (running !== undefined && event.turnId === running.id)
    return withTurn(session, { inputToSeq: event.seq });
  const pending = {
    count: (session.pending?.count ?? 0) + 1,
    fromSeq: session.pending?.fromSeq ?? event.seq,
    toSeq: event.seq,
  };
  if (running === undefined) return { ...moved(session, 'queued', event.at), pending };
  const after = event.body.mode === 'interrupt' ? stopped(session, 'interrupted') : session;
  return { ...after, pending };
}

/** The first to ask decides the outcome: turn.cancel_requested has promised it. */
function stopped(session: Session, outcome: NonNullable<Turn['stopping']>): Session {
  return withTurn(session, { stopping: session.turn?.stopping ?? outcome });
}

function started(event: Extract<FoldEvent, { type: 'turn.started' }>): Turn {
  const { number, inputFromSeq, inputToSeq } = event.body;
  return {
    id: event.turnId as Turn['id'], // lifecycle.ts gives every turn.started its turn
    number,
    state: 'running',
    startedAt: event.at,
    inputFromSeq,
    inputToSeq,
    consumedToSeq: 0,
    modelCalls: 0,
    usage: NO_USAGE,
  };
}

function completed(session: Session, event: Extract<FoldEvent, { type: 'turn.completed' }>): Session {
  const { outcome, resultEventId, errorCode, errorMessage } = event.body;
  const failure =
    errorCode === undefined ? undefined : { code: errorCode, message: errorMessage ?? errorCode };
  const ended = withTurn(session, {
    state: 'completed',
    completedAt: event.at,
    outcome,
    resultEventId,
    failure,
    stopping: undefined,
    openCallId: undefined,
    openTools: undefined,
  });
  const status = session.pending !== undefined ? 'queued' : statusAfter(outcome);
  return { ...moved(ended, status, event.at), retry: undefined, losses: 0, retryAt: undefined };
}

function statusAfter(outcome: NonNullable<Turn['outcome']>): SessionStatus {
  if (outcome === 'needs_input') return 'awaiting_input';
  return outcome === 'error' ? 'failed' : 'idle';
}

function closed(session: Session, at: number): Session {
  return { ...moved(session, 'archived', at), lease: undefined, pending: undefined, hibernated: true };
}

/** A log that is full has no room for turn.completed: the turn ends by the limit itself. */
function cutOff(session: Session, at: number): Session {
  if (session.turn?.state !== 'running') return session;
  const failure = { code: 'LOG_FULL', message: 'The log of the session is full.' };
  return {
    ...withTurn(session, {
      state: 'completed',
      completedAt: at,
      outcome: 'error',
      failure,
      stopping: undefined,
      openCallId: undefined,
      openTools: undefined,
    }),
    failure,
  };
}

function withTurn(session: Session, change: Partial<Turn>): Session {
  return session.turn === undefined ? session : { ...session, turn: { ...session.turn, ...change } };
}

function moved(session: Session, status: SessionStatus, at: number): Session {
  return session.status === status ? session : { ...session, status, statusAt: at };
}

/** Whether it belongs to a turn that is not the last one any more: the record of that turn is the store's (append-plan.ts). */
export function isLateUsage(session: Session, event: Pick<FoldEvent, 'type' | 'turnId'>): boolean {
  return event.type === 'model.usage' && event.turnId !== undefined && event.turnId !== session.turn?.id;
}
