/** Makes checkpoints of workspaces that are held here, and says in the log and in their marker what came of it. Nothing here rejects. */
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import {
  ClaimLost,
  type LogPlace,
  type OlderFiles,
  type WorkspaceClaim,
  WorkspaceUnsaved,
} from '../../../hands/workspace-archive.ts';
import { writeMarker } from '../../host/workspace/workspace-marker.ts';
import { type Bounds, save, type Saved } from '../../host/workspace/workspace-save.ts';
import type { WorkspaceStore } from '../../host/workspace/workspace-store.ts';

/** Where the files of a checkpoint lie is kept until the next one, but for larger workspaces, which are read from the archive again. */
const PLACES_KEPT_MAX = 20_000;

export interface CheckpointSavesPorts {
  readonly workspaces: WorkspaceStore;
  readonly bounds: Bounds;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A workspace under a claim of this server. */
export interface Held {
  readonly claim: WorkspaceClaim;
  readonly resultsAreWhole: boolean;
  /** Until the log says it: hands that are started again have the same files. */
  untold: OlderFiles | undefined;
  /** Of the checkpoint, from the save that made it. */
  places?: Saved['places'] | undefined;
}

export class CheckpointSaves {
  readonly #ports: CheckpointSavesPorts;

  constructor(ports: CheckpointSavesPorts) {
    this.#ports = ports;
  }

  /** While hands live: the claim is held on. False when no checkpoint could be made. */
  async whileHeld(sessionId: SessionId, held: Held, place: LogPlace): Promise<boolean> {
    const { claim, places, untold } = held;
    const { workspaces, bounds, clock, logger } = this.#ports;
    const startedAt = clock.now();
    try {
      const workspace = await workspaces.open(sessionId);
      const saved = await save(claim, workspace, bounds, {
        isLive: true,
        place: untold?.place ?? place,
        places,
      });
      held.places = saved.places.size <= PLACES_KEPT_MAX ? saved.places : undefined;
      const { checkpoint } = saved;
      await writeMarker(workspace.marker, { checkpoint, isDirty: true, claim: claim.number, untold });
      this.#say('workspace checkpoint', sessionId, saved, startedAt);
      return true;
    } catch (error) {
      held.places = undefined;
      logger.warn('no workspace checkpoint: its files are on this server only', { sessionId, error });
      return false;
    }
  }

  /** After the last hands: the claim is given back. True when it is to be tried again. */
  async atRest(
    sessionId: SessionId,
    claim: WorkspaceClaim,
    place?: LogPlace,
    places?: Saved['places'],
  ): Promise<boolean> {
    const { workspaces, bounds, clock, logger } = this.#ports;
    const startedAt = clock.now();
    try {
      const workspace = await workspaces.open(sessionId);
      const saved = await save(claim, workspace, bounds, { place, places });
      await writeMarker(workspace.marker, { checkpoint: saved.checkpoint, isDirty: false });
      this.#say('workspace saved', sessionId, saved, startedAt);
      return false;
    } catch (error) {
      logger.warn('workspace not saved: its files are on this server only', { sessionId, error });
      // for these, trying again without other files or another claim is no use
      return !(error instanceof ClaimLost || error instanceof WorkspaceUnsaved);
    }
  }

  #say(what: string, sessionId: SessionId, saved: Saved, startedAt: number): void {
    const { clock, logger } = this.#ports;
    const { checkpoint, files, bytes, storedBytes, leftOut } = saved;
    const ms = clock.now() - startedAt;
    const { version } = checkpoint;
    logger.info(what, { sessionId, version, files, bytes, storedBytes, leftOut, ms });
  }
}
