/** How the limit of open files is shared. */
import { expect, it } from 'vitest';
import { limitIn, openFilesLimit, shareOpenFiles } from '../../src/processes/open-files.ts';

it('is read from the table of the kernel', () => {
  const table = 'Limit   Soft Limit  Hard Limit  Units\nMax open files   4096   524288   files\n';

  expect(limitIn(table)).toBe(4_096);
  expect(limitIn(table.replace('4096', 'unlimited'))).toBe(Number.MAX_SAFE_INTEGER);
  expect(limitIn('')).toBe(1_024);
  expect(openFilesLimit()).toBeGreaterThan(0);
});

// proves FILES-1
it.each([1_024, 4_096, 20_000, 1_048_576])('of %i leaves what units and database need', (limit) => {
  for (const units of [1, 18]) {
    const { connectionsMax, socketsMax, unitConnectionsMax } = shareOpenFiles(limit, units);

    expect(connectionsMax + unitConnectionsMax).toBeLessThanOrEqual(limit - 256 - units * 24);
    expect(socketsMax).toBeLessThan(connectionsMax);
    expect(connectionsMax).toBeGreaterThanOrEqual(32);
  }
});

it('that is tiny still lets somebody in', () => {
  expect(shareOpenFiles(256, 16)).toMatchObject({ connectionsMax: 32, unitConnectionsMax: 64 });
});
