/**
 * Names of files that have several, while a workspace is restored. The folder of the first name is closed and has its rights by the time the
 * second one comes, so each such file gets one more name in a folder beside the workspace's, which goes when everything is there.
 */
import { constants } from 'node:fs';
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { CheckpointDamaged } from '../../../hands/workspace-archive.ts';
import type { FileEntry } from './workspace-manifest.ts';
import { pathIn } from './workspace-tree.ts';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
/** No root of a workspace is called so. */
const FOLDER = Buffer.from('links.tmp');

export class RestoredLinks {
  readonly #top: FileHandle;
  readonly #files = new Map<number, FileEntry>();
  #folder: Promise<FileHandle> | undefined;

  /** `top` is the folder that is restored into. */
  constructor(top: FileHandle) {
    this.#top = top;
  }

  /** Before the file is made: no two are called by one number. */
  expect(number: number, file: FileEntry): void {
    if (this.#files.has(number)) throw new CheckpointDamaged('it has two files for one link');
    this.#files.set(number, file);
  }

  /** What was made at `path` is the file of that number from here on. */
  async keep(number: number, path: Buffer): Promise<void> {
    const kept = await this.#pathOf(number);
    await rm(kept, { force: true });
    await link(path, kept);
  }

  /** Undefined when it is made; else what is to be written as a file of its own, since this file system lets none have more names. */
  async make(number: number, path: Buffer): Promise<FileEntry | undefined> {
    const file = this.#files.get(number);
    if (file === undefined) throw new CheckpointDamaged('it has a link to no file');
    try {
      await link(await this.#pathOf(number), path);
      return undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EMLINK') return file;
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#folder === undefined) return;
    await (await this.#folder).close();
    await rm(pathIn(this.#top, FOLDER), { recursive: true, force: true });
  }

  async #pathOf(number: number): Promise<Buffer> {
    this.#folder ??= this.#make();
    return pathIn(await this.#folder, Buffer.from(`${number}`));
  }

  async #make(): Promise<FileHandle> {
    const path = pathIn(this.#top, FOLDER);
    await mkdir(path, 0o700);
    return open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  }
}
