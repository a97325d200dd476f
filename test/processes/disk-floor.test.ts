import { expect, it } from 'vitest';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Outage } from '../../src/kernel/outage.ts';
import { DiskFloor } from '../../src/processes/disk-floor.ts';

it('says once that the disk is low and once that it is not, and refuses to be ready in between', async () => {
  let freeBytes = 200;
  const said: string[] = [];
  const note = (message: string): void => void said.push(message);
  const floor = new DiskFloor('/none', { ...silentLogger, error: note, info: note }, () =>
    Promise.resolve({ freeBytes, floorBytes: 100 }),
  );
  await floor.check();
  expect(said).toEqual([]);

  freeBytes = 99;
  await expect(floor.check()).rejects.toThrow(Outage);
  await expect(floor.check()).rejects.toThrow(/almost full.*Make room/);
  expect(await floor.hasRoom()).toBe(false);

  freeBytes = 100;
  await floor.check();
  expect(said).toEqual([
    expect.stringContaining('almost full: sessions wait'),
    expect.stringContaining('has room again'),
  ]);
});
