/** What somebody has read of a message that never came to its end is in the log, whoever ended it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { kill } from '../support/processes.ts';
import { type LogEvent, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  await world.createAgent({ name: 'slow', model: 'rehearsal/slow' });
});
afterAll(() => world.close());

const messages = (events: readonly LogEvent[]) => events.filter(({ type }) => type === 'agent.message');

/** Starts a session that speaks slowly; answers what was read of it when five pieces had come. */
async function speaking(limits?: object): Promise<{ sessionId: string; read: () => string }> {
  const input = { agent: 'slow', input: 'Speak.', ...(limits === undefined ? {} : { limits }) };
  const sessionId = await world.startSession(input);
  let text = '';
  let pieces = 0;
  await new Promise<void>((resolve) => {
    const reader = world.subscribe(sessionId, undefined, (frame) => {
      if (frame.__typename !== 'MessageDelta') return;
      text = text.slice(0, frame.offset) + frame.text;
      pieces += 1;
      if (pieces === 5) void reader.stop().then(resolve);
    });
  });
  return { sessionId, read: () => text };
}

function expectKept(events: readonly LogEvent[], read: string): void {
  const [aborted] = messages(events);
  expect(aborted?.body.aborted).toBe(true);
  expect(aborted?.body.text.startsWith(read)).toBe(true);
}

it('a deadline keeps it with the end of the turn', async () => {
  const { sessionId, read } = await speaking({ turnSeconds: 1 });
  const events = await world.sees(sessionId, 'turn.completed');

  expectKept(events, read());
  const at = events.findIndex(({ type }) => type === 'turn.completed');
  expect(events[at]?.body.outcome).toBe('deadline_exceeded');
  expect(events[at - 1]?.type).toBe('agent.message');
});

it('a brain that is killed leaves it, and the next one says the whole once', async () => {
  const { sessionId, read } = await speaking();
  kill(world.brainPid(sessionId) ?? 0);
  const events = await world.sees(sessionId, 'turn.completed');

  expectKept(events, read());
  const types = events.map(({ type }) => type);
  expect(types[types.indexOf('agent.message') + 1]).toBe('brain.lost');
  expect(messages(events).map(({ body }) => body.aborted === true)).toEqual([true, false]);
});

it('a server that is told to stop keeps it, and the turn ends after the next start', async () => {
  const { sessionId, read } = await speaking();
  await world.stop();
  await world.start();
  const events = await world.sees(sessionId, 'turn.completed');

  expectKept(events, read());
  expect(messages(events)).toHaveLength(2);
});
