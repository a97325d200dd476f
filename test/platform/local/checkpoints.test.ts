/** Checkpoints over an archive that the test holds: the real one is in test/platform/mongo/workspace-moves.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type WorkspaceArchive, WorkspaceHeld } from '../../../src/hands/workspace-archive.ts';
import { systemClock as clock } from '../../../src/kernel/clock.ts';
import { newId } from '../../../src/kernel/id.ts';
import { silentLogger as logger } from '../../../src/kernel/logger.ts';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { Checkpoints } from '../../../src/platform/local/workspace/checkpoints.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-checkpoints-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('does one thing after the other for a session, and another session does not wait (CHECKPOINT-3)', async () => {
  const asked: string[] = [];
  const { promise: answers, resolve: answer } = Promise.withResolvers<void>();
  const [busy, other] = [newId('session'), newId('session')];
  const nameOf = (id: string): string => (id === busy ? 'busy' : 'other');
  const archive: WorkspaceArchive = {
    async claim(sessionId) {
      asked.push(`claim ${nameOf(sessionId)}`);
      await answers;
      throw new WorkspaceHeld('another server');
    },
    async isKnown() {
      return true;
    },
    async forget(sessionId) {
      asked.push(`forget ${nameOf(sessionId)}`);
      return true;
    },
  };
  const placeOf = async () => undefined;
  const checkpoints = new Checkpoints({
    ...{ archive, workspaces: new WorkspaceStore(folder), placeOf, clock, logger },
  });

  const opening = checkpoints.open(busy).catch((error: unknown) => error);
  const forgetting = checkpoints.forget(busy);
  await checkpoints.forget(other);
  expect(asked).toEqual(['claim busy', 'forget other']);

  answer();
  expect(await opening).toBeInstanceOf(WorkspaceHeld);
  expect(await forgetting).toBe(true);
  expect(asked.at(-1)).toBe('forget busy');
});
