/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** What is wrong with a cursor. */
export type CursorRefusal =
  /** It is behind the end of the log: the log was taken back to an older state. */
  | 'AHEAD'
  /** It is not a cursor of this session. */
  | 'FOREIGN';

/** What to see of a log. Cursors move over the rest. */
export type EventFilter = {
  /** The most detailed level; INTERNAL, everything, when left out. */
  level?: EventLevel | null | undefined;
  /** Only these dotted types, for example agent.message. */
  types?: Array<string> | null | undefined;
};

/** Who an event is for. Levels add up: a reader at PROGRESS also gets USER. */
export type EventLevel =
  /** Everything: tool calls, model calls, the runtime. */
  | 'INTERNAL'
  /** Turn markers and narration as well. */
  | 'PROGRESS'
  /** Answers, questions, inputs and outcomes. */
  | 'USER';

/** When a message reaches the agent. */
export type MessageMode =
  /** Ends the running turn now and starts the next. */
  | 'INTERRUPT'
  /** Waits for the next turn. */
  | 'QUEUE'
  /** Joins the running turn at its next model call. */
  | 'STEER';

/** How a tool call ended. */
export type ToolOutcome =
  /** It was stopped because the turn was. */
  | 'CANCELED'
  /** It ran and failed; the output says how. */
  | 'FAILED'
  /** It did what it was asked. */
  | 'OK'
  /** It was stopped at its deadline. */
  | 'TIMED_OUT'
  /** It may or may not have run: what ran it was lost. It is not run again. */
  | 'UNKNOWN';

/** How a turn ended. */
export type TurnOutcome =
  /** The session used up its tokens. */
  | 'BUDGET_EXCEEDED'
  /** Somebody canceled it. */
  | 'CANCELED'
  /** The agent answered. */
  | 'COMPLETED'
  /** The turn took longer than it may. */
  | 'DEADLINE_EXCEEDED'
  /** The model service or the runtime failed for good; the code and message say how. */
  | 'ERROR'
  /** A message with the mode INTERRUPT ended it. */
  | 'INTERRUPTED'
  /** The session had all the turns that it may have. */
  | 'MAX_TURNS'
  /** The agent asked something; the next message is the answer. */
  | 'NEEDS_INPUT';

export type SessionEventsSubscriptionVariables = Exact<{
  sessionId: string | number;
  after?: string | null | undefined;
  filter?: EventFilter | null | undefined;
  deltas?: boolean | null | undefined;
}>;


export type SessionEventsSubscription = { sessionEvents:
    | { __typename: 'CaughtUp', cursor: string }
    | { __typename: 'CursorRefused', reason: CursorRefusal, earliest: string }
    | { __typename: 'EventBatch', cursor: string, events: Array<
        | { __typename: 'AgentMessage', callId: string, text: string, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'AgentThinking', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'BrainLost', epoch: number, reason: string, attempt: number, attemptMax: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'BrainStarted', epoch: number, owner: string, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ConversationCompacted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ErrorModel', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ErrorRuntime', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'LogLimitReached', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelCompleted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelRetried', attempt: number, attemptMax: number, waitMs: number, code: string, message: string, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelStarted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelUsage', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'SessionArchivedEvent', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'SessionHibernated', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ToolCall', callId: string, tool: string, input: unknown, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ToolResult', callId: string, tool: string, output: string, exitCode: number | null, durationMs: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, toolOutcome: ToolOutcome }
        | { __typename: 'TurnCancelRequested', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'TurnCompleted', number: number, errorCode: string | null, errorMessage: string | null, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, turnOutcome: TurnOutcome }
        | { __typename: 'TurnStarted', number: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'UnknownEvent', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'UserMessage', text: string, mode: MessageMode, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
      > }
    | { __typename: 'MessageDelta', callId: string, offset: number, text: string }
    | { __typename: 'SessionGone', message: string }
    | { __typename: 'SlowConsumer', resumeFrom: string }
   };

export class TypedDocumentString<TResult, TVariables>
  extends String
  implements DocumentTypeDecoration<TResult, TVariables>
{
  __apiType?: NonNullable<DocumentTypeDecoration<TResult, TVariables>['__apiType']>;
  private value: string;
  public __meta__?: Record<string, any> | undefined;

  constructor(value: string, __meta__?: Record<string, any> | undefined) {
    super(value);
    this.value = value;
    this.__meta__ = __meta__;
  }

  override toString(): string & DocumentTypeDecoration<TResult, TVariables> {
    return this.value;
  }
}

export const SessionEventsDocument = new TypedDocumentString(`
    subscription SessionEvents($sessionId: ID!, $after: Cursor, $filter: EventFilter, $deltas: Boolean) {
  sessionEvents(
    sessionId: $sessionId
    after: $after
    filter: $filter
    deltas: $deltas
  ) {
    __typename
    ... on EventBatch {
      cursor
      events {
        __typename
        id
        seq
        at
        type
        level
        turnId
        body
        bodyTruncated
        ... on UserMessage {
          text
          mode
        }
        ... on AgentMessage {
          callId
          text
        }
        ... on TurnStarted {
          number
        }
        ... on TurnCompleted {
          number
          turnOutcome: outcome
          errorCode
          errorMessage
        }
        ... on ModelRetried {
          attempt
          attemptMax
          waitMs
          code
          message
        }
        ... on ToolCall {
          callId
          tool
          input
        }
        ... on ToolResult {
          callId
          tool
          toolOutcome: outcome
          output
          exitCode
          durationMs
        }
        ... on BrainStarted {
          epoch
          owner
        }
        ... on BrainLost {
          epoch
          reason
          attempt
          attemptMax
        }
      }
    }
    ... on CaughtUp {
      cursor
    }
    ... on MessageDelta {
      callId
      offset
      text
    }
    ... on SlowConsumer {
      resumeFrom
    }
    ... on SessionGone {
      message
    }
    ... on CursorRefused {
      reason
      earliest
    }
  }
}
    `) as unknown as TypedDocumentString<SessionEventsSubscription, SessionEventsSubscriptionVariables>;