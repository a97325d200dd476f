/**
 * Tool calls that wait for somebody outside: what asks for it, and what an answer means. Pure, as all of lifecycle.ts.
 *
 * PARK-1 Whether a call waits is decided in the append that journals it, from the rules that the session has at that moment: no brain can
 *    run, or have run, what somebody has to allow.
 * PARK-2 Each request is resolved once: who comes later is told so, and nothing happens. A call that is not run has its result in the
 *    same append.
 * APPROVAL-4 What runs of a call that was approved with another input is that input: the record says that the call may run, the log with what
 *    (api/unit/journalled-call.ts), whatever a brain asks for.
 * PARK-3 While all open calls of a turn wait, the turn is parked (`isParked`): nothing runs for it, and its time stands still.
 */
import type { ToolResolution } from '../journal/tool-request-events.ts';
import type { ToolOutcome } from '../journal/event-catalog.ts';
import type { Actor, BodyOf, NewEvent } from '../journal/event.ts';
import type { Decision } from '../journal/journal.ts';
import { InvalidInput } from '../kernel/fault.ts';
import { ASK, type OpenTool, type Session, type Turn } from './session.ts';
import { type ClientTool, ruleFor, type ToolRule } from './tool-rule.ts';
import { ADDED_RULES_MAX } from './tool-rule-request.ts';

/** What somebody says to a request. */
export type ToolAnswer =
  /**
   * `input`: run it with this instead. `rule`: and let such calls run from now on in this session. `passed`: what the model passed, for whoever
   * is asked next, where somebody outside runs the tool.
   */
  | {
      readonly kind: 'approve';
      readonly input?: unknown;
      readonly rule?: ToolRule | undefined;
      readonly passed?: unknown;
    }
  | { readonly kind: 'deny'; readonly reason?: string | undefined }
  /** What came of a tool that somebody outside ran. */
  | { readonly kind: 'answer'; readonly output: string }
  | { readonly kind: 'fail'; readonly reason: string };

export interface ResolveTool {
  readonly kind: 'resolveTool';
  readonly callId: string;
  readonly answer: ToolAnswer;
  readonly actor: Actor;
}

/** Those whose time is up by `now`, in milliseconds since the epoch. */
export interface ExpireTools {
  readonly kind: 'expireTools';
  readonly now: number;
}

const SYSTEM: Actor = { kind: 'system' };
const NOTHING: Decision = { kind: 'nothing' };

const RULES_FULL = new InvalidInput(
  'forSession',
  `this session has ${ADDED_RULES_MAX} rules that approvals have added, which is the most: approve the call alone.`,
);
const EXPIRED = 'Nobody answered this call in time: it was not run.';
const UNANSWERED =
  'Nobody answered this call in time. Whoever was asked may have begun with it: look before you make it again.';
const DENIED = 'This call was denied: it was not run.';

/** Whether the turn waits for nothing but people: PARK-3. */
export function isParked(turn: Turn | undefined): boolean {
  if (turn?.state !== 'running' || turn.stopping !== undefined || turn.openCallId !== undefined) return false;
  const open = turn.openTools ?? [];
  return open.length > 0 && open.every(({ request }) => request !== undefined);
}

/** Whether the session stands still in the middle of a turn, since it waits for somebody (PARK-3). */
export function waitsInTurn({ status, turn }: Session): boolean {
  return status === 'awaiting_input' && turn?.state === 'running';
}

