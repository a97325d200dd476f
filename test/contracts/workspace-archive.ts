/** What every WorkspaceArchive must keep (src/hands/workspace-archive.ts ARCHIVE-1 to ARCHIVE-6). */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId, type SessionId } from '../../src/kernel/id.ts';
import {
  CheckpointDamaged,
  ClaimLost,
  type ContentId,
  type WorkspaceArchive,
  type WorkspaceClaim,
  WorkspaceHeld,
} from '../../src/hands/workspace-archive.ts';

export interface OpenArchive {
  /** The archive as the server of that owner has it, who lives from now on. */
  as(owner: string): Promise<WorkspaceArchive>;
  /** The owner lives no more. */
  die(owner: string): Promise<void>;
  /** Everything that is stored for a session, what was cut included. */
  stored(sessionId: SessionId): Promise<readonly string[]>;
  close(): Promise<void>;
}

export interface ArchivePlatform {
  readonly name: string;
  open(): Promise<OpenArchive>;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export function workspaceArchiveContract(platform: ArchivePlatform): void {
  describe(`the workspace archive contract on ${platform.name}`, () => {
    let world: OpenArchive;
    let a: WorkspaceArchive;
    let b: WorkspaceArchive;
    let sessionId: SessionId;
    beforeEach(async () => {
      world = await platform.open();
      a = await world.as('a');
      b = await world.as('b');
      sessionId = newId('session');
    });
    afterEach(() => world.close());

    it('gives the next holder the checkpoint that the last one has settled', async () => {
      const first = await a.claim(sessionId, 0);
      expect(first.checkpoint).toBeUndefined();
      const content = await write(first, 'content');
      const root = await write(first, 'root');
      const checkpoint = await first.settle(root, new Set([content]));

      const second = await b.claim(sessionId, 0);
      expect(second.checkpoint).toEqual(checkpoint);
      expect(await read(second, root)).toBe('root');
      expect(await read(second, content)).toBe('content');
      await second.release();
    });

    it('ARCHIVE-5 has a gap after an owner that died, for good, unless the next claim is of the one that was killed', async () => {
      const first = await a.claim(sessionId, 0);
      expect([first.number, first.gap]).toEqual([1, 'none']);
      await first.begin();
      await first.settle(await write(first, 'root'), new Set());
      const second = await a.claim(sessionId, 0);
      expect([second.gap, second.isCut]).toEqual(['none', false]);
      await second.begin();

      await world.die('a');
      const restarted = await b.claim(sessionId, 0);
      expect([restarted.number, restarted.gap, restarted.isCut]).toEqual([3, 'fresh', true]);
      restarted.closeGap();
      await restarted.begin();
      await restarted.release();
      const closed = await b.claim(sessionId, 0);
      expect([closed.gap, closed.isCut]).toEqual(['none', false]);
      await closed.begin();

      await world.die('b');
      const c = await world.as('c');
      const other = await c.claim(sessionId, 0);
      expect(other.gap).toBe('fresh');
      await other.begin();
      await other.settle(await write(other, 'root'), new Set());
      const later = await c.claim(sessionId, 0);
      expect([later.gap, later.isCut]).toEqual(['old', false]);
      await later.begin();

      await world.die('c');
      const again = await (await world.as('d')).claim(sessionId, 0);
      expect([again.gap, again.isCut]).toEqual(['old', true]); // cut once more, though the gap is old
    });

    it('ARCHIVE-6 knows of claims under which nothing was begun, and finds what there was before', async () => {
      const first = await a.claim(sessionId, 0);
      expect([first.begunBefore, first.isCut]).toEqual([0, false]);
      await world.die('a');
      const second = await b.claim(sessionId, 0);
      expect([second.begunBefore, second.gap, second.isCut]).toEqual([0, 'none', false]);
      await expect(first.begin()).rejects.toBeInstanceOf(ClaimLost);
      await second.begin();
      await world.die('b');
      const c = await world.as('c');
      await (await c.claim(sessionId, 0)).release();
      await c.claim(sessionId, 0); // and its answer was lost
      await world.die('c');

      const last = await (await world.as('d')).claim(sessionId, 0);
      expect([last.number, last.begunBefore, last.gap, last.isCut]).toEqual([5, 2, 'fresh', true]);
    });

    it('ARCHIVE-5 has the gap still when the server that was killed comes back and begins nothing', async () => {
      const first = await a.claim(sessionId, 0);
      await first.begin();
      await first.keep(await write(first, 'root'), new Set());
      await world.die('a');
      const givenBack = await b.claim(sessionId, 0);
      givenBack.closeGap();
      await givenBack.release();
      const killed = await b.claim(sessionId, 0);
      expect([killed.begunBefore, killed.gap, killed.isCut]).toEqual([1, 'fresh', true]);
      killed.closeGap();
      await world.die('b');

      const c = await world.as('c');
      const elsewhere = await c.claim(sessionId, 0);
      expect([elsewhere.begunBefore, elsewhere.gap, elsewhere.isCut]).toEqual([1, 'fresh', true]);
      await elsewhere.begin();
      await elsewhere.settle(await write(elsewhere, 'root'), new Set());
      const later = await c.claim(sessionId, 0);
      expect([later.gap, later.isCut]).toEqual(['old', false]);
    });

    it('ARCHIVE-5 has no gap once the files that the dead owner left are saved, though nothing has begun since', async () => {
      const first = await a.claim(sessionId, 0);
      await first.begin();
      await world.die('a');
      const restarted = await b.claim(sessionId, 0);
      restarted.closeGap();
      await restarted.settle(await write(restarted, 'root'), new Set());

      const next = await b.claim(sessionId, 0);
      expect([next.begunBefore, next.gap, next.isCut]).toEqual([1, 'none', false]);
    });

    it('keeps contents larger than what one document holds', async () => {
      const claim = await a.claim(sessionId, 0);
      const parts = Array.from({ length: 20 }, (_, index) => Buffer.alloc(1024 * 1024, index));
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      const root = await claim.write(hash.digest('hex'), parts);
      await claim.settle(root, new Set());

      const again = await b.claim(sessionId, 0);
      const found = createHash('sha256');
      for await (const part of again.read(root)) found.update(part);
      expect(root.endsWith(found.digest('hex'))).toBe(true);
    });

    it('removes with a new checkpoint what it does not refer to, and what was never settled', async () => {
      const first = await a.claim(sessionId, 0);
      const kept = await write(first, 'kept');
      await first.settle(await write(first, 'one'), new Set([kept, await write(first, 'dropped')]));
      const cut = await a.claim(sessionId, 0);
      await write(cut, 'never settled');
      await cut.release();

      const second = await a.claim(sessionId, 0);
      const root = await write(second, 'two');
      const { version } = await second.settle(root, new Set([kept]));
      expect(version).toBe(2);
      expect(await world.stored(sessionId)).toEqual(
        [kept, root].map((id) => `${sessionId}/${id}`).toSorted(),
      );
    });

    it('holds the claim on over a checkpoint that is made meanwhile, and gives it back with the last', async () => {
      const claim = await a.claim(sessionId, 0);
      const first = await claim.keep(await write(claim, 'one'), new Set(), { seq: 7, turn: 1 });
      expect(claim.checkpoint).toEqual(first);
      await expect(b.claim(sessionId, 0)).rejects.toBeInstanceOf(WorkspaceHeld);
      const kept = await write(claim, 'kept');
      const second = await claim.keep(await write(claim, 'two'), new Set([kept]), { seq: 9, turn: 2 });
      expect(second.version).toBe(first.version + 1);
      expect(await world.stored(sessionId)).toHaveLength(2);
      const place = { seq: 9, turn: 2 };
      expect(await claim.settle(second.root, new Set([kept]), place)).toEqual(second);

      const next = await b.claim(sessionId, 0);
      expect([next.checkpoint, next.gap]).toEqual([second, 'none']);
      expect(next.age).toMatchObject({ savedAt: expect.any(Number), place: { seq: 9, turn: 2 } });
      expect(await read(next, kept)).toBe('kept');
    });

    it('knows no place of a checkpoint that was made without one', async () => {
      const claim = await a.claim(sessionId, 0);
      await claim.keep(await write(claim, 'one'), new Set(), { seq: 7, turn: 1 });
      await claim.keep(await write(claim, 'two'), new Set());
      expect(claim.age?.place).toBeUndefined();
      await claim.keep(await write(claim, 'three'), new Set(), { seq: 9, turn: 2 });
      await claim.settle(await write(claim, 'three'), new Set());

      const next = await b.claim(sessionId, 0);
      expect(next.age).toEqual({ savedAt: expect.any(Number), place: undefined });
    });

    it('ARCHIVE-3 writes a content again that a checkpoint of the same claim did without', async () => {
      const claim = await a.claim(sessionId, 0);
      const content = await write(claim, 'back and forth');
      await claim.keep(await write(claim, 'with'), new Set([content]));
      await claim.keep(await write(claim, 'without'), new Set());
      const again = await write(claim, 'back and forth');
      await claim.settle(await write(claim, 'with'), new Set([again]));

      const next = await b.claim(sessionId, 0);
      expect(await read(next, again)).toBe('back and forth');
      expect(await read(next, next.checkpoint?.root ?? '')).toBe('with');
    });

    it('writes a content again whose writing was cut', async () => {
      const claim = await a.claim(sessionId, 0);
      const cut = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.alloc(3 * 1024 * 1024);
        await Promise.reject(new Error('cut'));
      };
      await expect(claim.write(sha256('whole'), cut())).rejects.toThrow('cut');
      const root = await write(claim, 'whole');
      await claim.keep(root, new Set());

      expect(await read(claim, root)).toBe('whole');
    });

    it('ARCHIVE-2, ARCHIVE-5 keeps nothing of a holder that was overtaken, and has a gap after one that had kept', async () => {
      const stale = await a.claim(sessionId, 0);
      await stale.begin();
      const before = await stale.keep(await write(stale, 'before'), new Set(), { seq: 3, turn: 1 });
      await world.die('a');
      const taken = await b.claim(sessionId, 0);
      expect([taken.checkpoint, taken.gap]).toEqual([before, 'fresh']);

      await expect(stale.keep(await write(stale, 'late'), new Set())).rejects.toBeInstanceOf(ClaimLost);
      expect((await b.claim(sessionId, 0)).checkpoint).toEqual(before);
    });

    it('leaves the version alone when the root is the same', async () => {
      const first = await a.claim(sessionId, 0);
      const checkpoint = await first.settle(await write(first, 'root'), new Set());
      const second = await a.claim(sessionId, 0);
      const garbage = await write(second, 'garbage');

      expect(await second.settle(checkpoint.root, new Set())).toEqual(checkpoint);
      expect(await world.stored(sessionId)).not.toContain(`${sessionId}/${garbage}`);
      expect((await b.claim(sessionId, 0)).checkpoint).toEqual(checkpoint);
    });

    it('lets others wait for a holder that lives, and refuses them when it takes too long', async () => {
      const held = await a.claim(sessionId, 0);
      await expect(b.claim(sessionId, 50)).rejects.toBeInstanceOf(WorkspaceHeld);

      const waiting = b.claim(sessionId, 30_000);
      const checkpoint = await held.settle(await write(held, 'root'), new Set());
      expect((await waiting).checkpoint).toEqual(checkpoint);
    });

    it('ends the wait when it is told to', async () => {
      await a.claim(sessionId, 0);
      const stop = new AbortController();
      const waiting = b.claim(sessionId, 30_000, stop.signal);
      stop.abort();

      await expect(waiting).rejects.toBeInstanceOf(WorkspaceHeld);
    });

    it('takes over from a dead holder, and then nothing that it does reaches the checkpoint (ARCHIVE-2, GRIDFS-1)', async () => {
      const first = await a.claim(sessionId, 0);
      const before = await first.settle(await write(first, 'before'), new Set());
      const stale = await a.claim(sessionId, 0);
      const late = await write(stale, 'late');
      await world.die('a');
      const taken = await b.claim(sessionId, 0);
      expect(taken.checkpoint).toEqual(before);
      const ours = await write(taken, 'late'); // the same bytes, under an id of our own

      await expect(stale.settle(late, new Set())).rejects.toBeInstanceOf(ClaimLost);
      await stale.release();
      await expect((await world.as('c')).claim(sessionId, 0)).rejects.toBeInstanceOf(WorkspaceHeld);
      expect(ours).not.toBe(late);
      const after = await taken.settle(ours, new Set());
      expect(after.version).toBe(before.version + 1);
      const next = await b.claim(sessionId, 0);
      expect(await read(next, after.root)).toBe('late');
      expect(await world.stored(sessionId)).toEqual([`${sessionId}/${ours}`]);
      await expect(stale.settle(late, new Set())).rejects.toBeInstanceOf(ClaimLost);
    });

    it('forgets all of a session and nothing of another, but not what another server has open (ARCHIVE-4)', async () => {
      const other = newId('session');
      for (const id of [sessionId, other]) {
        const claim = await a.claim(id, 0);
        await claim.settle(await write(claim, 'root'), new Set());
      }
      const open = await b.claim(sessionId, 0);
      const half = await write(open, 'half');
      expect(await a.forget(sessionId)).toBe(false);
      expect(await world.stored(sessionId)).toHaveLength(2);

      await world.die('b');
      expect(await a.forget(sessionId)).toBe(true);
      expect(await a.forget(sessionId)).toBe(true); // again is no matter
      expect(await world.stored(sessionId)).toEqual([]);
      expect(await world.stored(other)).toHaveLength(1);
      await write(open, 'more');
      await expect(open.settle(half, new Set())).rejects.toBeInstanceOf(ClaimLost);
      expect(await world.stored(sessionId)).toEqual([]);
      expect((await a.claim(sessionId, 0)).checkpoint).toBeUndefined();
    });

    it('knows a session from its first claim until it is forgotten', async () => {
      expect(await a.isKnown(sessionId)).toBe(false);
      await (await a.claim(sessionId, 0)).release();
      expect(await b.isKnown(sessionId)).toBe(true);
      await b.forget(sessionId);
      expect(await a.isKnown(sessionId)).toBe(false);
    });

    it('takes a content twice under one claim', async () => {
      const claim = await a.claim(sessionId, 0);
      const root = await write(claim, 'root');

      expect(await write(claim, 'root')).toBe(root);
      expect(await read(claim, root)).toBe('root');
    });

    it('reads nothing but contents of the session (ARCHIVE-4)', async () => {
      const other = newId('session');
      const secret = await a.claim(other, 0);
      const content = await write(secret, 'secret');
      await secret.settle(content, new Set());
      const claim = await a.claim(sessionId, 0);

      for (const id of [content, `../${other}/${content}`, `${other}/${content}`, '1/x', ''])
        await expect((async () => read(claim, id))()).rejects.toBeInstanceOf(CheckpointDamaged);
    });
  });
}

function write(claim: WorkspaceClaim, text: string): Promise<ContentId> {
  return claim.write(sha256(text), [Buffer.from(text)]);
}

async function read(claim: WorkspaceClaim, content: ContentId): Promise<string> {
  let text = '';
  for await (const part of claim.read(content)) text += Buffer.from(part).toString();
  return text;
}
