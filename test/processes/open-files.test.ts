/** How the limit of open files is shared. */
import { expect, it } from 'vitest';
import { filesAdvice, limitIn, openFilesLimit, shareOpenFiles } from '../../src/processes/open-files.ts';

it('is read from the table of the kernel', () => {
  const table = 'Limit   Soft Limit  Hard Limit  Units\nMax open files   4096   524288   files\n';

  expect(limitIn(table)).toBe(4_096);
  expect(limitIn(table.replace('4096', 'unlimited'))).toBe(Number.MAX_SAFE_INTEGER);
  expect(limitIn('')).toBe(1_024);
  expect(openFilesLimit()).toBeGreaterThan(0);
});

// proves FILES-1
it.each([344, 512, 728, 800, 1_024, 4_096, 20_000, 1_048_576])(
  'of %i leaves what units and database need, or says what to raise',
  (limit) => {
    for (const units of [1, 10, 17, 18]) {
      const shares = shareOpenFiles(limit, units);
      const { limitMin, connectionsMax, socketsMax, unitConnectionsMax } = shares;
      const isEnough = connectionsMax + unitConnectionsMax <= limit - 256 - units * 24;

      expect(isEnough).toBe(limit >= limitMin);
      expect(filesAdvice(shares) === undefined).toBe(isEnough);
      expect(socketsMax).toBeLessThan(connectionsMax);
      expect(connectionsMax).toBeGreaterThanOrEqual(32);
    }
  },
);

it.each([256, 512, 700])('of %i lets somebody in, and says that it is too small for 17 units', (limit) => {
  const shares = shareOpenFiles(limit, 17);

  expect(shares).toMatchObject({ connectionsMax: 32, unitConnectionsMax: 32 });
  expect(filesAdvice(shares)).toMatch(new RegExp(`is ${limit}, .* may need 728: raise it .*ulimit -Hn`));
});
