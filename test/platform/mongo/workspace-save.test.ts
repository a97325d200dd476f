/** Whole workspaces through MongoDB: what comes back, what is written, and what a crash or a forger can do. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../../src/kernel/id.ts';
import { HEADER, lineOf } from '../../../src/platform/host/workspace/workspace-manifest.ts';
import { restore } from '../../../src/platform/host/workspace/workspace-restore.ts';
import { save, type Saved } from '../../../src/platform/host/workspace/workspace-save.ts';
import type { Workspace } from '../../../src/platform/host/workspace/workspace-store.ts';
import {
  CheckpointDamaged,
  type WorkspaceClaim,
  WorkspaceUnsaved,
} from '../../../src/hands/workspace-archive.ts';
import { failingAt } from '../../support/failing-writes.ts';
import { mongoSuite } from '../../support/mongo-suite.ts';
import { openArchive, type OpenMongoArchive } from '../../support/open-archive.ts';
import { BOUNDS, counting, makeDeep, newWorkspace, treeOf } from '../../support/tree.ts';

const MIB = 1024 * 1024;

await mongoSuite('a workspace', (server) => {
  let folder: string;
  let outside: string;
  let archive: OpenMongoArchive;
  let sessionId: SessionId;
  let workspace: Workspace;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-tree-'));
    outside = join(folder, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'secret'), 'secret');
    archive = await openArchive(server.uri());
    sessionId = newId('session');
    workspace = await newWorkspace(folder);
  });
  afterEach(async () => {
    await archive.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const saveAs = async (owner: string): Promise<Saved & { written: readonly string[] }> => {
    const claim = counting(await (await archive.as(owner)).claim(sessionId, 0));
    return { ...(await save(claim, workspace, BOUNDS)), written: claim.written };
  };
  const restoreAs = async (owner: string): Promise<string> => {
    const claim = await (await archive.as(owner)).claim(sessionId, 0);
    const target = mkdtempSync(join(folder, 'restored-'));
    try {
      await restore(claim, target, BOUNDS);
      return target;
    } finally {
      await claim.release();
    }
  };
  const file = (name: string): string => join(workspace.files, name);

  it('comes back as it was, on another server', async () => {
    fillNastily(workspace, outside);
    const saved = await saveAs('a');
    const target = await restoreAs('b');

    expect(treeOf(target)).toEqual(
      treeOf(workspace.folder).filter((line) => /^\/(files|results)/.test(line) && !line.includes(' other ')),
    );
    expect(saved.files).toBeGreaterThan(1_000);
    expect(treeOf(outside)).toHaveLength(1);
    rmSync(target, { recursive: true });
  });

  it('restored and saved again is the same checkpoint', async () => {
    fillNastily(workspace, outside);
    const { checkpoint } = await saveAs('a');
    const target = await restoreAs('b');
    const { folder: _, ...names } = workspace;
    workspace = { ...names, folder: target, files: join(target, 'files'), results: join(target, 'results') };
    workspace = { ...workspace, hashes: join(target, 'hashes') };

    const again = await saveAs('b');
    expect(again.checkpoint).toEqual(checkpoint);
    expect(again.written).toEqual([]);
  });

  it('that has not changed is not written again, whatever its times say', async () => {
    writeFileSync(file('large'), randomBytes(3 * MIB));
    writeFileSync(file('small'), 'small');
    const first = await saveAs('a');
    expect(first.written).toHaveLength(3); // the large one, the pack, the manifest
    const stored = await archive.stored(sessionId);

    const second = await saveAs('a');
    expect(second).toMatchObject({ checkpoint: first.checkpoint, storedBytes: 0, written: [] });
    rmSync(workspace.hashes); // then everything is read, and nothing is written all the same
    expect((await saveAs('b')).written).toEqual([]);
    utimesSync(file('small'), 1, 1);
    const touched = await saveAs('a');
    expect(touched).toMatchObject({ storedBytes: 0 });
    expect(touched.written).toHaveLength(1); // the manifest
    expect(await archive.stored(sessionId)).toHaveLength(stored.length);
  });

  describe('that is written to while it is saved', () => {
    /** A claim under which `meanwhile` happens at the first write of a content, once it has begun. */
    const disturbed = (claim: WorkspaceClaim, meanwhile: () => void): WorkspaceClaim => {
      let isDone = false;
      const write: WorkspaceClaim['write'] = (hash, bytes) => claim.write(hash, during(bytes));
      const during = async function* (bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
        for await (const part of bytes) {
          if (!isDone) meanwhile();
          isDone = true;
          yield part;
        }
      };
      return { ...claim, write };
    };

    it('is kept with every file as it was at some moment, and nothing from outside', async () => {
      for (const name of ['a-large', 'large']) writeFileSync(file(name), randomBytes(MIB));
      for (const name of ['z-gone', 'z-same', 'z-short', 'z-link'])
        writeFileSync(file(name), name.repeat(100));
      for (const name of ['y-folder', 'y-gone', 'y-other']) {
        mkdirSync(file(name));
        writeFileSync(file(`${name}/f`), 'in it');
      }
      symlinkSync('nowhere', file('z-target'));
      const later = randomBytes(MIB - 1);
      const claim = disturbed(await (await archive.as('a')).claim(sessionId, 0), () => {
        writeFileSync(file('a-large'), later);
        for (const name of ['y-gone', 'y-other', 'z-gone', 'z-target', 'z-link'])
          rmSync(file(name), { recursive: true });
        for (const name of ['y-other', 'z-link']) symlinkSync(outside, file(name));
        truncateSync(file('z-short'), 3);
      });
      await save(claim, workspace, BOUNDS, { isLive: true, place: { seq: 5, turn: 1 } });
      await archive.die('a');

      const kept = treeOf(await restoreAs('b')).filter((line) => line.startsWith('/files/'));
      const names = kept.map((line) => line.split(' ')[0]);
      expect(names).toEqual(expect.arrayContaining(['/files/a-large', '/files/large', '/files/z-same']));
      const hash = createHash('sha256').update(later).digest('hex');
      expect(kept.find((line) => line.startsWith('/files/a-large'))).toContain(hash);
      expect(names.filter((name) => /z-gone|secret/.test(name ?? ''))).toEqual([]);
    });

    it('is saved again after its last processes, without what was known of it before', async () => {
      writeFileSync(file('mapped'), 'first');
      writeFileSync(file('other'), 'third');
      const claim = await (await archive.as('a')).claim(sessionId, 0);
      const first = await save(claim, workspace, BOUNDS, { isLive: true });
      const { dev, ino, ctimeNs, size } = lstatSync(file('mapped'), { bigint: true });
      const wrong = createHash('sha256').update('third').digest('hex'); // what a map may have hidden
      appendFileSync(`${workspace.hashes}.live`, `${dev}.${ino}.${ctimeNs}.${size} ${wrong} -\n`);
      await save(claim, workspace, BOUNDS, { places: first.places });

      const target = await restoreAs('b');
      expect(readFileSync(join(target, 'files/mapped'), 'utf8')).toBe('first');
    });
  });

  it('stores one file that changed and no other', async () => {
    for (let n = 0; n < 50; n += 1) writeFileSync(file(`f${n}`), randomBytes(1_000));
    writeFileSync(file('large'), randomBytes(MIB));
    await saveAs('a');
    writeFileSync(file('f7'), 'changed without a change of size'.padEnd(1_000));

    expect((await saveAs('a')).storedBytes).toBe(1_000);
    renameLike(file('large'), file('moved'));
    expect((await saveAs('a')).storedBytes).toBe(0);
  });

  it('notices a change that keeps size and mtime', async () => {
    writeFileSync(file('a'), 'one');
    const { mtime, atime } = lstatSync(file('a'));
    await saveAs('a');
    writeFileSync(file('a'), 'two');
    utimesSync(file('a'), atime, mtime);
    await saveAs('a');

    const target = await restoreAs('b');
    expect(treeOf(target)).toEqual(
      treeOf(workspace.folder).filter((line) => /^\/(files|results)/.test(line)),
    );
  });

  it('that changes a little many times ends as few contents', async () => {
    for (let n = 0; n < 30; n += 1) {
      writeFileSync(file(`f${n}`), `content ${n}`);
      await saveAs('a');
    }

    expect((await archive.stored(sessionId)).length).toBeLessThanOrEqual(12);
    expect(treeOf(await restoreAs('b'))).toEqual(
      treeOf(workspace.folder).filter((line) => /^\/(files|results)/.test(line)),
    );
  });

  it('over its bounds is not saved, and the checkpoint before stays', async () => {
    writeFileSync(file('a'), 'a');
    const { checkpoint } = await saveAs('a');
    writeFileSync(file('large'), Buffer.alloc(BOUNDS.bytesMax, 'x'));
    await expect(saveAs('a')).rejects.toBeInstanceOf(WorkspaceUnsaved);
    rmSync(file('large'));
    makeDeep(workspace.files, 'd', 1_001, 'too deep');
    await expect(saveAs('a')).rejects.toBeInstanceOf(WorkspaceUnsaved);

    expect((await (await archive.as('a')).claim(sessionId, 0)).checkpoint).toEqual(checkpoint);
  });

  it('whose saved contents were damaged is refused, and whole again with the next save', async () => {
    writeFileSync(file('a'), 'a');
    await saveAs('a');
    await archive.database.db
      .collection('workspace.chunks')
      .updateMany({}, { $set: { data: Buffer.from('x') } });
    await expect(restoreAs('b')).rejects.toBeInstanceOf(CheckpointDamaged);

    await saveAs('a');
    expect(treeOf(await restoreAs('b'))).toHaveLength(3);
  });

  it('is saved anew when a pack that is packed anew was damaged, what the save had written until then included', async () => {
    writeFileSync(file('gone'), randomBytes(200_000));
    writeFileSync(file('kept'), randomBytes(10_000));
    const { checkpoint } = await saveAs('a');
    await archive.database.db
      .collection('workspace.chunks')
      .updateMany(
        { files_id: { $ne: `${sessionId}/${checkpoint.root}` } },
        { $set: { data: Buffer.from('x') } },
      );
    rmSync(file('gone'));
    writeFileSync(file('large'), randomBytes(MIB));

    await saveAs('a');
    expect(treeOf(await restoreAs('b'))).toEqual(
      treeOf(workspace.folder).filter((line) => /^\/(files|results)/.test(line)),
    );
  });

  it('is old or new after a crash at any write of a save, and the next save leaves nothing behind (ARCHIVE-1)', async () => {
    const before = (): void => {
      writeFileSync(file('same'), randomBytes(1_000));
      writeFileSync(file('gone'), randomBytes(400_000));
    };
    const change = (): void => {
      rmSync(file('gone'), { force: true });
      writeFileSync(file('new'), randomBytes(2 * MIB));
      writeFileSync(file('small'), randomBytes(100));
    };
    const kept = (path: string) => treeOf(path).filter((line) => /^\/(files|results)/.test(line));
    const outcomes: string[] = [];
    for (const isAnswerLost of [false, true]) {
      for (let at = 1, crashed = true; crashed; at += 1) {
        sessionId = newId('session');
        workspace = await newWorkspace(folder);
        before();
        await saveAs('a');
        const old = kept(workspace.folder);
        change();
        const view = failingAt(archive.database, at, isAnswerLost);
        const cut = await archive.through(view.database, 'cut');
        await cut
          .claim(sessionId, 0)
          .then((claim) => save(claim, workspace, BOUNDS))
          .catch((error: unknown) => expect(String(error)).toContain('cut here'));
        crashed = view.hasFailed();
        await archive.die('cut');

        const found = kept(await restoreAs('b'));
        const now = kept(workspace.folder);
        const isNew = found.join('\n') === now.join('\n');
        if (!isNew) expect(found).toEqual(old);
        outcomes.push(isNew ? 'new' : 'old');
        const { checkpoint } = await saveAs('b');
        expect(kept(await restoreAs('b'))).toEqual(now);
        // a pack for each of the two that changed apart, the large one, the manifest
        const stored = await archive.stored(sessionId);
        expect(stored).toContain(`${sessionId}/${checkpoint.root}`);
        expect(stored).toHaveLength(4);
      }
    }
    expect(outcomes).toContain('old');
    expect(outcomes.filter((outcome) => outcome === 'new').length).toBeGreaterThan(2);
    expect(outcomes.length).toBeGreaterThan(12);
  });

  it('loses nothing of its new checkpoint to what an overtaken server removes late', async () => {
    writeFileSync(file('kept'), randomBytes(1_000));
    writeFileSync(file('gone'), randomBytes(400_000));
    await saveAs('a');
    rmSync(file('gone'));
    const { promise: removes, resolve: onRemoves } = Promise.withResolvers<void>();
    const { promise: mayRemove, resolve: letRemove } = Promise.withResolvers<void>();
    const slow = failingAt(archive.database, Infinity, false, async (write) => {
      if (write !== 'deleteMany') return;
      onRemoves();
      await mayRemove;
    });
    const claim = await (await archive.through(slow.database, 'slow')).claim(sessionId, 0);
    const late = save(claim, workspace, BOUNDS);
    await removes; // its checkpoint is made, and its removal hangs
    await archive.die('slow');
    writeFileSync(file('new'), randomBytes(400_000));
    const kept = treeOf(workspace.folder).filter((line) => /^\/(files|results)/.test(line));
    workspace = { ...workspace, folder: outside, hashes: join(outside, 'hashes') }; // the other's own
    await saveAs('b');
    letRemove();
    await late;

    expect(treeOf(await restoreAs('c'))).toEqual(kept);
  });

  describe('with a manifest that somebody forged', () => {
    const name = (text: string): Buffer => Buffer.from(text);
    const dir = (text: string) => lineOf({ kind: 'folder', name: name(text), mode: 0o755, mtimeMs: 0 });
    const link = (text: string, target: string) =>
      lineOf({ kind: 'link', name: name(text), mtimeMs: 0, target: name(target) });
    const empty = (text: string) =>
      lineOf({ kind: 'file', name: name(text), mode: 0o644, mtimeMs: 0, bytes: 0, sha256: undefined });
    const up = '["u"]';
    const hash = 'a'.repeat(64);

    it.each([
      ['a name that leads up', [dir('files'), empty('..'), up]],
      ['a folder that leads up', [dir('files'), dir('..'), empty('x'), up, up]],
      ['a path of two names', [dir('files'), empty('../../outside/x'), up]],
      ['an absolute name', [dir('files'), empty('/etc/x'), up]],
      ['no name', [dir('files'), empty(''), up]],
      ['a name with a zero', [dir('files'), empty('a\0b'), up]],
      ['a file through a link', [dir('files'), link('out', '../../outside/new'), empty('out'), up]],
      [
        'a folder through a link',
        [dir('files'), link('out', '../../outside'), dir('out'), empty('new'), up, up],
      ],
      ['a link in the place of a root', [link('files', '../outside'), dir('files'), empty('new'), up]],
      ['a file beside the roots', [empty('checkpoint.json')]],
      ['another root', [dir('other'), up]],
      ['a root twice', [dir('files'), up, dir('files'), up]],
      ['more ups than folders', [dir('files'), up, up, empty('x')]],
      ['an end in the middle', [dir('files')]],
      ['a file without a place', [dir('files'), `["f","x",420,0,5,"${hash}"]`, up]],
      [
        'a content of somebody else',
        [`["c","${hash}","../ses_0/1/${hash}",0,5,5]`, dir('files'), `["f","x",420,0,5,"${hash}"]`, up],
      ],
      ['a place outside of its content', [`["c","${hash}","1/${hash}",4,5,5]`]],
      ['folders without end', [dir('files'), ...Array.from({ length: 1_200 }, () => dir('d'))]],
      ['a line without end', [dir('files'), `["l","x",0,"${'x'.repeat(100_000)}"]`, up]],
      ['no JSON', ['{']],
      ['another format', undefined],
    ])('writes nothing outside for %s', async (_, lines) => {
      const text = lines === undefined ? '["holdfast workspace",3]\n' : `${[HEADER, ...lines].join('\n')}\n`;
      const claim = await (await archive.as('a')).claim(sessionId, 0);
      const root = await claim.write(createHash('sha256').update(text).digest('hex'), [Buffer.from(text)]);
      await claim.settle(root, new Set());
      const around = readdirSync(folder);

      await expect(restoreAs('b')).rejects.toBeInstanceOf(CheckpointDamaged);
      expect(readdirSync(outside)).toEqual(['secret']);
      expect(readdirSync(folder).filter((entry) => !entry.startsWith('restored-'))).toEqual(around);
      expect(existsSync('/etc/x')).toBe(false);
    });
  });
});

