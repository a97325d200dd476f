/** Hands that die in the middle of a command: the model is told that the outcome is unknown, the command is not repeated. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { kill } from '../support/processes.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  await world.createAgent({ name: 'wait', model: 'rehearsal/wait' });
});
afterAll(() => world.close());

const workspace = (sessionId: string): string => join(world.folder, 'data', 'workspaces', sessionId, 'files');

it('goes on with an unknown outcome, and the command ran once', async () => {
  const sessionId = await world.startSession({ agent: 'wait', input: 'Wait.' });
  await eventually('the command runs', () => existsSync(join(workspace(sessionId), 'waiting')));
  kill(world.handsPid(sessionId));

  const events = await world.sees(sessionId, 'turn.completed');
  const result = events.find(({ type }) => type === 'tool.result');
  expect(result?.body.outcome).toBe('unknown');
  expect(events.findLast(({ type }) => type === 'turn.completed')?.body.outcome).toBe('completed');
  expect(readFileSync(join(workspace(sessionId), 'runs'), 'utf8')).toBe('run\n');
});

it('a brain that dies while a command runs fetches its result, and the command ran once', async () => {
  const sessionId = await world.startSession({ agent: 'wait', input: 'Wait.' });
  await eventually('the command runs', () => existsSync(join(workspace(sessionId), 'waiting')));
  kill(world.brainPid(sessionId));
  await world.sees(sessionId, 'brain.lost');
  writeFileSync(join(workspace(sessionId), 'go'), '');

  const events = await world.sees(sessionId, 'turn.completed');
  const results = events.filter(({ type }) => type === 'tool.result');
  expect(results.map(({ body }) => [body.outcome, body.output.includes('went')])).toEqual([['ok', true]]);
  expect(readFileSync(join(workspace(sessionId), 'runs'), 'utf8')).toBe('run\n');
});
