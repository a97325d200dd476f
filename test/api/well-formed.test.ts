/** Half a character from outside: free text and data are kept with U+FFFD in its place, names and keys are refused. */
import { afterAll, describe, expect, it } from 'vitest';
import { type Answer, Door } from '../support/door.ts';
import { ODD_TEXTS } from '../support/odd-json.ts';
import { FAULT, MODEL, MODEL_KEY, operationsOf } from '../support/operations.ts';

const door = await Door.open();
const { createAgent, updateAgent, createCredential } = operationsOf(door);
afterAll(() => door.close());

const HALF = 'cut \ud83d';
const MENDED = 'cut \ufffd';

async function start(input: object, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($input: StartSessionInput!, $key: String) { startSession(input: $input, idempotencyKey: $key) {
    ... on StartSessionPayload { session { id metadata } replayed } ... on InvalidInput { field } ${FAULT} } }`;
  return (
    await door.ask(query, { input: { agent: 'writer', input: 'hello', ...input }, key: idempotencyKey })
  ).startSession;
}

async function send(input: object, idempotencyKey?: string): Promise<Answer> {
  const query = `mutation ($input: SendMessageInput!, $key: String) { sendMessage(input: $input, idempotencyKey: $key) {
    ... on SendMessagePayload { eventId session { id } replayed } ... on InvalidInput { field } ${FAULT} } }`;
  return (await door.ask(query, { input, key: idempotencyKey })).sendMessage;
}

async function messages(id: string): Promise<Answer> {
  const query = `query ($id: ID!) { session(id: $id) { ... on Session { events(types: ["user.message"]) {
    nodes { ... on UserMessage { text raw } } } } } }`;
  return (await door.ask(query, { id })).session.events.nodes;
}

describe('half a character', () => {
  it('in a prompt is kept as U+FFFD, and the same definition again is a replay', async () => {
    const { agent } = await createAgent({ name: 'writer', prompt: HALF });

    expect(agent.prompt).toBe(MENDED);
    expect(await createAgent({ name: 'writer', prompt: HALF })).toMatchObject({ replayed: true });
    expect(await updateAgent({ id: agent.id, prompt: HALF })).toMatchObject({ replayed: true });
    expect(await updateAgent({ id: agent.id, prompt: `${HALF}!` })).toMatchObject({
      agent: { prompt: `${MENDED}!`, revision: 2 },
    });
  });

  it('in a first message and in metadata is kept as U+FFFD, and the same request again is a replay', async () => {
    const request = { input: HALF, metadata: { [HALF]: [HALF, { whole: '😀' }] } };
    const first = await start(request, 'start');
    const again = await start(request, 'start');

    expect([first.replayed, again.replayed, again.session.id]).toEqual([false, true, first.session.id]);
    expect(first.session.metadata).toEqual({ [MENDED]: [MENDED, { whole: '😀' }] });
    expect(await messages(first.session.id)).toEqual([{ text: MENDED, raw: null }]);
    expect(await start({ ...request, input: 'cut' }, 'start')).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
  });

  it('in a message and what comes with it is kept as U+FFFD, and the same message again is a replay', async () => {
    const { session } = await start({});
    const message = { sessionId: session.id, text: HALF, raw: { texts: ODD_TEXTS, [HALF]: 1 } };
    const first = await send(message, 'send');
    const again = await send(message, 'send');

    expect([first.replayed, again.replayed, again.eventId]).toEqual([false, true, first.eventId]);
    expect((await messages(session.id))[1]).toEqual({
      text: MENDED,
      raw: { texts: ODD_TEXTS.map((text) => text.toWellFormed()), [MENDED]: 1 },
    });
    expect(await send({ ...message, text: 'cut' }, 'send')).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  });

  it('in a name or a key is refused, and nothing is changed', async () => {
    const { session } = await start({});
    const refused = [
      await createAgent({ name: HALF }),
      await createAgent({ name: 'other' }, HALF),
      await createAgent({ name: 'other', model: `${MODEL}\ud83d` }),
      await createCredential({ name: HALF, key: MODEL_KEY }),
      await start({ key: HALF }),
      await start({}, HALF),
      await send({ sessionId: session.id, text: 'hello' }, HALF),
    ];

    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 'INVALID_INPUT'));
    expect(await messages(session.id)).toHaveLength(1);
    expect(await door.credentials.list({ limit: 9 })).toEqual([]);
  });
});
