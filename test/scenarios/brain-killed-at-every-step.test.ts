/**
 * The brain is killed with SIGKILL at every journalled step of a turn, each step once, and every such session tells the
 * same story as one that was left alone: nothing missing, nothing twice, no tool run again.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isDense, story } from '../support/story.ts';
import { kill } from '../support/processes.ts';
import { onEachStore } from '../support/stores.ts';
import { World } from '../support/world.ts';

await onEachStore((store) => {
  let world: World;
  beforeAll(async () => {
    world = await World.open(
      { HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts`, HOLDFAST_SLOTS: '8' },
      store,
    );
    await world.createAgent({ name: 'story', model: 'rehearsal/story' });
  });
  afterAll(() => world.close());

  async function undisturbed(): Promise<readonly string[]> {
    const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
    return story(await world.sees(sessionId, 'turn.completed'));
  }

  /** Starts a session and kills its brain as soon as its log shows event number `step`. */
  async function killedAt(step: number): Promise<string> {
    const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
    await new Promise<void>((resolve) => {
      let killed = false;
      const reader = world.subscribe(sessionId, undefined, (frame) => {
        const reached = frame.__typename === 'EventBatch' && frame.events.at(-1)?.seq >= step;
        if (!reached || killed) return;
        killed = true;
        const pid = world.brainPid(sessionId);
        if (pid !== undefined) kill(pid);
        void reader.stop().then(resolve);
      });
    });
    return sessionId;
  }

  it('tells the same story wherever its brain was killed', async () => {
    const expected = await undisturbed();
    expect(expected.at(-3)).toContain('Done: one three run run');
    const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
    const steps = (await world.sees(sessionId, 'turn.completed')).length;
    expect(steps).toBeGreaterThan(20);

    const at = Array.from({ length: steps - 2 }, (_, index) => index + 2);
    let lost = 0;
    for (let from = 0; from < at.length; from += 4) {
      const sessions = await Promise.all(at.slice(from, from + 4).map(killedAt));
      for (const killed of sessions) {
        const events = await world.sees(killed, 'turn.completed');
        expect(isDense(events)).toBe(true);
        expect(story(events)).toEqual(expected);
        lost += events.filter(({ type }) => type === 'brain.lost').length;
      }
    }
    expect(lost).toBeGreaterThan(steps / 2); // the kills did happen
  }, 240_000);
});
