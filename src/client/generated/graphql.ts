/* eslint-disable */
/** Internal type. DO NOT USE DIRECTLY. */
type Exact<T extends { [key: string]: unknown }> = { [K in keyof T]: T[K] };
/** Internal type. DO NOT USE DIRECTLY. */
export type Incremental<T> = T | { [P in keyof T]?: P extends ' $fragmentName' | '__typename' ? T[P] : never };
import type { DocumentTypeDecoration } from '@graphql-typed-document-node/core';
/** A tool that somebody outside runs: a call of it waits until answerToolCall says what came of it. */
export type AgentToolInput = {
  /** For the model: what it does, and when it is of use; at most 8 KiB. */
  description: string;
  /** JSON Schema of its input, draft 2020-12 (or draft-07 where `$schema` says so), with `"type": "object"` at the top; at most 32 KiB. */
  inputSchema: unknown;
  /** 1 to 64 letters, digits, _ and -; not the name of a tool that every session has. */
  name: string;
  /** Seconds after which a call that nobody has answered is given up, which the model is told: 1 to 2592000. Left out: it waits for as long as it takes. */
  timeoutSeconds?: number | null | undefined;
};

/** How long the model service keeps what it has read of a conversation. */
export type CacheTtl =
  /** For sessions that work through. */
  | 'FIVE_MINUTES'
  /** For sessions that wait for people; writing to the cache costs more. */
  | 'ONE_HOUR';

/** A new agent. */
export type CreateAgentInput = {
  /** How long the model service keeps the conversation cached. FIVE_MINUTES when left out. */
  cacheTtl?: CacheTtl | null | undefined;
  /** Tokens that fit into the model's context, 1000 or more: where the server does not know it, or knows it wrong. */
  contextWindow?: number | null | undefined;
  /** A credential that exists. Not together with key. */
  credentialId?: string | number | null | undefined;
  /** How much work the model puts into an answer. */
  effort?: Effort | null | undefined;
  /** provider/name, of the same provider: takes over when the agent's own model is not to be had or declines. */
  fallbackModel?: string | null | undefined;
  /** A model key, stored sealed as a credential of its own, never the default. Not together with credentialId. */
  key?: string | null | undefined;
  /** Defaults for its sessions. */
  limits?: LimitsInput | null | undefined;
  /** Tokens of one answer, thinking included. */
  maxOutputTokens?: number | null | undefined;
  /** provider/name, for example anthropic/claude-sonnet-5. */
  model: string;
  /** Letters, digits, spaces and . _ -; unique. */
  name: string;
  /** What the model is told first; at most 256 KiB. */
  prompt: string;
  /** What runs its sessions: claude, which is also the default. */
  runtime?: string | null | undefined;
  /** Whether and how it thinks before it answers. */
  thinking?: ThinkingInput | null | undefined;
  /** Which tool calls may run: the first rule that fits decides, and what none fits may. At most 64, patterns of at most 512 characters. */
  toolRules?: Array<ToolRuleInput> | null | undefined;
  /** Tools that somebody outside runs, beside those of every session: at most 64, and 128 KiB. */
  tools?: Array<AgentToolInput> | null | undefined;
};

/** What is wrong with a cursor. */
export type CursorRefusal =
  /** It is behind the end of the log: the log was taken back to an older state. */
  | 'AHEAD'
  /** It is not a cursor of this session. */
  | 'FOREIGN';

/** How much work a model puts into an answer, its thinking and tool calls included. */
export type Effort =
  /** Thorough. */
  | 'HIGH'
  /** Quick and cheap. */
  | 'LOW'
  /** All that the model can. */
  | 'MAX'
  /** In between. */
  | 'MEDIUM'
  /** More than HIGH, where the model has it. */
  | 'XHIGH';

