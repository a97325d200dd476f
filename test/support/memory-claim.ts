/** A claim whose archive is memory: what a checkpoint is made of, without a database. */
import { setImmediate } from 'node:timers/promises';
import {
  type Checkpoint,
  CheckpointDamaged,
  type ContentId,
  type WorkspaceClaim,
} from '../../src/hands/workspace-archive.ts';

export interface MemoryClaim extends WorkspaceClaim {
  readonly contents: Map<ContentId, Buffer>;
  /** All that was ever written. */
  writtenBytes: number;
  /** Makes the lines a checkpoint, as a forger or an older server would. */
  forge(lines: readonly string[], hashOf: (text: string) => string): void;
}

export function memoryClaim(number = 1): MemoryClaim {
  const contents = new Map<ContentId, Buffer>();
  let checkpoint: Checkpoint | undefined;
  const point = async (root: ContentId, kept: ReadonlySet<ContentId>): Promise<Checkpoint> => {
    checkpoint = { version: (checkpoint?.version ?? 0) + (checkpoint?.root === root ? 0 : 1), root };
    for (const content of contents.keys())
      if (content !== root && !kept.has(content)) contents.delete(content);
    return checkpoint;
  };
  const claim: MemoryClaim = {
    number,
    begunBefore: 0,
    isCut: false,
    gap: 'none',
    contents,
    writtenBytes: 0,
    begin: () => Promise.resolve(),
    closeGap: () => undefined,
    get checkpoint() {
      return checkpoint;
    },
    age: undefined,
    async *read(content) {
      const bytes = contents.get(content);
      if (bytes === undefined) throw new CheckpointDamaged('a part is missing');
      const step = 100_000; // no multiple of anything
      for (let at = 0; at < bytes.length; at += step) {
        await setImmediate(); // as any store makes one wait
        yield bytes.subarray(at, at + step);
      }
    },
    async write(sha256, bytes) {
      const parts: Uint8Array[] = [];
      for await (const part of bytes) parts.push(Buffer.from(part));
      const whole = Buffer.concat(parts);
      claim.writtenBytes += whole.length;
      contents.set(`${number}/${sha256}`, whole);
      return `${number}/${sha256}`;
    },
    settle: point,
    keep: point,
    release: () => Promise.resolve(),
    forge(lines, hashOf) {
      const text = `${lines.join('\n')}\n`;
      const root = `${number}/${hashOf(text)}`;
      contents.set(root, Buffer.from(text));
      checkpoint = { version: 1, root };
    },
  };
  return claim;
}
