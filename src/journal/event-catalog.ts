/**
 * The events of a session's log, written once: this table yields the TypeScript types (journal/event.ts), the validation at the
 * unit endpoint (journal/codec.ts), the GraphQL object types (schema/event.ts) and their quick projection (api/graphql/projection.ts).
 *
 * Names are past tense and dotted. `level` says who the event is for: user (answers, questions, inputs, outcomes),
 * progress (turn markers, narration), internal (tool calls, model calls, runtime). A new type or an optional field is
 * an additive change; a reader that does not know a type keeps it (UnknownEvent).
 */
import { choice, count, type Field, flag, json, optional, text } from './event-field.ts';
import { callId, METERED, requestId } from './metered-events.ts';
import { REQUEST_CLAIMED } from './request-claim-events.ts';
import { TOOL_REQUESTED } from './tool-request-events.ts';

export type Level = 'user' | 'progress' | 'internal';
/** Levels are cumulative: a reader at `progress` also sees `user`. */
export const LEVEL_RANK: Readonly<Record<Level, number>> = { user: 0, progress: 1, internal: 2 };

export const MESSAGE_MODES = ['queue', 'steer', 'interrupt'] as const;
export type MessageMode = (typeof MESSAGE_MODES)[number];
export const TURN_OUTCOMES = [
  'completed',
  'needs_input',
  'error',
  'budget_exceeded',
  'deadline_exceeded',
  'max_turns',
  'canceled',
  'interrupted',
] as const;
export type TurnOutcome = (typeof TURN_OUTCOMES)[number];
export const TOOL_OUTCOMES = ['ok', 'failed', 'timed_out', 'canceled', 'unknown', 'denied'] as const;
export type ToolOutcome = (typeof TOOL_OUTCOMES)[number];

/** What was done about a request that the service refuses for what stands in the conversation. */
export const REPAIRS = ['replaced', 'dropped', 'condensed'] as const;
export type Repair = (typeof REPAIRS)[number];