/** What to see of a log. Cursors move over the rest. */
export type EventFilter = {
  /** The most detailed level; INTERNAL, everything, when left out. */
  level?: EventLevel | null | undefined;
  /** Only those of this turn. */
  turnId?: string | number | null | undefined;
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

/** What a session may use; leave out what is not to be limited. */
export type LimitsInput = {
  /** Money for the model calls of the whole session, in micro-dollars: 1000000 is one US dollar. Only for models whose price is known. */
  costMicroUsd?: number | null | undefined;
  /** Tokens of the whole session, cached ones included. */
  tokens?: number | null | undefined;
  /** Seconds that one turn may take: 1 to 1800. */
  turnSeconds?: number | null | undefined;
  /** Turns of the whole session. */
  turns?: number | null | undefined;
};

/** When a message reaches the agent. */
export type MessageMode =
  /** Ends the running turn now and starts the next. */
  | 'INTERRUPT'
  /** Waits for the next turn. */
  | 'QUEUE'
  /** Joins the running turn at its next model call. */
  | 'STEER';

/** Something to say to the agent of a session. */
export type SendMessageInput = {
  /** When it reaches the agent: STEER when left out. */
  mode?: MessageMode | null | undefined;
  /** Opaque data of yours, kept with the message and never shown to the model. */
  raw?: unknown;
  /** The session to speak to. */
  sessionId: string | number;
  /** What to say; at most 256 KiB. */
  text: string;
};

/** Where a session stands. Session.why says it in words. */
export type SessionStatus =
  /** Closed; it can only be read. */
  | 'ARCHIVED'
  /** The turn ended with a question, and the next message is the answer; or the turn is open, and its tool calls wait for somebody outside (Turn.requests). */
  | 'AWAITING_INPUT'
  /** The turn ended with an error; a message tries again. */
  | 'FAILED'
  /** Nothing to do; a message goes on. */
  | 'IDLE'
  /** A message waits and no turn runs yet. */
  | 'QUEUED'
  /** A turn runs. */
  | 'RUNNING';

/** A new session and its first message. */
export type StartSessionInput = {
  /** The id or the name of the agent. */
  agent: string;
  /** The task: the first message, at most 256 KiB. */
  input: string;
  /** Your own name for the session: the same request again answers the same session. */
  key?: string | null | undefined;
  /** Each overrides the agent's. */
  limits?: LimitsInput | null | undefined;
  /** An object of yours, kept with the session; at most 16 KiB. */
  metadata?: unknown;
  /** Another model of the same provider than the agent's. */
  model?: string | null | undefined;
  /** Which tool calls may run: the first rule that fits decides, and what none fits may. At most 64, patterns of at most 512 characters. They come before those of the agent; what the agent denies stays denied. */
  toolRules?: Array<ToolRuleInput> | null | undefined;
};

/** What can be seen of the thinking. */
export type ThinkingDisplay =
  /** Nothing: it is only signed, and the answer begins sooner. */
  | 'OMITTED'
  /** A summary, as text and piece by piece. */
  | 'SUMMARIZED';

/** Whether and how a model thinks before it answers. */
export type ThinkingInput = {
  /** Of the mode BUDGET, and needed there: 1024 or more, and less than maxOutputTokens. */
  budgetTokens?: number | null | undefined;
  /** What can be seen of it. */
  display?: ThinkingDisplay | null | undefined;
  /** Whether it does. */
  mode: ThinkingMode;
};

/** Whether a model thinks before it answers. */
export type ThinkingMode =
  /** It decides by itself, and thinks between tool calls too. */
  | 'ADAPTIVE'
  /** Up to budgetTokens in each answer. */
  | 'BUDGET'
  /** It does not. */
  | 'OFF';

/** What becomes of a tool call. */
export type ToolAction =
  /** It runs. */
  | 'ALLOW'
  /** It waits until somebody approves or denies it. */
  | 'ASK'
  /** It does not run, and the model is told so. */
  | 'DENY';

/** How a tool call ended. */
export type ToolOutcome =
  /** It was stopped because the turn was. */
  | 'CANCELED'
  /** It was not run: a rule or a person denied it. */
  | 'DENIED'
  /** It ran and failed; the output says how. */
  | 'FAILED'
  /** It did what it was asked. */
  | 'OK'
  /** It was stopped at its deadline. */
  | 'TIMED_OUT'
  /** It may or may not have run: what ran it was lost. It is not run again. */
  | 'UNKNOWN';

/** What a tool call waits for. */
export type ToolRequestKind =
  /** Somebody has to allow it. */
  | 'APPROVAL'
  /** Somebody outside has to run it and say what came of it. */
  | 'CLIENT';

/** What became of a tool call that waited for somebody outside. */
export type ToolResolution =
  /** Somebody outside ran it: its result is in the log. */
  | 'ANSWERED'
  /** It may run. */
  | 'APPROVED'
  /** Its turn ended before anybody answered. */
  | 'CANCELED'
  /** It is not run. */
  | 'DENIED'
  /** Nobody answered in time. */
  | 'EXPIRED'
  /** Somebody outside ran it or could not: the reason is its result. */
  | 'FAILED';

/** A rule about tool calls. All patterns that are given have to fit. */
export type ToolRuleInput = {
  /** What becomes of a call that the rule fits. */
  action: ToolAction;
  /** A pattern of the command that the call passes: * stands for any characters. A rule that allows fits one simple command and nothing beside it; one that asks or denies fits any command of the line. */
  command?: string | null | undefined;
  /** A pattern of the host of the URL that the call passes, for example *.example.com. */
  host?: string | null | undefined;
  /** A pattern of the path that the call passes, absolute (/workspace/...): * stands for any characters of one part, ** for any parts. */
  path?: string | null | undefined;
  /** What people and the model are told of it. */
  reason?: string | null | undefined;
  /** The name of a tool, or * for each. */
  tool: string;
};

/** How a turn ended. */
export type TurnOutcome =
  /** The session used up its tokens or its money. */
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

/** Whether a turn is over. */
export type TurnState =
  /** It is over; the outcome says how it ended. */
  | 'COMPLETED'
  /** The brain works on it. */
  | 'RUNNING';

export type CreateAgentMutationVariables = Exact<{
  input: CreateAgentInput;
  idempotencyKey?: string | null | undefined;
}>;


export type CreateAgentMutation = { createAgent:
    | { __typename: 'AgentNameTaken', code: string, message: string }
    | { __typename: 'CreateAgentPayload', replayed: boolean, agent: { id: string, name: string, model: string, revision: number } }
    | { __typename: 'CredentialNotFound', code: string, message: string }
    | { __typename: 'Forbidden', code: string, message: string }
    | { __typename: 'IdempotencyConflict', code: string, message: string }
    | { __typename: 'InvalidInput', code: string, message: string }
   };

export type StartSessionMutationVariables = Exact<{
  input: StartSessionInput;
  idempotencyKey?: string | null | undefined;
}>;


export type StartSessionMutation = { startSession:
    | { __typename: 'AgentGone', code: string, message: string }
    | { __typename: 'AgentNotFound', code: string, message: string }
    | { __typename: 'Forbidden', code: string, message: string }
    | { __typename: 'IdempotencyConflict', code: string, message: string }
    | { __typename: 'InvalidInput', code: string, message: string }
    | { __typename: 'NoCredential', code: string, message: string }
    | { __typename: 'SessionGone', code: string, message: string }
    | { __typename: 'StartSessionPayload', turnId: string, cursor: string, replayed: boolean, session: { id: string, status: SessionStatus, why: string }, clientToken: { token: string, expiresAt: string } }
   };

export type SendMessageMutationVariables = Exact<{
  input: SendMessageInput;
  idempotencyKey?: string | null | undefined;
}>;


export type SendMessageMutation = { sendMessage:
    | { __typename: 'Forbidden', code: string, message: string }
    | { __typename: 'IdempotencyConflict', code: string, message: string }
    | { __typename: 'InvalidInput', code: string, message: string }
    | { __typename: 'LogFull', code: string, message: string }
    | { __typename: 'PendingFull', code: string, message: string }
    | { __typename: 'RateLimited', code: string, message: string }
    | { __typename: 'SendMessagePayload', eventId: string, cursor: string, turnId: string, replayed: boolean, session: { id: string, status: SessionStatus } }
    | { __typename: 'SessionArchived', code: string, message: string }
    | { __typename: 'SessionGone', code: string, message: string }
    | { __typename: 'SessionNotFound', code: string, message: string }
   };

export type CancelTurnMutationVariables = Exact<{
  sessionId: string | number;
  idempotencyKey?: string | null | undefined;
}>;


export type CancelTurnMutation = { cancelTurn:
    | { __typename: 'CancelTurnPayload', replayed: boolean, session: { id: string, status: SessionStatus } }
    | { __typename: 'Forbidden', code: string, message: string }
    | { __typename: 'InvalidInput', code: string, message: string }
    | { __typename: 'RateLimited', code: string, message: string }
    | { __typename: 'SessionGone', code: string, message: string }
    | { __typename: 'SessionNotFound', code: string, message: string }
   };

export type ReadSessionQueryVariables = Exact<{
  id: string | number;
}>;


export type ReadSessionQuery = { session:
    | { __typename: 'Forbidden', code: string, message: string }
    | { __typename: 'InvalidInput', code: string, message: string }
    | { __typename: 'Session', id: string, status: SessionStatus, why: string, hibernated: boolean, turnCount: number, head: number, cursor: string, model: string, usage: { inputTokens: number, outputTokens: number, totalTokens: number, complete: boolean }, lease: { owner: string, epoch: number, since: string } | null, turn: { id: string, number: number, state: TurnState, outcome: TurnOutcome | null, modelCalls: number } | null, result:
        | { __typename: 'AgentMessage', text: string, id: string }
        | { __typename: 'AgentThinking', id: string }
        | { __typename: 'BrainLost', id: string }
        | { __typename: 'BrainStarted', id: string }
        | { __typename: 'BudgetThresholdReached', id: string }
        | { __typename: 'ConversationCompacted', id: string }
        | { __typename: 'ConversationRepaired', id: string }
        | { __typename: 'ErrorModel', id: string }
        | { __typename: 'ErrorRuntime', id: string }
        | { __typename: 'LogLimitReached', id: string }
        | { __typename: 'ModelCompleted', id: string }
        | { __typename: 'ModelRetried', id: string }
        | { __typename: 'ModelStarted', id: string }
        | { __typename: 'ModelUsage', id: string }
        | { __typename: 'RequestClaimed', id: string }
        | { __typename: 'RequestReleased', id: string }
        | { __typename: 'SessionArchivedEvent', id: string }
        | { __typename: 'SessionHibernated', id: string }
        | { __typename: 'SessionLimitsChanged', id: string }
        | { __typename: 'ToolCall', id: string }
        | { __typename: 'ToolRequested', id: string }
        | { __typename: 'ToolResolved', id: string }
        | { __typename: 'ToolResult', id: string }
        | { __typename: 'TurnCancelIgnored', id: string }
        | { __typename: 'TurnCancelRequested', id: string }
        | { __typename: 'TurnCompleted', id: string }
        | { __typename: 'TurnStarted', id: string }
        | { __typename: 'UnknownEvent', id: string }
        | { __typename: 'UserMessage', id: string }
        | { __typename: 'WorkspaceReverted', id: string }
       | null }
    | { __typename: 'SessionGone', code: string, message: string }
    | { __typename: 'SessionNotFound', code: string, message: string }
   };

export type ListSessionsQueryVariables = Exact<{
  first?: number | null | undefined;
  after?: string | null | undefined;
}>;


export type ListSessionsQuery = { sessions: { nodes: Array<{ id: string, status: SessionStatus, why: string, createdAt: string }>, pageInfo: { hasNextPage: boolean, endCursor: string | null } } };

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
        | { __typename: 'AgentMessage', callId: string, text: string, aborted: boolean | null, retracted: boolean | null, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'AgentThinking', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'BrainLost', epoch: number, reason: string, attempt: number, attemptMax: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'BrainStarted', epoch: number, owner: string, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'BudgetThresholdReached', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ConversationCompacted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ConversationRepaired', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ErrorModel', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ErrorRuntime', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'LogLimitReached', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelCompleted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelRetried', attempt: number, attemptMax: number, waitMs: number, code: string, message: string, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelStarted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ModelUsage', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'RequestClaimed', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'RequestReleased', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'SessionArchivedEvent', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'SessionHibernated', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'SessionLimitsChanged', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ToolCall', callId: string, tool: string, input: unknown, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'ToolRequested', callId: string, tool: string, input: unknown, timeoutSeconds: number | null, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, requestKind: ToolRequestKind, askedFor: string | null }
        | { __typename: 'ToolResolved', callId: string, tool: string, resolution: ToolResolution, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, said: string | null }
        | { __typename: 'ToolResult', callId: string, tool: string, output: string, exitCode: number | null, durationMs: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, toolOutcome: ToolOutcome }
        | { __typename: 'TurnCancelIgnored', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'TurnCancelRequested', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'TurnCompleted', number: number, errorCode: string | null, errorMessage: string | null, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean, turnOutcome: TurnOutcome }
        | { __typename: 'TurnStarted', number: number, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'UnknownEvent', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'UserMessage', text: string, mode: MessageMode, id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
        | { __typename: 'WorkspaceReverted', id: string, seq: number, at: string, type: string, level: EventLevel, turnId: string | null, body: unknown, bodyTruncated: boolean }
      > }
    | { __typename: 'MessageDelta', callId: string, offset: number, text: string }
    | { __typename: 'SessionGone', message: string }
    | { __typename: 'SlowConsumer', resumeFrom: string }
    | { __typename: 'ThinkingDelta', callId: string, offset: number, text: string }
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

export const CreateAgentDocument = new TypedDocumentString(`
    mutation CreateAgent($input: CreateAgentInput!, $idempotencyKey: String) {
  createAgent(input: $input, idempotencyKey: $idempotencyKey) {
    __typename
    ... on CreateAgentPayload {
      agent {
        id
        name
        model
        revision
      }
      replayed
    }
    ... on Fault {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<CreateAgentMutation, CreateAgentMutationVariables>;
export const StartSessionDocument = new TypedDocumentString(`
    mutation StartSession($input: StartSessionInput!, $idempotencyKey: String) {
  startSession(input: $input, idempotencyKey: $idempotencyKey) {
    __typename
    ... on StartSessionPayload {
      session {
        id
        status
        why
      }
      clientToken {
        token
        expiresAt
      }
      turnId
      cursor
      replayed
    }
    ... on Fault {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<StartSessionMutation, StartSessionMutationVariables>;
export const SendMessageDocument = new TypedDocumentString(`
    mutation SendMessage($input: SendMessageInput!, $idempotencyKey: String) {
  sendMessage(input: $input, idempotencyKey: $idempotencyKey) {
    __typename
    ... on SendMessagePayload {
      eventId
      cursor
      turnId
      session {
        id
        status
      }
      replayed
    }
    ... on Fault {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<SendMessageMutation, SendMessageMutationVariables>;
export const CancelTurnDocument = new TypedDocumentString(`
    mutation CancelTurn($sessionId: ID!, $idempotencyKey: String) {
  cancelTurn(sessionId: $sessionId, idempotencyKey: $idempotencyKey) {
    __typename
    ... on CancelTurnPayload {
      session {
        id
        status
      }
      replayed
    }
    ... on Fault {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<CancelTurnMutation, CancelTurnMutationVariables>;
export const ReadSessionDocument = new TypedDocumentString(`
    query ReadSession($id: ID!) {
  session(id: $id) {
    __typename
    ... on Session {
      id
      status
      why
      hibernated
      turnCount
      head
      cursor
      model
      usage {
        inputTokens
        outputTokens
        totalTokens
        complete
      }
      lease {
        owner
        epoch
        since
      }
      turn {
        id
        number
        state
        outcome
        modelCalls
      }
      result {
        __typename
        id
        ... on AgentMessage {
          text
        }
      }
    }
    ... on Fault {
      code
      message
    }
  }
}
    `) as unknown as TypedDocumentString<ReadSessionQuery, ReadSessionQueryVariables>;
export const ListSessionsDocument = new TypedDocumentString(`
    query ListSessions($first: Int, $after: String) {
  sessions(first: $first, after: $after) {
    nodes {
      id
      status
      why
      createdAt
    }
    pageInfo {
      hasNextPage
      endCursor
    }
  }
}
    `) as unknown as TypedDocumentString<ListSessionsQuery, ListSessionsQueryVariables>;
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
          aborted
          retracted
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
        ... on ToolRequested {
          callId
          tool
          requestKind: kind
          input
          askedFor: reason
          timeoutSeconds
        }
        ... on ToolResolved {
          callId
          tool
          resolution
          said: reason
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
    ... on ThinkingDelta {
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