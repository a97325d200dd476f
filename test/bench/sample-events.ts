/** Events as a turn writes them, bodies of about 300 bytes, and the selection of their typed fields in stored order. */
import type { NewEvent } from '../../src/journal/event.ts';
import type { TurnId } from '../../src/kernel/id.ts';

const WORDS =
  'The test fails because the loop ends one step too early: the last line of the file is never read. I change the ' +
  'condition, run the test again, and look at the whole output before I say that it is done.';

/** The `index`-th event of a turn: an answer, a tool call and its result in turns. */
export function sampleEvent(index: number, turnId: TurnId): NewEvent {
  const modelCallId = `turn-1-call-${Math.floor(index / 3)}`;
  const callId = `${modelCallId}-tool-1`;
  const agent = { kind: 'agent' } as const;
  switch (index % 3) {
    case 0:
      return { type: 'agent.message', actor: agent, turnId, body: { callId: modelCallId, text: WORDS } };
    case 1: {
      const input = {
        command: 'npm test -- --run test/reader.test.ts 2>&1 | tail -n 40',
        reason: WORDS.slice(0, 100),
      };
      const body = { callId, modelCallId, toolUseId: `toolu_${index}`, tool: 'bash', input };
      return { type: 'tool.call', actor: agent, turnId, body };
    }
    default: {
      const body = {
        callId,
        tool: 'bash',
        outcome: 'ok',
        output: WORDS,
        exitCode: 0,
        durationMs: 412,
      } as const;
      return { type: 'tool.result', actor: { kind: 'system' }, turnId, body };
    }
  }
}

/** Every field that sampleEvent() writes, in its order: the reference splices the stored text and gives the same bytes. */
const TYPED_FIELDS = `... on AgentMessage { callId text }
  ... on ToolCall { callId modelCallId toolUseId tool input }
  ... on ToolResult { callId tool outcome output exitCode durationMs }`;

export type Selection = 'typed' | 'body';

/** The subscription that the rows measure: `typed` selects typed fields per event type, `body` the JSON body. */
export function sessionEventsQuery(selection: Selection): string {
  const fields = selection === 'typed' ? TYPED_FIELDS : 'body';
  return `subscription ($id: ID!, $after: Cursor) { sessionEvents(sessionId: $id, after: $after) { __typename
    ... on EventBatch { events { id seq at type ${fields} } cursor } ... on CaughtUp { cursor } } }`;
}

/** The graphql-transport-ws message that starts it. */
export function subscribeMessage(query: string, variables: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ id: '1', type: 'subscribe', payload: { query, variables } });
}
