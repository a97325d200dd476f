/** Makes the folder here what the newest checkpoint says, unless it is that or newer, and says how far into the log its files reach. */
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { FilesAsOf, WorkspaceClaim } from '../../../hands/workspace-archive.ts';
import { isLeftBy, isMadeFrom, isUnchanged, readMarker } from './workspace-marker.ts';
import { restore } from './workspace-restore.ts';
import type { Bounds } from './workspace-save.ts';
import type { Workspace, WorkspaceStore } from './workspace-store.ts';

export interface Copy {
  readonly workspace: Workspace;
  readonly filesAsOf: FilesAsOf;
  /** Files and results are what the last hands have left. */
  readonly isLeft: boolean;
}

/** Rejects with CheckpointDamaged, or as the archive does; the folder is as it was then. */
export async function bringUp(
  ports: { workspaces: WorkspaceStore; bounds: Bounds; logger: Logger; clock: Clock },
  sessionId: SessionId,
  claim: WorkspaceClaim,
  signal?: AbortSignal,
): Promise<Copy> {
  const { workspaces, bounds, logger, clock } = ports;
  const { checkpoint } = claim;
  const marker = await readMarker(workspaces.of(sessionId).marker);
  const isLeft = isLeftBy(marker, claim);
  const filesAsOf: FilesAsOf = isLeft ? (marker?.untold ?? { kind: 'now' }) : asOf(claim);
  if (checkpoint === undefined || isLeft || isUnchanged(marker, checkpoint))
    return { workspace: await workspaces.open(sessionId), filesAsOf, isLeft };
  const { version } = checkpoint;
  if (marker?.isDirty === true && !isMadeFrom(marker, checkpoint))
    logger.warn('another server has gone on with the workspace: what was not saved here is dropped', {
      sessionId,
      version,
    });
  const startedAt = clock.now();
  const workspace = await workspaces.replace(sessionId, async (folder) => {
    const restored = await restore(claim, folder, bounds, signal);
    const ms = clock.now() - startedAt;
    logger.info('workspace restored', { sessionId, version, ...restored, ms });
  });
  return { workspace, filesAsOf, isLeft };
}

/** How far the files of the claim's checkpoint reach; what an older version has saved is taken as it is. */
function asOf({ checkpoint, age, isCut }: WorkspaceClaim): FilesAsOf {
  if (checkpoint === undefined) return { kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut };
  if (age?.place === undefined) return { kind: 'now' };
  return { kind: 'checkpoint', savedAt: age.savedAt, place: age.place, isCut };
}
