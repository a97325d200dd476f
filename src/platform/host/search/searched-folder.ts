/**
 * The files that a search goes through, and what it leaves out. Runs in the search program, which does nothing else: so
 * it waits for each call of the file system. Names are bytes, since not all of them are UTF-8.
 */
import { type Dirent, lstatSync, readdirSync, realpathSync, statSync } from 'node:fs';
import type { LeftOut } from './left-out.ts';

/** Large folders that tools make, searched when they are named. */
const SKIPPED = new Set(['.git', 'node_modules']);
/** Folders in folders: deeper ones are a mistake, or made to be one. */
const DEPTH_MAX = 200;
const SLASH = Buffer.from('/');

export interface SearchedFile {
  readonly path: Buffer;
  /** Relative to the folder that is searched; empty when it is the path itself that is searched. */
  readonly name: string;
}

/** In the order of names. Throws what the file system says of `path` itself. */
export function* searchedFiles(path: string, leftOut: LeftOut): Generator<SearchedFile, void> {
  const stats = statSync(path);
  if (!stats.isDirectory()) {
    yield { path: Buffer.from(path), name: '' };
    return;
  }
  const root = realpathSync(path);
  const named = new Set(`${path}/${root}`.split('/').filter((step) => SKIPPED.has(step)));
  yield* filesIn({ path: Buffer.from(root), name: '', depth: 0 }, { root, named, leftOut });
}

interface Folder extends SearchedFile {
  readonly depth: number;
}

interface Tree {
  readonly root: string;
  /** Skipped elsewhere, not here: somebody has named it. */
  readonly named: ReadonlySet<string>;
  readonly leftOut: LeftOut;
}

function* filesIn(folder: Folder, tree: Tree): Generator<SearchedFile, void> {
  const { leftOut } = tree;
  for (const entry of entriesOf(folder, leftOut)) {
    const path = Buffer.concat([folder.path, SLASH, entry.name]);
    const text = entry.name.toString();
    const name = folder.name === '' ? text : `${folder.name}/${text}`;
    if (entry.isDirectory()) {
      const isSkipped = SKIPPED.has(text) && !tree.named.has(text);
      if (isSkipped || folder.depth >= DEPTH_MAX) leftOut.add('folder', name);
      else yield* filesIn({ path, name, depth: folder.depth + 1 }, tree);
    } else if (entry.isSymbolicLink()) {
      if (leadsElsewhere(path, tree.root)) leftOut.add('link', name);
    } else if (entry.isFile()) yield { path, name };
    else if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) leftOut.add('special', name);
  }
}

function entriesOf(folder: Folder, leftOut: LeftOut): readonly Dirent<Buffer>[] {
  try {
    const entries = readdirSync(folder.path, { withFileTypes: true, encoding: 'buffer' });
    return entries.toSorted((a, b) => Buffer.compare(a.name, b.name));
  } catch (error) {
    if (folder.depth === 0) throw error;
    leftOut.add('unreadable', folder.name);
    return [];
  }
}

/** What a link leads to in the folder itself is searched there; what does not exist holds nothing. */
function leadsElsewhere(path: Buffer, root: string): boolean {
  try {
    const target = realpathSync(path);
    return target !== root && !target.startsWith(root === '/' ? root : `${root}/`);
  } catch {
    return false;
  }
}
