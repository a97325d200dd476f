/** A server that is told to end (a deploy) while a command runs: nobody has canceled that, so the model is told that its outcome is unknown. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

await onEachStore((store) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, PORT: '0' }, store);
    await world.createAgent({ name: 'wait', model: 'rehearsal/wait' });
  });
  afterAll(() => world.close());

  it('goes on in the next one with an unknown outcome and what the command had said, and the command ran once', async () => {
    const sessionId = await world.startSession({ agent: 'wait', input: 'Wait.' });
    const files = join(world.folder, 'data', 'workspaces', sessionId, 'files');
    await eventually('the command runs', () => existsSync(join(files, 'waiting')));
    await world.stop();
    await world.start();

    const events = await world.sees(sessionId, 'turn.completed');
    const results = events.filter(({ type }) => type === 'tool.result');
    expect(results.map(({ body }) => body.outcome)).toEqual(['unknown']);
    expect(results[0]?.body.output).toContain('the server stopped');
    expect(events.some(({ type }) => type === 'workspace.reverted')).toBe(false);
    expect(readFileSync(join(files, 'runs'), 'utf8')).toBe('run\n');
  }, 120_000);
});
