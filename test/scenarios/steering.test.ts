/** Speaking to a session at any time: steer, queue, interrupt, cancel, answer a question, wake it from hibernation. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { isAlive } from '../support/processes.ts';
import { onEachStore } from '../support/stores.ts';
import { type LogEvent, World } from '../support/world.ts';

await onEachStore((store) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(
      {
        HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`,
        HOLDFAST_IDLE_SECONDS: '1',
      },
      store,
    );
    for (const name of ['wait', 'ask', 'slow']) await world.createAgent({ name, model: `rehearsal/${name}` });
  });
  afterAll(() => world.close());

  const workspace = (sessionId: string): string =>
    join(world.folder, 'data', 'workspaces', sessionId, 'files');
  const answers = (events: readonly LogEvent[]): readonly string[] =>
    events.filter(({ type }) => type === 'agent.message').map(({ body }) => body.text);
  const outcomes = (events: readonly LogEvent[]): readonly string[] =>
    events.filter(({ type }) => type === 'turn.completed').map(({ body }) => body.outcome);

  async function waiting(): Promise<string> {
    const sessionId = await world.startSession({ agent: 'wait', input: 'Wait.' });
    await eventually('the command runs', () => existsSync(join(workspace(sessionId), 'waiting')));
    return sessionId;
  }

  describe('during a turn', () => {
    it('STEER joins it at the next model call', async () => {
      const sessionId = await waiting();
      await world.send(sessionId, 'mind the gap', 'STEER');
      writeFileSync(join(workspace(sessionId), 'go'), '');
      const events = await world.sees(sessionId, 'turn.completed');

      expect(answers(events)).toEqual(['I wait.', 'Heard in time: mind the gap']);
      expect(outcomes(events)).toEqual(['completed']);
    });

    it('QUEUE waits for the next turn', async () => {
      const sessionId = await waiting();
      await world.send(sessionId, 'later', 'QUEUE');
      writeFileSync(join(workspace(sessionId), 'go'), '');
      const events = await world.sees(sessionId, 'turn.completed', 2);

      expect(answers(events)[1]).toContain('went');
      expect(answers(events)[2]).toBe('You said: later');
    });

    it('INTERRUPT ends it now, its command too, and the message starts the next', async () => {
      const sessionId = await waiting();
      await world.send(sessionId, 'stop that', 'INTERRUPT');
      const events = await world.sees(sessionId, 'turn.completed', 2);

      expect(outcomes(events)).toEqual(['interrupted', 'completed']);
      expect(events.find(({ type }) => type === 'tool.result')?.body.outcome).toBe('canceled');
      expect(answers(events).at(-1)).toContain('stop that');
    });

    it('cancel ends it, also in the middle of a message, and the session goes on with the next message', async () => {
      const sessionId = await world.startSession({ agent: 'slow', input: 'Speak.' });
      const read = await new Promise<string>((resolve) => {
        const reader = world.subscribe(sessionId, undefined, (frame) => {
          if (frame.__typename === 'MessageDelta') void reader.stop().then(() => resolve(frame.text));
        });
      });
      await world.graphql(`mutation { cancelTurn(sessionId: "${sessionId}") { __typename } }`);
      const events = await world.sees(sessionId, 'turn.completed');
      expect(outcomes(events)).toEqual(['canceled']);
      expect(answers(events)).toEqual([expect.stringContaining(read)]);
      expect(events.find(({ type }) => type === 'agent.message')?.body.aborted).toBe(true);

      await world.send(sessionId, 'again');
      await world.sees(sessionId, 'turn.completed', 2);
      await world.status(sessionId, 'IDLE');
    });
  });

  describe('a question', () => {
    it('leaves the session awaiting input over a crash of the server, and the answer goes on', async () => {
      const sessionId = await world.startSession({ agent: 'ask', input: 'Paint it.' });
      await world.status(sessionId, 'AWAITING_INPUT');
      await world.crash();
      await world.start();
      expect((await world.session(sessionId)).status).toBe('AWAITING_INPUT');
      await world.send(sessionId, 'blue');
      const events = await world.sees(sessionId, 'turn.completed', 2);

      expect(answers(events)).toEqual(['Which colour?', 'Painted it blue.']);
      expect(outcomes(events)).toEqual(['needs_input', 'completed']);
    });
  });

  describe('hibernation', () => {
    it('ends brain and hands after a while, and a message wakes both with the workspace as it was', async () => {
      const sessionId = await waiting();
      writeFileSync(join(workspace(sessionId), 'go'), '');
      await world.sees(sessionId, 'turn.completed');
      const [brain, hands] = [world.brainPid(sessionId), world.handsPid(sessionId)];
      await world.sees(sessionId, 'session.hibernated');
      await eventually('both have ended', () => !isAlive(brain) && !isAlive(hands));
      expect((await world.session(sessionId)).hibernated).toBe(true);

      await world.send(sessionId, 'wake up');
      const events = await world.sees(sessionId, 'turn.completed', 2);
      expect(answers(events).at(-1)).toBe('You said: wake up');
      expect(existsSync(join(workspace(sessionId), 'runs'))).toBe(true);
    });
  });

  describe('archive', () => {
    it('ends the turn and closes the session for good', async () => {
      const sessionId = await waiting();
      const brain = world.brainPid(sessionId);
      await world.graphql(`mutation { archiveSession(sessionId: "${sessionId}") { __typename } }`);
      const events = await world.sees(sessionId, 'session.archived');
      expect(outcomes(events)).toEqual(['canceled']);
      await eventually('its brain ends', () => !isAlive(brain));

      await expect(world.send(sessionId, 'hello?')).rejects.toThrow('SESSION_ARCHIVED');
    });
  });
});
