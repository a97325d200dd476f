/** What live watchers are told of an answer that is being written. */
import { expect, test } from 'vitest';
import { DeltaPost } from '../../src/brain/delta-post.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { UnitDelta } from '../../src/sessions/unit-wire.ts';
import { UnitDouble } from './unit-double.ts';

const [HIGH = '', LOW = ''] = Array.from({ length: 2 }, (_, index) => '\u{1f680}'.charAt(index));

/** Posts each piece by itself: the clock does not wait. */
async function told(pieces: readonly string[]): Promise<readonly UnitDelta[]> {
  const unit = new UnitDouble();
  const clock = { ...systemClock, sleep: () => Promise.resolve() };
  const post = new DeltaPost({ unit, clock }, 't1m1', 'message');
  for (const piece of pieces) {
    post.push(piece);
    await new Promise(setImmediate);
  }
  await post.close();
  return unit.deltas;
}

test('a character that comes in two halves is told whole', async () => {
  const deltas = await told([`up ${HIGH}`, `${LOW} and`, ' away']);

  expect(deltas.map(({ offset, text }) => [offset, text])).toEqual([
    [0, 'up '],
    [3, '\u{1f680} and'],
    [9, ' away'],
  ]);
});

test('half a character that nothing follows is not waited for, and is not told', async () => {
  expect((await told([HIGH])).map(({ text }) => text)).toEqual([]);
  expect((await told(['a', HIGH, HIGH, 'b'])).map(({ text }) => text)).toEqual(['a', HIGH, `${HIGH}b`]);
});
