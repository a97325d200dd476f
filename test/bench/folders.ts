/** Folders of one row, removed after it. On the disk where the system keeps temporary files: it must be a real one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function withFolders<T>(work: (folder: () => Promise<string>) => Promise<T>): Promise<T> {
  const folders: string[] = [];
  try {
    return await work(async () => {
      const made = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
      folders.push(made);
      return made;
    });
  } finally {
    for (const made of folders) await rm(made, { recursive: true, force: true });
  }
}