export const EVENTS = {
  'user.message': {
    level: 'user',
    description: 'Somebody spoke to the agent. Its turnId is the turn that the message joins.',
    body: {
      text: text('What was said.'),
      mode: choice(
        'MessageMode',
        MESSAGE_MODES,
        'queue: waits for the next turn. steer: joins the running turn at its next model call. interrupt: ends the running turn now.',
      ),
      raw: optional(json('Opaque data of the sender, never shown to the model.')),
    },
  },
  'turn.started': {
    level: 'progress',
    description: 'The brain took up the waiting messages.',
    body: {
      number: count('1 for the first turn of the session.'),
      inputFromSeq: count('Seq of the first message of this turn.'),
      inputToSeq: count('Seq of the last message that was waiting when the turn started.'),
    },
  },
  'turn.cancel_requested': {
    level: 'progress',
    description: 'Somebody asked to stop the running turn; turn.completed follows with the outcome canceled.',
    body: {},
  },
  'turn.cancel_ignored': {
    level: 'internal',
    description:
      'Somebody asked to stop a turn, with an idempotency key, when none was running or it was ending already: nothing was done, and the same key cancels no later turn.',
    body: {},
  },
  'turn.completed': {
    level: 'user',
    description: 'The turn is over: the one reliable done signal.',
    body: {
      number: count('The number of the turn.'),
      outcome: choice('TurnOutcome', TURN_OUTCOMES, 'How the turn ended.'),
      resultEventId: optional(text('The agent.message that is the answer.')),
      errorCode: optional(text('Set when the outcome is error: a constant to switch on.')),
      errorMessage: optional(text('Set when the outcome is error: one sentence that says what to do.')),
    },
  },
  'model.started': {
    level: 'internal',
    description: 'A model call is about to be made; messages up to inputToSeq are part of it.',
    body: {
      callId,
      inputToSeq: count('Seq of the last message that the model sees in this call.'),
      tools: optional(
        json(
          'The tools that the model is offered from this call on, as name, description and schema: set at the first call of a session, or the first that a version makes which journals them, and at the first after each compaction.',
        ),
      ),
      model: optional(
        text("The model that this call goes to, where it is not the session's own: its fallback."),
      ),
    },
  },
  'model.retried': {
    level: 'internal',
    description: 'A model call failed in a way that may pass, and will be made again.',
    body: {
      callId,
      attempt: count('1 for the first failure.'),
      attemptMax: count('After this many the turn ends with an error.'),
      waitMs: count('Milliseconds until the next attempt.'),
      code: text('The type of the failure, for example overloaded_error.'),
      message: text('What the model service said.'),
      wrote: optional(
        text('Of a call that compacts: what the model wrote instead of a summary, as far as it is of use.'),
      ),
      requestId,
    },
  },
  'model.usage': METERED['model.usage'],
  'model.completed': {
    level: 'internal',
    description:
      'A model call ended; its thinking, messages and tool calls are the events just before this one.',
    body: {
      callId,
      stopReason: text('Why the model stopped, for example end_turn or tool_use.'),
      refusalCategory: optional(
        text('Of a refusal: what the model service names as its subject, for example cyber.'),
      ),
      refusalExplanation: optional(text('Of a refusal: what the model service says about it.')),
      requestId,
    },
  },
  'agent.thinking': {
    level: 'internal',
    description: 'Thinking that the model service asks to be given back unchanged.',
    body: {
      callId,
      text: text('The thinking, or nothing when it is redacted.'),
      signature: optional(text('Proof of origin, opaque.')),
      redacted: optional(text('Encrypted thinking, opaque.')),
    },
  },
  'agent.message': {
    level: 'user',
    description:
      'The agent spoke. Level user for an answer or question, progress for narration between tool calls.',
    body: {
      callId,
      text: text('What the agent said.'),
      aborted: optional(
        flag(
          'True when the turn or the call ended while the agent was speaking: the text is what had been said by then.',
        ),
      ),
      retracted: optional(
        flag(
          'True when the model service took it back: the text was shown, and is not part of the conversation.',
        ),
      ),
    },
  },
  'tool.call': {
    level: 'internal',
    description: 'The model asked for a tool; journalled before the tool runs.',
    body: {
      callId: text('The id of this tool call, unique in the session; the control plane keeps results by it.'),
      modelCallId: callId,
      toolUseId: text("The model service's own id of the call."),
      tool: text('The name of the tool.'),
      input: json('What the model passed to it.'),
      defect: optional(
        text(
          'Set when the model wrote a call that cannot be made: what is wrong with it. Its result says the same.',
        ),
      ),
    },
  },
  'tool.result': {
    level: 'internal',
    description: 'A tool call ended, or its outcome is known to be unknown.',
    body: {
      callId: text('The id of the tool call.'),
      tool: text('The name of the tool.'),
      outcome: choice('ToolOutcome', TOOL_OUTCOMES, 'How the call ended.'),
      output: text('What the model is told; long output keeps its head and tail.'),
      exitCode: optional(count('Of a command: its exit code.')),
      durationMs: count('Milliseconds that the tool ran.'),
    },
  },
  'tool.requested': TOOL_REQUESTED['tool.requested'],
  'tool.resolved': TOOL_REQUESTED['tool.resolved'],
  'request.claimed': REQUEST_CLAIMED['request.claimed'],
  'request.released': REQUEST_CLAIMED['request.released'],
  'conversation.compacted': {
    level: 'internal',
    description: 'The context was nearly full: the conversation up to throughSeq goes on as a summary.',
    body: {
      callId,
      summary: text('What the model keeps in mind of what was before.'),
      throughSeq: count('The last seq that the summary stands for.'),
      made: optional(
        choice(
          'SummaryMaker',
          ['model', 'runtime'],
          'Who wrote the summary, absent for model. runtime: the model wrote none that counts, so it was put together from the log.',
        ),
      ),
    },
  },
  'conversation.repaired': {
    level: 'internal',
    description:
      'The model service refused the request for something that stands in the conversation: from here on it is sent in another form.',
    body: {
      callId,
      repair: choice(
        'Repair',
        REPAIRS,
        'replaced: one block goes on in a form that can be sent. dropped: it is left out. condensed: the conversation is condensed without it.',
      ),
      repairedSeq: optional(count('The seq of the event that is sent in another form from here on.')),
      reason: text('What the model service said.'),
    },
  },
  'error.model': {
    level: 'user',
    description: 'The model service refused or failed for good; the turn ends.',
    body: {
      code: text('A constant to switch on.'),
      message: text('One sentence that says what to do.'),
      retriable: flag('Whether the same message may work later with nothing changed.'),
      requestId,
    },
  },
  'error.runtime': {
    level: 'user',
    description: 'The runtime failed for good; the turn ends.',
    body: {
      code: text('A constant to switch on.'),
      message: text('One sentence that says what to do.'),
      retriable: flag('Whether the same message may work later with nothing changed.'),
    },
  },
  'brain.started': {
    level: 'internal',
    description: 'A supervisor took the lease: writers with an older epoch are refused from here on.',
    body: { epoch: count('The new epoch.'), owner: text('The supervisor that holds the lease.') },
  },
  'brain.lost': {
    level: 'internal',
    description: 'The brain ended without being told to; another one goes on from the log.',
    body: {
      epoch: count('The epoch of the brain that was lost.'),
      reason: text('How it ended.'),
      attempt: count('1 for the first loss since the last progress.'),
      attemptMax: count('After this many the turn ends with an error.'),
      retryInMs: count('Milliseconds until the next brain starts.'),
    },
  },
  'session.hibernated': {
    level: 'internal',
    description:
      'Brain and hands stopped, and no server has the session: there is nothing to do for now, or its server has no room. The workspace is kept; what waits, or the next message, wakes the session.',
    body: {
      epoch: count('The epoch that was given up.'),
      processes: optional(count('Commands that were still running in the background and were ended.')),
    },
  },
  'workspace.reverted': {
    level: 'user',
    description:
      'The files of the session are older than its log: what was done to them since savedAt is lost, and the model is told.',
    body: {
      savedAt: optional(
        count(
          'When the files were saved that there are now, in milliseconds since the epoch; absent: nothing was saved, the workspace is empty.',
        ),
      ),
      turn: optional(count('The number of the last turn whose files are there, where that is known.')),
      reason: text('Why: one sentence.'),
    },
  },
  'session.limits_changed': METERED['session.limits_changed'],
  'budget.threshold_reached': METERED['budget.threshold_reached'],
  'session.archived': {
    level: 'progress',
    description: 'The session is closed and can only be read.',
    body: {},
  },
  'log.limit_reached': {
    level: 'user',
    description: 'The log is full: the last event of this session, which is archived by it.',
    body: { limit: choice('LogLimit', ['events', 'bytes'], 'Which limit was reached.') },
  },
} as const satisfies Record<
  string,
  { level: Level; description: string; body: Readonly<Record<string, Field>> }
>;
