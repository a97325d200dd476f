/**
 * The folders of the sessions: `<folder>/<session id>/files` is /workspace inside its hands, `results` beside it is what
 * is kept of their calls. Both are made, 0700, when hands are first started, and stay until the session is forgotten
 * (Launcher.forget). Beside them is what the control plane knows about them; of all this, hands write to `files` alone.
 * The control plane never opens what is inside by path: links may have been planted there. It changes
 * owners with lchown and removes without following, and only while no hands of the session run.
 */
import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isId, type SessionId } from '../../../kernel/id.ts';
import { Semaphore } from '../../../kernel/semaphore.ts';
import { type Marker, writeMarker } from './workspace-marker.ts';
import { giveTree } from './workspace-owner.ts';
import { removeTree } from './workspace-removal.ts';

const PRIVATE = 0o700;
/** A large folder takes a minute and keeps the disk busy: the others wait, and one large one does not hold up all of them. */
const REMOVALS_AT_ONCE = 2;
/** Removals end by themselves. */
const NEVER = new AbortController().signal;

/** A folder that is being filled, or is on its way out: of nobody after a crash. */
const LEFT_OVER = /^\.(new|old)-/;

export interface Workspace {
  /** The control plane's own: holds all others. */
  readonly folder: string;
  readonly files: string;
  readonly results: string;
  /** Which checkpoint this is a copy of (workspace-marker.ts). */
  readonly marker: string;
  /** Hashes that need not be computed again (known-hashes.ts). */
  readonly hashes: string;
}

export class WorkspaceStore {
  readonly #folder: string;
  /** Of `replace`, under way: what has such a name and is not one of these was left by a crash. */
  readonly #passing = new Set<string>();
  readonly #removing = new Map<string, Promise<void>>();
  readonly #removals = new Semaphore(REMOVALS_AT_ONCE);

  /** `folder` is absolute; it is made when the first workspace is. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Whether the session has folders here. */
  async has(sessionId: SessionId): Promise<boolean> {
    return lstat(this.of(sessionId).files).then(
      () => true,
      (error: NodeJS.ErrnoException) => ignoreAbsent(error) ?? false,
    );
  }

  /** The session's folders, as they were left. */
  async open(sessionId: SessionId): Promise<Workspace> {
    const workspace = this.of(sessionId);
    for (const folder of [workspace.files, workspace.results])
      await mkdir(folder, { recursive: true, mode: PRIVATE });
    return workspace;
  }

  /** Says what is known of the files, which need not be there yet. On the disk when it resolves. */
  async mark(sessionId: SessionId, marker: Marker): Promise<void> {
    const { folder, marker: path } = this.of(sessionId);
    await mkdir(folder, { recursive: true, mode: PRIVATE });
    await writeMarker(path, marker);
  }

  /** Puts a new folder in the place of the session's: as it was until `fill` is done, and then all new. */
  async replace(sessionId: SessionId, fill: (folder: string) => Promise<void>): Promise<Workspace> {
    const workspace = this.of(sessionId);
    const chance = randomBytes(6).toString('hex');
    const names = [`.new-${chance}`, `.old-${chance}`] as const;
    const [made, old] = [join(this.#folder, names[0]), join(this.#folder, names[1])];
    for (const name of names) this.#passing.add(name);
    await mkdir(made, { recursive: true, mode: PRIVATE });
    try {
      await fill(made);
      await rename(workspace.folder, old).catch(ignoreAbsent);
      await rename(made, workspace.folder);
    } finally {
      for (const folder of [made, old]) await removeTree(folder);
      for (const name of names) this.#passing.delete(name);
    }
    return this.open(sessionId);
  }

  /** Sessions that have folders here. Removes what a crash has left of `replace`. */
  async sessions(): Promise<readonly SessionId[]> {
    const names: readonly string[] = await readdir(this.#folder).catch(() => []); // none was made yet
    const isLeft = (name: string): boolean => LEFT_OVER.test(name) && !this.#passing.has(name);
    for (const name of names.filter(isLeft)) await this.#remove(join(this.#folder, name));
    return names.filter((name) => isId('session', name));
  }

  /** The user that the files belong to now. */
  async ownerOf(sessionId: SessionId): Promise<number> {
    return (await lstat(this.of(sessionId).files)).uid;
  }

  /** Gives the session's files to one user. Only root can. */
  async giveTo(sessionId: SessionId, uid: number): Promise<void> {
    await giveTree(this.of(sessionId).files, uid); // its owner says that everything in it has been given
  }

  /** Removes the session's folders; does nothing when there are none. */
  remove(sessionId: SessionId): Promise<void> {
    return this.#remove(this.of(sessionId).folder);
  }

  /** Who asks for what is being removed waits for the same removal. */
  #remove(folder: string): Promise<void> {
    const current = this.#removing.get(folder);
    if (current !== undefined) return current;
    const removing = this.#removeInTurn(folder).finally(() => this.#removing.delete(folder));
    this.#removing.set(folder, removing);
    return removing;
  }

  async #removeInTurn(folder: string): Promise<void> {
    const release = await this.#removals.acquire(NEVER);
    try {
      await removeTree(folder);
    } finally {
      release?.();
    }
  }

  of(sessionId: SessionId): Workspace {
    const folder = join(this.#folder, sessionId);
    return {
      folder,
      files: join(folder, 'files'),
      results: join(folder, 'results'),
      marker: join(folder, 'checkpoint.json'),
      hashes: join(folder, 'hashes'),
    };
  }
}

function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
