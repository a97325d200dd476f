/**
 * Hashes of files that were saved before, in a file beside the workspace, so that files which nobody has touched since are not read
 * again. A file is known by what no command can set (device, inode, ctime, size); what it says is true however old it is, and
 * without it everything is read.
 */
import { open } from 'node:fs/promises';

const LINE = /^(\S+) ([0-9a-f]{64})$/;

/** Hash by identity (FoundFile.identity). */
export async function readHashes(path: string): Promise<ReadonlyMap<string, string>> {
  const known = new Map<string, string>();
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return known; // none was written yet
  for await (const line of file.readLines()) {
    const [, identity, sha256] = LINE.exec(line) ?? []; // a line that a crash has cut is of no use
    if (identity !== undefined && sha256 !== undefined) known.set(identity, sha256);
  }
  return known;
}