/** What agents leave, and what they would leave to do harm. */
function fillNastily({ files, results }: Workspace, outside: string): void {
  const at = (name: string): string => join(files, name);
  for (const name of ['ünïcödé 漢字 🎉', 'new\nline', ' ', '-rf', 'quo\'te"', '\\', '\u0001'])
    writeFileSync(at(name), name);
  writeFileSync(Buffer.concat([Buffer.from(`${files}/`), Buffer.from([0xff, 0xfe, 0x80])]), 'not UTF-8');
  writeFileSync(at('x'.repeat(255)), '');
  writeFileSync(at('large'), randomBytes(20 * MIB));
  writeFileSync(at('twin'), 'same bytes');
  writeFileSync(at('other twin'), 'same bytes');
  execFileSync('ln', [at('twin'), at('hard link')]);
  for (const mode of [0o000, 0o400, 0o644, 0o755, 0o777]) {
    writeFileSync(at(`mode ${mode}`), `${mode}`);
    chmodSync(at(`mode ${mode}`), mode);
  }
  writeFileSync(at('holes'), '');
  truncateSync(at('holes'), 20 * MIB);
  appendFileSync(at('holes'), 'and data');
  execFileSync('ln', [at('holes'), at('many holes')]);
  symlinkSync(outside, at('to outside'));
  symlinkSync(join(outside, 'secret'), at('to a secret'));
  symlinkSync('../'.repeat(50), at('up'));
  symlinkSync('nowhere', at('dangling'));
  lutimesSync(at('dangling'), 1_000, 1_000.5);
  execFileSync('mkfifo', [at('fifo')]);
  mkdirSync(at('many'));
  for (let n = 0; n < 1_000; n += 1) writeFileSync(at(`many/${n}`), `${n}`.repeat(n % 50));
  makeDeep(files, 'n'.repeat(200), 40, 'long');
  makeDeep(files, 'd', 900, 'deep');
  writeFileSync(join(results, 'call_1.json'), '{"outcome":"ok"}');
  appendFileSync(at('log'), 'line\n');
  mkdirSync(at('empty'));
  mkdirSync(at('closed'));
  writeFileSync(at('closed/in'), 'in');
  utimesSync(at('twin'), 1_234_567.891, 1_234_567.891);
  utimesSync(at('many'), 0, 0);
  utimesSync(at('log'), '-1.5', '-1.5');
  chmodSync(at('closed'), 0);
}

function renameLike(from: string, to: string): void {
  execFileSync('mv', [from, to]);
}
