/** Why a session stands where it stands, in words for a person: `Session.why`. Pure; programs read the fields instead. */
import { QUEUE_POSITION_MAX } from '../src/kernel/limit.ts';
import { usedUp, usedUpMessage } from '../src/sessions/budget.ts';
import { limitsInForce, type OpenTool, type Session } from '../src/sessions/session.ts';
import { openRequests } from '../src/sessions/tool-requests.ts';
import { isoOf } from './scalar.ts';

/** `queuePosition`: of one that waits for a free slot (queue-position.ts). */
export function whyOf(session: Session, queuePosition?: number): string {
  const { turn, pending, retryAt, losses, failure } = session;
  switch (session.status) {
    case 'queued':
      if (retryAt !== undefined)
        return `The brain was lost (${losses} in a row); the next one starts at ${isoOf(retryAt)}.`;
      return session.lease === undefined
        ? `Waiting for a free brain since ${isoOf(session.statusAt)}${placed(queuePosition)}; ${messages(pending?.count ?? 0)}.`
        : `The brain is starting; ${messages(pending?.count ?? 0)}.`;
    case 'running':
      return whyRunning(session);
    case 'awaiting_input':
      if (turn?.state === 'running') return whyWaiting(openRequests(turn));
      return 'The agent asked something; the next message is the answer.';
    case 'idle':
      if (turn === undefined) return 'Nothing has been asked yet.';
      if (turn.outcome === 'max_turns')
        return `All its turns (${limitsInForce(session).turns ?? 0}) are used. Raise the limit with updateSession, or start a new session.`;
      if (turn.outcome === 'budget_exceeded') {
        const spent = usedUp(session);
        return spent === undefined ? 'Its limits were raised; a message goes on.' : usedUpMessage(spent);
      }
      return `Turn ${turn.number} ended: ${turn.outcome ?? 'completed'}. ${session.hibernated ? 'Asleep; a' : 'A'} message goes on.`;
    case 'failed':
      return failure?.message ?? turn?.failure?.message ?? 'The last turn failed. A message tries again.';
    case 'archived':
      return `Closed at ${isoOf(session.statusAt)}; it can only be read.`;
  }
}

function whyRunning({ turn, retry, retryAt, losses }: Session): string {
  if (retryAt !== undefined)
    return `The brain was lost (${losses} in a row); the next one starts at ${isoOf(retryAt)}.`;
  if (retry !== undefined) {
    return `The model call failed: retry ${retry.attempt} of ${retry.attemptMax} at ${isoOf(retry.at)}: ${retry.code}.`;
  }
  if (turn?.stopping !== undefined) return `Turn ${turn.number} is being ${turn.stopping}.`;
  return `Turn ${turn?.number ?? 0} runs since ${isoOf(turn?.startedAt ?? 0)}, ${turn?.modelCalls ?? 0} model calls so far.`;
}

/** Tools are named until it is clear what it is about. */
const TOOLS_NAMED_MAX = 3;

function whyWaiting(calls: readonly OpenTool[]): string {
  const since = Math.min(...calls.map(({ request }) => request?.since ?? Infinity));
  const asked = (kind: 'approval' | 'client'): string => {
    const tools = calls.filter(({ request }) => request?.kind === kind).map(({ tool }) => tool);
    const more = tools.length > TOOLS_NAMED_MAX ? ` and ${tools.length - TOOLS_NAMED_MAX} more` : '';
    return tools.length === 0 ? '' : `${tools.slice(0, TOOLS_NAMED_MAX).join(', ')}${more}`;
  };
  const [approval, client] = [asked('approval'), asked('client')];
  const waits = [
    ...(approval === ''
      ? []
      : [`for somebody to approve or deny ${approval} (approveToolCall, denyToolCall)`]),
    ...(client === '' ? [] : [`for the answer of who runs ${client} (answerToolCall)`]),
  ];
  return `Waits ${waits.join(' and ')} since ${isoOf(since)}; the turn goes on then.`;
}

function placed(queuePosition: number | undefined): string {
  if (queuePosition === undefined) return '';
  if (queuePosition > QUEUE_POSITION_MAX)
    return `, behind ${QUEUE_POSITION_MAX} others of its organisation or more`;
  return queuePosition === 1
    ? ', the next of its organisation'
    : `, number ${queuePosition} of its organisation`;
}

function messages(count: number): string {
  return count === 1 ? '1 message waits' : `${count} messages wait`;
}
