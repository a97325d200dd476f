import { expect, it } from 'vitest';
import { RoundRobin } from '../../src/kernel/round-robin.ts';

/** An event loop that goes round when it is told to. */
function loop() {
  let queued: (() => void)[] = [];
  return {
    scheduler: {
      immediate: (work: () => void) => {
        queued.push(work);
        return () => undefined;
      },
      interval: () => () => undefined,
    },
    async round(): Promise<void> {
      const now = queued;
      queued = [];
      for (const work of now) work();
      for (let settled = 0; settled < 5; settled += 1) await Promise.resolve();
    },
    get isIdle() {
      return queued.length === 0;
    },
  };
}

it('gives one turn in a round, and the owners one after the other: whoever comes with much holds nobody up', async () => {
  const { scheduler, round } = loop();
  const turns = new RoundRobin(scheduler);
  const had: string[] = [];
  const take = (owner: string): void => void turns.turn(owner).then(() => had.push(owner));
  for (let count = 0; count < 4; count += 1) take('greedy');
  take('a');
  take('b');

  const rounds: string[] = [];
  for (let count = 0; count < 7; count += 1) {
    await round();
    rounds.push(had.splice(0).join(' '));
  }

  expect(rounds).toEqual(['greedy greedy', 'a', 'b', 'greedy', 'greedy', '', '']); // the first came before the first round
});

it('gives the parts of one owner their turns one after the other too', async () => {
  const { scheduler, round } = loop();
  const turns = new RoundRobin(scheduler);
  const had: string[] = [];
  const take = (owner: string, part: string): void =>
    void turns.turn(owner, part).then(() => had.push(`${owner}${part}`));
  for (const part of ['1', '1', '1', '1', '2']) take('a', part);
  take('b', '1');

  for (let count = 0; count < 6; count += 1) await round();

  expect(had).toEqual(['a1', 'a1', 'b1', 'a2', 'a1', 'a1']); // the first came before the first round
});

it('is free again when nobody waits, and leaves nothing in the loop', async () => {
  const events = loop();
  const turns = new RoundRobin(events.scheduler);
  await turns.turn('a');
  await events.round();

  expect(events.isIdle).toBe(true);
  await expect(turns.turn('a')).resolves.toBeUndefined();
});
