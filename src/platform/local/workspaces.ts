/**
 * A folder per session under the data folder: `workspaces/<session>` is /workspace inside the hands, `results/<session>`
 * is where they keep results by call id. The control plane never opens what is in them, since a planted link could lead
 * anywhere; it makes and owns the two folders themselves.
 */
import { chown, lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '../../kernel/assert.ts';
import type { SessionId } from '../../kernel/id.ts';

export interface Workspace {
  readonly workspace: string;
  readonly results: string;
}

/** Opens or makes the session's folders; `userId` owns them when given. What is inside keeps its owner. */
export async function openWorkspace(dataFolder: string, sessionId: SessionId, userId: number | undefined): Promise<Workspace> {
  const open = async (kind: string): Promise<string> => {
    const folder = join(dataFolder, kind, sessionId);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    assert((await lstat(folder)).isDirectory(), 'a workspace is a folder that the control plane made');
    if (userId !== undefined) await chown(folder, userId, userId);
    return folder;
  };
  return { workspace: await open('workspaces'), results: await open('results') };
}

/** The first of the user ids that sessions run as when the server is root; above those of people and of services. */
const USER_ID_FIRST = 210_000;
const USER_ID_COUNT = 1_000_000;

/**
 * A session's user id: the same at every start, so that its files stay its own; derived, so that none has to be kept.
 * Two sessions may share one; they are still apart by their namespaces, and share only the count of processes.
 */
export function userIdOf(sessionId: SessionId): number {
  return USER_ID_FIRST + (Number.parseInt(sessionId.slice(-10), 16) % USER_ID_COUNT);
}
