/** Folders as a test makes and compares them: everything that a checkpoint keeps, by byte. */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { newId } from '../../src/kernel/id.ts';
import type { WorkspaceClaim } from '../../src/hands/workspace-archive.ts';
import { type Workspace, WorkspaceStore } from '../../src/platform/host/workspace/workspace-store.ts';

/** One line for each entry below: path in Latin-1, kind, mode, time, and what is in it. */
export function treeOf(path: string): readonly string[] {
  const lines: string[] = [];
  const look = (folder: Buffer, prefix: string): void => {
    const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    const names = readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names) {
      const inner = Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), name]);
      const stats = lstatSync(inner);
      const where = `${prefix}/${name.toString('latin1')}`;
      const says = (kind: string, rest = ''): unknown =>
        lines.push(
          `${where} ${kind} ${(stats.mode & 0o777).toString(8)} ${Math.round(stats.mtimeMs)} ${rest}`,
        );
      if (stats.isDirectory()) {
        says('folder');
        look(inner, where);
      } else if (stats.isSymbolicLink()) says('link', readlinkSync(inner, 'buffer').toString('latin1'));
      else if (stats.isFile()) says('file', createHash('sha256').update(readFileSync(inner)).digest('hex'));
      else says('other');
    }
    closeSync(fd);
  };
  look(Buffer.from(path), '');
  return lines;
}

/** Folders in folders, deeper than a path can say; `text` is in a file in the last. */
export function makeDeep(path: string, name: string, depth: number, text: string): void {
  let fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  for (let level = 0; level < depth; level += 1) {
    mkdirSync(`/proc/self/fd/${fd}/${name}`);
    const inner = openSync(`/proc/self/fd/${fd}/${name}`, constants.O_RDONLY | constants.O_DIRECTORY);
    closeSync(fd);
    fd = inner;
  }
  writeFileSync(`/proc/self/fd/${fd}/f`, text);
  closeSync(fd);
}

export const BOUNDS = { bytesMax: 256 * 1024 * 1024, entriesMax: 20_000 };

export async function newWorkspace(folder: string): Promise<Workspace> {
  return new WorkspaceStore(join(folder, 'workspaces')).open(newId('session'));
}

/** A claim's bytes that are written, counted. */
export function counting(claim: WorkspaceClaim): WorkspaceClaim & { readonly written: string[] } {
  const written: string[] = [];
  return {
    ...claim,
    written,
    write: async (sha256, bytes) => {
      const content = await claim.write(sha256, bytes);
      written.push(content);
      return content;
    },
  };
}
