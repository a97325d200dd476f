import { expect, it } from 'vitest';
import { OwnLag } from './own-lag.ts';

it('knows how much of a wait the watcher itself was not there', () => {
  let now = 1_000;
  const lag = new OwnLag(() => now);
  for (let at = 0; at < 10; at += 1) {
    now += 5;
    lag.look();
  }
  expect(lag.within({ from: 1_000, to: 1_050 })).toBe(0);

  now = 1_350; // 300 ms later
  expect(lag.within({ from: 1_040, to: 1_350 })).toBe(300);
  expect(lag.within({ from: 1_250, to: 1_300 })).toBe(50);
  now += 5;
  lag.look();
  now += 100;
  expect(lag.within({ from: 1_200, to: 1_455 })).toBe(250); // both stalls, the one until now too
  expect(lag.within({ from: 1_351, to: 1_354 })).toBe(0);
});
