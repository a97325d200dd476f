/** A subscriber whose socket drops after every single frame, and resumes from its last cursor, misses and doubles nothing. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.open({ HOLDFAST_REHEARSAL: `${import.meta.dirname}/scripts` });
  await world.createAgent({ name: 'story', model: 'rehearsal/story' });
});
afterAll(() => world.close());

/** Reads one event after `cursor`, then drops the socket. Cursors are `<seq>.<check>`: the test cuts batches into events. */
function nextEvent(
  sessionId: string,
  cursor: string | undefined,
): Promise<{ seq: number; type: string; cursor: string }> {
  return new Promise((resolve) => {
    const reader = world.subscribe(
      sessionId,
      cursor,
      (frame) => {
        const event = frame.__typename === 'EventBatch' ? frame.events[0] : undefined;
        if (event !== undefined) void reader.stop().then(() => resolve(event));
      },
      'events { seq type cursor } cursor',
    );
  });
}

it('live and afterwards, resuming at every cursor gives every event once, in order', async () => {
  const sessionId = await world.startSession({ agent: 'story', input: 'Tell it.' });
  const seen: number[] = [];
  let cursor: string | undefined;
  for (let done = false; !done; ) {
    const event = await nextEvent(sessionId, cursor);
    cursor = event.cursor;
    seen.push(event.seq);
    done = event.type === 'turn.completed';
  }

  const events = await world.events(sessionId);
  expect(seen).toEqual(events.map(({ seq }) => seq).slice(0, seen.length));
  expect(seen.length).toBeGreaterThan(20);
}, 120_000);