/** When the next open request of the session expires, in milliseconds since the epoch. */
export function requestsExpireAt({ turn }: Session): number | undefined {
  const times = openRequests(turn).flatMap(({ request }) => request?.expiresAt ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
}

export function openRequests(turn: Turn | undefined): readonly OpenTool[] {
  if (turn?.state !== 'running') return [];
  return (turn.openTools ?? []).filter(({ request }) => request !== undefined);
}

/** PARK-1: each event with what it asks for or is refused. */
export function withRequests(session: Session, events: readonly NewEvent[]): readonly NewEvent[] {
  return events.flatMap((event) =>
    event.type === 'tool.call' ? [event, ...requestEvents(session, event)] : [event],
  );
}

function requestEvents(
  session: Session,
  { body, turnId }: Extract<NewEvent, { type: 'tool.call' }>,
): readonly NewEvent[] {
  const { callId, tool, input, defect } = body;
  if (defect !== undefined || tool === ASK) return [];
  const { action, reason } = ruleFor(session, { tool, input });
  const said = reason === undefined ? {} : { reason };
  if (action === 'deny') {
    const call = { callId, tool };
    return resolved(turnId, call, SYSTEM, 'denied', said, { outcome: 'denied', output: denied(reason) });
  }
  const client = session.clientTools?.find(({ name }) => name === tool);
  if (action === 'allow' && client === undefined) return [];
  if (action !== 'ask' && client !== undefined)
    return [askedOfClient(turnId, { callId, tool }, client, input)];
  return [
    {
      type: 'tool.requested',
      actor: SYSTEM,
      turnId,
      body: { callId, tool, kind: 'approval', input, ...said },
    },
  ];
}

function askedOfClient(
  turnId: Turn['id'] | undefined,
  { callId, tool }: Pick<OpenTool, 'callId' | 'tool'>,
  { timeoutSeconds }: ClientTool,
  input: unknown,
): NewEvent {
  const ends = timeoutSeconds === undefined ? {} : { timeoutSeconds };
  return {
    type: 'tool.requested',
    actor: SYSTEM,
    turnId,
    body: { callId, tool, kind: 'client', input, ...ends },
  };
}

/** PARK-2 */
export function resolveTool(
  { turn, clientTools, addedRules = [] }: Session,
  { callId, answer, actor }: ResolveTool,
): Decision {
  const call = openRequests(turn).find((open) => open.callId === callId);
  if (call?.request === undefined) return NOTHING;
  const isApproval = answer.kind === 'approve' || answer.kind === 'deny';
  if (isApproval !== (call.request.kind === 'approval')) return { kind: 'refuse', fault: otherKind(call) };
  const turnId = turn?.id;
  switch (answer.kind) {
    case 'approve': {
      const { input, rule } = answer;
      if (rule !== undefined && addedRules.length >= ADDED_RULES_MAX)
        return { kind: 'refuse', fault: RULES_FULL };
      const said = { ...(input === undefined ? {} : { input }), ...(rule === undefined ? {} : { rule }) };
      const approved = resolved(turnId, call, actor, 'approved', said);
      const client = clientTools?.find(({ name }) => name === call.tool);
      if (client === undefined) return append(approved);
      return append([...approved, askedOfClient(turnId, call, client, input ?? answer.passed ?? {})]); // it may run, outside
    }
    case 'deny': {
      const said = answer.reason === undefined ? {} : { reason: answer.reason };
      const result = { outcome: 'denied', output: denied(answer.reason) } as const;
      return append(resolved(turnId, call, actor, 'denied', said, result));
    }
    case 'answer':
      return append(resolved(turnId, call, actor, 'answered', {}, { outcome: 'ok', output: answer.output }));
    case 'fail': {
      const { reason } = answer;
      return append(
        resolved(turnId, call, actor, 'failed', { reason }, { outcome: 'failed', output: reason }),
      );
    }
  }
}

export function expireTools({ turn }: Session, { now }: ExpireTools): Decision {
  const due = openRequests(turn).filter(({ request }) => (request?.expiresAt ?? Infinity) <= now);
  if (due.length === 0) return NOTHING;
  return append(
    due.flatMap((call) => {
      const output = call.request?.kind === 'client' ? UNANSWERED : EXPIRED;
      return resolved(turn?.id, call, SYSTEM, 'expired', {}, { outcome: 'timed_out', output });
    }),
  );
}

/** Of a call whose turn ends before anybody answered; its result is written beside it (turn-events.ts). */
export function canceledRequest(turnId: Turn['id'], call: OpenTool): readonly NewEvent[] {
  return call.request === undefined ? [] : resolved(turnId, call, SYSTEM, 'canceled', {});
}

function resolved(
  turnId: Turn['id'] | undefined,
  { callId, tool }: Pick<OpenTool, 'callId' | 'tool'>,
  actor: Actor,
  resolution: ToolResolution,
  said: Partial<Pick<BodyOf<'tool.resolved'>, 'reason' | 'input' | 'rule'>>,
  result?: { readonly outcome: ToolOutcome; readonly output: string },
): readonly NewEvent[] {
  const event: NewEvent = {
    type: 'tool.resolved',
    actor,
    turnId,
    body: { callId, tool, resolution, ...said },
  };
  if (result === undefined) return [event];
  return [
    event,
    { type: 'tool.result', actor: SYSTEM, turnId, body: { callId, tool, ...result, durationMs: 0 } },
  ];
}

function denied(reason: string | undefined): string {
  return reason === undefined ? DENIED : `${DENIED} ${reason}`;
}

function otherKind({ tool, request }: OpenTool): InvalidInput {
  return new InvalidInput(
    'callId',
    request?.kind === 'approval'
      ? `expected a call of a tool that is run outside; "${tool}" waits to be approved or denied.`
      : `expected a call that waits to be approved; "${tool}" is run outside and waits for its answer.`,
  );
}

function append(events: readonly NewEvent[]): Decision {
  return { kind: 'append', events };
}
