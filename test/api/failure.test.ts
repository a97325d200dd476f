/** What the API shows of a turn that failed: why, by which code, what had been said, and the ids that a model service asks for. */
import { afterAll, expect, it } from 'vitest';
import type { NewEvent } from '../../src/journal/event.ts';
import { Door } from '../support/door.ts';

const door = await Door.open();
afterAll(() => door.close());

const AGENT = { kind: 'agent' } as const;
const MESSAGE = 'The spending limit of this account is reached: raise it, then send a message.';

it('a failed turn shows why, what had been said by then, and the request', async () => {
  const id = await door.session();
  await door.beginTurn(id);
  const events: readonly NewEvent[] = [
    { type: 'agent.message', actor: AGENT, body: { callId: 'c1', text: 'Taken', retracted: true } },
    {
      type: 'model.completed',
      actor: AGENT,
      body: { callId: 'c1', stopReason: 'refusal', refusalCategory: 'cyber', requestId: 'req_1' },
    },
    { type: 'agent.message', actor: AGENT, body: { callId: 'c2', text: 'I was about', aborted: true } },
    {
      type: 'error.model',
      actor: AGENT,
      body: { code: 'MODEL_SPEND_LIMIT', message: MESSAGE, retriable: false, requestId: 'req_2' },
    },
  ];
  await door.record(id, ...events);
  const { session } = await door.sessions.get(id);
  const failure = { code: 'MODEL_SPEND_LIMIT', message: MESSAGE };
  await door.runs.write(id, session.epoch, undefined, {
    kind: 'completeTurn',
    outcome: 'error',
    failure,
  });

  const shown =
    await door.ask(`{ session(id: "${id}") { ... on Session { status why turn { outcome failure { code message } }
    events { nodes { __typename ... on AgentMessage { text aborted retracted }
      ... on ModelCompleted { stopReason refusalCategory refusalExplanation requestId } ... on ErrorModel { code retriable requestId } } } } } }`);

  expect(shown.session).toMatchObject({
    status: 'FAILED',
    why: MESSAGE,
    turn: { outcome: 'ERROR', failure },
  });
  expect(shown.session.events.nodes.slice(3, 7)).toEqual([
    { __typename: 'AgentMessage', text: 'Taken', aborted: null, retracted: true },
    {
      __typename: 'ModelCompleted',
      stopReason: 'refusal',
      refusalCategory: 'cyber',
      refusalExplanation: null,
      requestId: 'req_1',
    },
    { __typename: 'AgentMessage', text: 'I was about', aborted: true, retracted: null },
    { __typename: 'ErrorModel', code: 'MODEL_SPEND_LIMIT', retriable: false, requestId: 'req_2' },
  ]);
});
