/* eslint-disable */
import * as types from './graphql.ts';



/**
 * Map of all GraphQL operations in the project.
 *
 * This map has several performance disadvantages:
 * 1. It is not tree-shakeable, so it will include all operations in the project.
 * 2. It is not minifiable, so the string of a GraphQL query will be multiple times inside the bundle.
 * 3. It does not support dead code elimination, so it will add unused operations.
 *
 * Therefore it is highly recommended to use the babel or swc plugin for production.
 * Learn more about it here: https://the-guild.dev/graphql/codegen/plugins/presets/preset-client#reducing-bundle-size
 */
type Documents = {
    "subscription SessionEvents($sessionId: ID!, $after: Cursor, $filter: EventFilter, $deltas: Boolean) {\n  sessionEvents(\n    sessionId: $sessionId\n    after: $after\n    filter: $filter\n    deltas: $deltas\n  ) {\n    __typename\n    ... on EventBatch {\n      cursor\n      events {\n        __typename\n        id\n        seq\n        at\n        type\n        level\n        turnId\n        body\n        bodyTruncated\n        ... on UserMessage {\n          text\n          mode\n        }\n        ... on AgentMessage {\n          callId\n          text\n        }\n        ... on TurnStarted {\n          number\n        }\n        ... on TurnCompleted {\n          number\n          turnOutcome: outcome\n          errorCode\n          errorMessage\n        }\n        ... on ModelRetried {\n          attempt\n          attemptMax\n          waitMs\n          code\n          message\n        }\n        ... on ToolCall {\n          callId\n          tool\n          input\n        }\n        ... on ToolResult {\n          callId\n          tool\n          toolOutcome: outcome\n          output\n          exitCode\n          durationMs\n        }\n        ... on BrainStarted {\n          epoch\n          owner\n        }\n        ... on BrainLost {\n          epoch\n          reason\n          attempt\n          attemptMax\n        }\n      }\n    }\n    ... on CaughtUp {\n      cursor\n    }\n    ... on MessageDelta {\n      callId\n      offset\n      text\n    }\n    ... on SlowConsumer {\n      resumeFrom\n    }\n    ... on SessionGone {\n      message\n    }\n    ... on CursorRefused {\n      reason\n      earliest\n    }\n  }\n}": typeof types.SessionEventsDocument,
};
const documents: Documents = {
    "subscription SessionEvents($sessionId: ID!, $after: Cursor, $filter: EventFilter, $deltas: Boolean) {\n  sessionEvents(\n    sessionId: $sessionId\n    after: $after\n    filter: $filter\n    deltas: $deltas\n  ) {\n    __typename\n    ... on EventBatch {\n      cursor\n      events {\n        __typename\n        id\n        seq\n        at\n        type\n        level\n        turnId\n        body\n        bodyTruncated\n        ... on UserMessage {\n          text\n          mode\n        }\n        ... on AgentMessage {\n          callId\n          text\n        }\n        ... on TurnStarted {\n          number\n        }\n        ... on TurnCompleted {\n          number\n          turnOutcome: outcome\n          errorCode\n          errorMessage\n        }\n        ... on ModelRetried {\n          attempt\n          attemptMax\n          waitMs\n          code\n          message\n        }\n        ... on ToolCall {\n          callId\n          tool\n          input\n        }\n        ... on ToolResult {\n          callId\n          tool\n          toolOutcome: outcome\n          output\n          exitCode\n          durationMs\n        }\n        ... on BrainStarted {\n          epoch\n          owner\n        }\n        ... on BrainLost {\n          epoch\n          reason\n          attempt\n          attemptMax\n        }\n      }\n    }\n    ... on CaughtUp {\n      cursor\n    }\n    ... on MessageDelta {\n      callId\n      offset\n      text\n    }\n    ... on SlowConsumer {\n      resumeFrom\n    }\n    ... on SessionGone {\n      message\n    }\n    ... on CursorRefused {\n      reason\n      earliest\n    }\n  }\n}": types.SessionEventsDocument,
};

/**
 * The graphql function is used to parse GraphQL queries into a document that can be used by GraphQL clients.
 */
export function graphql(source: "subscription SessionEvents($sessionId: ID!, $after: Cursor, $filter: EventFilter, $deltas: Boolean) {\n  sessionEvents(\n    sessionId: $sessionId\n    after: $after\n    filter: $filter\n    deltas: $deltas\n  ) {\n    __typename\n    ... on EventBatch {\n      cursor\n      events {\n        __typename\n        id\n        seq\n        at\n        type\n        level\n        turnId\n        body\n        bodyTruncated\n        ... on UserMessage {\n          text\n          mode\n        }\n        ... on AgentMessage {\n          callId\n          text\n        }\n        ... on TurnStarted {\n          number\n        }\n        ... on TurnCompleted {\n          number\n          turnOutcome: outcome\n          errorCode\n          errorMessage\n        }\n        ... on ModelRetried {\n          attempt\n          attemptMax\n          waitMs\n          code\n          message\n        }\n        ... on ToolCall {\n          callId\n          tool\n          input\n        }\n        ... on ToolResult {\n          callId\n          tool\n          toolOutcome: outcome\n          output\n          exitCode\n          durationMs\n        }\n        ... on BrainStarted {\n          epoch\n          owner\n        }\n        ... on BrainLost {\n          epoch\n          reason\n          attempt\n          attemptMax\n        }\n      }\n    }\n    ... on CaughtUp {\n      cursor\n    }\n    ... on MessageDelta {\n      callId\n      offset\n      text\n    }\n    ... on SlowConsumer {\n      resumeFrom\n    }\n    ... on SessionGone {\n      message\n    }\n    ... on CursorRefused {\n      reason\n      earliest\n    }\n  }\n}"): typeof import('./graphql.ts').SessionEventsDocument;


export function graphql(source: string) {
  return (documents as any)[source] ?? {};
}
