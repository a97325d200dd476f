/** What a call is answered when its workspace cannot be had. */
import { expect, it } from 'vitest';
import { newId } from '../../src/kernel/id.ts';
import { silentLogger as logger } from '../../src/kernel/logger.ts';
import type { Launcher } from '../../src/supervisor/launcher.ts';
import { Workbench } from '../../src/supervisor/workbench.ts';
import { WorkspaceHeld } from '../../src/supervisor/workspace-archive.ts';

it('answers a call that the holder of the workspace may have run with unknown, and any other with why it failed', async () => {
  const sessionId = newId('session');
  const launcher: Launcher = {
    launchBrain: () => Promise.reject(new Error('not here')),
    launchHands: () => Promise.reject(new WorkspaceHeld('other')),
    rest: async () => undefined,
    forget: async () => undefined,
  };
  const workbench = new Workbench({ launcher, logger });
  workbench.open(sessionId);
  const call = { callId: 'c1', tool: 'bash', input: {}, timeoutMs: 1_000 };

  const inherited = await workbench.call(sessionId, { ...call, inherited: true });
  expect(inherited.outcome).toBe('unknown');
  expect(inherited.output).toContain('look before you do it again');
  const fresh = await workbench.call(sessionId, call);
  expect(fresh.outcome).toBe('failed');
  expect(fresh.output).toContain('with another server (other)');
  await workbench.close();
});
