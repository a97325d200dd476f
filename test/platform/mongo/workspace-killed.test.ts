/** Saves that end by SIGKILL, in processes of their own: at chance moments, where the injected failures of workspace-save.test.ts are at each write. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { restore } from '../../../src/platform/host/workspace/workspace-restore.ts';
import { save } from '../../../src/platform/host/workspace/workspace-save.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { openArchive } from '../../support/open-archive.ts';
import { randomOf } from '../../support/random.ts';
import { BOUNDS, newWorkspace, treeOf } from '../../support/tree.ts';

const CHILD = join(import.meta.dirname, '../../support/save-until-killed.ts');
const ROUNDS = 8;
/** About as long as a save takes on a slow server, so that kills fall before, in and after it. */
const SAVE_MS = 900;

await mongoSuite('a workspace whose server is killed', (server) => {
  it('is old or new, and whole again with the next save', async () => {
    const chance = randomOf(Date.now());
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-killed-'));
    const uri = server.uri();
    const archive = await openArchive(uri);
    const sessionId = newId('session');
    const workspace = await newWorkspace(folder);
    const kept = (path: string) => treeOf(path).filter((line) => /^\/(files|results)/.test(line));
    const claim = async () => (await archive.as('parent')).claim(sessionId, 0);
    writeFileSync(join(workspace.files, 'same'), randomBytes(300_000));
    await save(await claim(), workspace, BOUNDS);

    for (let round = 0; round < ROUNDS; round += 1) {
      const old = kept(workspace.folder);
      for (const name of ['l1', 'l2']) writeFileSync(join(workspace.files, name), randomBytes(2_000_000));
      for (let n = 0; n < 40; n += 1) writeFileSync(join(workspace.files, `s${n}`), randomBytes(20_000));
      const child = spawn(process.execPath, [CHILD, uri, sessionId, JSON.stringify(workspace)]);
      const ended = once(child, 'exit');
      await once(child.stdout, 'data');
      setTimeout(() => child.kill('SIGKILL'), chance.below(SAVE_MS));
      await ended;

      const target = mkdtempSync(join(folder, 'restored-'));
      const found = await claim();
      await restore(found, target, BOUNDS);
      await found.release();
      expect([old, kept(workspace.folder)], `seed ${chance.seed}`).toContainEqual(kept(target));
      await save(await claim(), workspace, BOUNDS);
      // three large ones, the pack, the manifest: nothing is left of the one that was killed
      expect(await archive.stored(sessionId), `seed ${chance.seed}`).toHaveLength(5);
    }
    await archive.close();
    rmSync(folder, { recursive: true, force: true });
  });
});
