/** Gives everything in a folder to one user, following no link; the folder itself last. Only root can. */
import { type FileHandle, lchown, lstat } from 'node:fs/promises';
import { FolderPath } from './folder-path.ts';
import { namesIn, pathIn } from './workspace-tree.ts';

export async function giveTree(root: string, uid: number): Promise<void> {
  const path = new FolderPath<Buffer[]>();
  try {
    await path.enter(root, namesOf);
    for (let folder = path.innermost; folder !== undefined; folder = path.innermost) {
      const name = folder.state.pop();
      if (name === undefined) {
        await path.leave((handle) => handle.chown(uid, uid));
        continue;
      }
      const inner = pathIn(folder.handle, name);
      if ((await lstat(inner)).isDirectory()) await path.enter(inner, namesOf);
      else await lchown(inner, uid, uid);
    }
  } finally {
    await path.close();
  }
}

async function namesOf(handle: FileHandle): Promise<Buffer[]> {
  const names: Buffer[] = [];
  for await (const name of namesIn(handle)) names.push(name);
  return names;
}
