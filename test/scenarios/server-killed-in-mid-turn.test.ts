/** The whole server is killed with SIGKILL in the middle of turns and started again: every session goes on by itself. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isDense, story } from '../support/story.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

await onEachStore((store) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, PORT: '0' }, store);
    await world.createAgent({ name: 'story', model: 'rehearsal/story' });
  });
  afterAll(() => world.close());

  it('each session ends its turn with the same story, and no process of the old server is left', async () => {
    const left = await world.startSession({ agent: 'story', input: 'Tell it.' });
    const expected = story(await world.sees(left, 'turn.completed'));

    for (const step of ['brain.started', 'model.started', 'tool.call', 'tool.result', 'model.completed']) {
      const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
      await world.sees(sessionId, step);
      await world.crash(); // which looks for what is left, also for a brain that was being launched
      await world.start();

      const events = await world.sees(sessionId, 'turn.completed');
      expect(isDense(events)).toBe(true);
      expect(withoutUnknown(story(events)), `killed at ${step}`).toEqual(withoutUnknown(expected));
    }
  }, 180_000);
});

/**
 * A command that ran when the whole machine part died may be told as unknown; then the model's answers, which quote it,
 * differ, and so may it be told that files are lost: nobody knows what that command did to them. Everything else is the same.
 */
function withoutUnknown(lines: readonly string[]): readonly string[] {
  return lines
    .filter((line) => !line.startsWith('workspace.reverted'))
    .map((line) =>
      line.startsWith('tool.result') || line.startsWith('agent.message') ? (line.split(' ')[0] ?? '') : line,
    );
}
