/**
 * The folders of the sessions: `<folder>/<session id>/files` is /workspace inside its hands, `results` beside it is what
 * they remember. Both are made, 0700, when hands are first started, and stay until the session is forgotten
 * (Launcher.forget). The control plane never opens what is inside by path: links may have been planted there. It changes
 * owners with lchown and removes without following, and only while no hands of the session run.
 */
import type { Dirent } from 'node:fs';
import { chmod, lchown, lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SessionId } from '../../kernel/id.ts';

const PRIVATE = 0o700;

export interface Workspace {
  readonly files: string;
  readonly results: string;
}

export class WorkspaceStore {
  readonly #folder: string;

  /** `folder` is absolute; it is made when the first workspace is. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The session's folders, as they were left. */
  async open(sessionId: SessionId): Promise<Workspace> {
    const workspace = this.#of(sessionId);
    for (const folder of Object.values(workspace)) await mkdir(folder, { recursive: true, mode: PRIVATE });
    return workspace;
  }

  /** The user that the files belong to now. */
  async ownerOf(sessionId: SessionId): Promise<number> {
    return (await lstat(this.#of(sessionId).files)).uid;
  }

  /** Gives the session's folders with all that is in them to one user. Only root can. */
  async giveTo(sessionId: SessionId, uid: number): Promise<void> {
    const { files, results } = this.#of(sessionId);
    // the folder itself last: its owner says that everything in it has been given
    for (const folder of [results, files]) await giveTree(folder, uid);
  }

  /** Removes the session's folders; does nothing when there are none. */
  async remove(sessionId: SessionId): Promise<void> {
    const folder = join(this.#folder, sessionId);
    try {
      await rm(folder, { recursive: true, force: true });
    } catch (error) {
      if (!isDenied(error)) throw error;
      await unlock(folder); // a command took its owner's rights from a folder
      await rm(folder, { recursive: true, force: true });
    }
  }

  #of(sessionId: SessionId): Workspace {
    const folder = join(this.#folder, sessionId);
    return { files: join(folder, 'files'), results: join(folder, 'results') };
  }
}

async function giveTree(folder: string, uid: number): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await giveTree(path, uid);
    else await lchown(path, uid, uid);
  }
  await lchown(folder, uid, uid);
}

async function unlock(folder: string): Promise<void> {
  await chmod(folder, PRIVATE);
  const entries: readonly Dirent[] = await readdir(folder, { withFileTypes: true });
  for (const entry of entries) if (entry.isDirectory()) await unlock(join(folder, entry.name));
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'EACCES' || error.code === 'EPERM');
}
