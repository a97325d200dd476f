/**
 * Keeps the workspaces of this machine and their checkpoints in the archive together: the folder here is a copy that is used as
 * long as it stems from the newest checkpoint, and replaced when it does not.
 *
 * CHECKPOINT-1 A workspace is opened only under a claim, which is held until the checkpoint after its hands is made: no two servers work on one.
 * CHECKPOINT-2 What hands have written here is never lost to a failure of the archive: the folder stays, marked as changed, the claim with it,
 *    and the checkpoint is tried again in the background and after the next hands. So also after a crash, if this server is back
 *    before another one has gone on from the checkpoint.
 * CHECKPOINT-3 What is done to one session's workspace is done one after the other.
 * CHECKPOINT-4 What is here of a session that was forgotten while this server was away is removed, and never saved again.
 * CHECKPOINT-5 Whoever opens a workspace is told how far into the log its files reach (FilesAsOf).
 */
import { WORKSPACE_BYTES_MAX, WORKSPACE_ENTRIES_MAX } from '../../../hands/limit.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { Service } from '../../../kernel/service.ts';
import {
  ClaimLost,
  type FilesAsOf,
  type LogPlace,
  type WorkspaceArchive,
  type WorkspaceClaim,
  WorkspaceHeld,
  WorkspaceUnsaved,
} from '../../../hands/workspace-archive.ts';
import { FewAtOnce } from '../../host/workspace/few-at-once.ts';
import { SessionTurns } from './session-turns.ts';
import { bringUp } from '../../host/workspace/workspace-copy.ts';
import {
  isCopyOf,
  isLeftBy,
  isMadeFrom,
  readMarker,
  wasKnown,
  writeMarker,
} from '../../host/workspace/workspace-marker.ts';
import { type Bounds, forgetLiveHashes, save, type Saved } from '../../host/workspace/workspace-save.ts';
import type { Workspace, WorkspaceStore } from '../../host/workspace/workspace-store.ts';

/** How long new hands wait for the server that has the workspace: it saves a few gigabytes in this time, a dead one is known to be dead. */
const HOLDER_WAIT_MS = 60_000;
/** How often checkpoints that are still owed are tried again. */
const OWED_RETRY_MS = 15_000;
/** Where the files of a checkpoint lie is kept until the next one, but for larger workspaces, which are read from the archive again. */
const PLACES_KEPT_MAX = 20_000;
/** Folders that are compared with the archive at the same time: each is a look-up, and sessions that run go first. */
const LOOKED_AT_ONCE = 4;

/**
 * What is saved at most. Twice what hands may fill: their bound is measured from time to time and may be passed in between, and here
 * a sparse file counts as its length. Beyond this a workspace stays where it is.
 */
const SAVED_BOUNDS: Bounds = { bytesMax: 2 * WORKSPACE_BYTES_MAX, entriesMax: 2 * WORKSPACE_ENTRIES_MAX };

export interface CheckpointsPorts {
  readonly archive: WorkspaceArchive;
  readonly workspaces: WorkspaceStore;
  /** How far the session's log has come; undefined when there is none. */
  placeOf(sessionId: SessionId): Promise<LogPlace | undefined>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Others only in tests. */
  readonly bounds?: Bounds | undefined;
  readonly holderWaitMs?: number | undefined;
  readonly owedRetryMs?: number | undefined;
}

export interface OpenedWorkspace {
  readonly workspace: Workspace;
  /** Whether the results folder has every call that was ever started (hands/wire.ts HANDS-1). */
  readonly resultsAreWhole: boolean;
  readonly filesAsOf: FilesAsOf;
}

interface Held {
  readonly claim: WorkspaceClaim;
  readonly resultsAreWhole: boolean;
  /** Of the checkpoint, from the save that made it. */
  places?: Saved['places'] | undefined;
}

export class Checkpoints implements Service {
  readonly name = 'workspace checkpoints';
  readonly #ports: CheckpointsPorts;
  readonly #claims = new Map<SessionId, Held>();
  /** Sessions that rest and whose files here are newer than their checkpoint. */
  readonly #owed = new Set<SessionId>();
  readonly #turns = new SessionTurns(); // CHECKPOINT-3

  constructor(ports: CheckpointsPorts) {
    this.#ports = ports;
  }

  /** The session's folders as they were left, wherever that was. Throws WorkspaceHeld, CheckpointDamaged. */
  open(sessionId: SessionId, signal?: AbortSignal): Promise<OpenedWorkspace> {
    return this.#turns.take(sessionId, async () => {
      const { archive, workspaces, holderWaitMs = HOLDER_WAIT_MS, bounds = SAVED_BOUNDS } = this.#ports;
      const held = this.#claims.get(sessionId);
      if (held !== undefined) {
        const workspace = await workspaces.open(sessionId); // hands died and are started again
        return { workspace, resultsAreWhole: held.resultsAreWhole, filesAsOf: { kind: 'now' } };
      }
      const claim = await archive.claim(sessionId, holderWaitMs, signal);
      try {
        const resultsAreWhole = await this.#closedGap(sessionId, claim);
        const { workspace, filesAsOf } = await bringUp({ ...this.#ports, bounds }, sessionId, claim, signal);
        const { checkpoint, number } = claim;
        await forgetLiveHashes(workspace);
        await writeMarker(workspace.marker, { checkpoint, isDirty: true, claim: number }); // before any hands
        this.#claims.set(sessionId, { claim, resultsAreWhole }); // CHECKPOINT-1
        this.#owed.delete(sessionId);
        return { workspace, resultsAreWhole, filesAsOf };
      } catch (error) {
        await claim.release().catch(() => undefined); // what failed is thrown; this server can claim it again anyway
        throw error;
      }
    });
  }

  /** Makes a checkpoint of a session while its hands live, if it has any. Never rejects (CHECKPOINT-2); false when it could not be made. */
  checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#claims.get(sessionId);
      return held === undefined || this.#keep(sessionId, held, place);
    });
  }

  /** Makes the checkpoint of a session whose hands have ended, if it had any. Never rejects (CHECKPOINT-2). */
  rest(sessionId: SessionId, place?: LogPlace): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#claims.get(sessionId);
      if (held === undefined) return;
      this.#claims.delete(sessionId);
      await this.#save(sessionId, held.claim, place, held.places);
    });
  }

  /** Removes everything of the session, in the archive and then here; false while another server has it. */
  forget(sessionId: SessionId): Promise<boolean> {
    return this.#turns.take(sessionId, async () => {
      this.#claims.delete(sessionId);
      this.#owed.delete(sessionId);
      if (!(await this.#ports.archive.forget(sessionId))) return false;
      await this.#ports.workspaces.remove(sessionId);
      return true;
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { workspaces, clock, owedRetryMs = OWED_RETRY_MS } = this.#ports;
    const copies = new Set<SessionId>();
    for (const sessionId of await workspaces.sessions()) {
      const marker = await readMarker(workspaces.of(sessionId).marker);
      if (marker?.isDirty === true)
        this.#owed.add(sessionId); // of a server that was killed here
      else if (wasKnown(marker)) copies.add(sessionId);
    }
    while (!signal.aborted) {
      for (const sessionId of [...this.#owed]) if (!signal.aborted) await this.#retry(sessionId);
      await this.#dropForgotten(copies, signal);
      await clock.sleep(owedRetryMs, signal);
    }
  }

  /** CHECKPOINT-4: looks at each of `copies` and takes it off the list, unless the archive did not answer. */
  async #dropForgotten(copies: Set<SessionId>, signal: AbortSignal): Promise<void> {
    const looking = new FewAtOnce(LOOKED_AT_ONCE);
    const look = (sessionId: SessionId): Promise<void> =>
      this.#turns
        .take(sessionId, async () => {
          if (!this.#claims.has(sessionId)) await this.#dropIfForgotten(sessionId);
          copies.delete(sessionId);
        })
        .catch((error: unknown) =>
          this.#ports.logger.debug('workspace not looked at yet', { sessionId, error }),
        );
    for (const sessionId of [...copies]) {
      if (signal.aborted) break;
      await looking.start(() => look(sessionId));
    }
    await looking.finish();
  }

  /** CHECKPOINT-4; false when it was not forgotten, or when nothing is known about what is here. */
  async #dropIfForgotten(sessionId: SessionId): Promise<boolean> {
    const { archive, workspaces } = this.#ports;
    const marker = await readMarker(workspaces.of(sessionId).marker);
    if (!wasKnown(marker) || (await archive.isKnown(sessionId))) return false;
    await this.#drop(sessionId);
    return true;
  }

  async #drop(sessionId: SessionId): Promise<void> {
    const { workspaces, logger } = this.#ports;
    await workspaces.remove(sessionId);
    this.#owed.delete(sessionId);
    logger.info('workspace removed: its session was archived elsewhere', { sessionId });
  }

  /** Whether every call that hands of the session have started is known here (ARCHIVE-5 of the archive). */
  async #closedGap(sessionId: SessionId, claim: WorkspaceClaim): Promise<boolean> {
    if (claim.gap !== 'fresh') return claim.gap === 'none';
    const marker = await readMarker(this.#ports.workspaces.of(sessionId).marker);
    if (!isLeftBy(marker, claim)) return false;
    await claim.closeGap(); // the one that died was this server
    return true;
  }

  async #keep(sessionId: SessionId, held: Held, place: LogPlace): Promise<boolean> {
    const { workspaces, bounds = SAVED_BOUNDS, clock, logger } = this.#ports;
    const startedAt = clock.now();
    try {
      const { claim, places } = held;
      const workspace = await workspaces.open(sessionId);
      const saved = await save(claim, workspace, bounds, { isLive: true, place, places });
      const { checkpoint, files, bytes, storedBytes } = saved;
      held.places = saved.places.size <= PLACES_KEPT_MAX ? saved.places : undefined;
      await writeMarker(workspace.marker, { checkpoint, isDirty: true, claim: claim.number });
      const ms = clock.now() - startedAt;
      const { version } = checkpoint;
      logger.info('workspace checkpoint', { sessionId, version, files, bytes, storedBytes, ms });
      return true;
    } catch (error) {
      held.places = undefined;
      logger.warn('no workspace checkpoint: its files are on this server only', { sessionId, error });
      return false;
    }
  }

  async #save(
    sessionId: SessionId,
    claim: WorkspaceClaim,
    place?: LogPlace,
    places?: Saved['places'],
  ): Promise<void> {
    const { workspaces, bounds = SAVED_BOUNDS, clock, logger } = this.#ports;
    const startedAt = clock.now();
    try {
      const workspace = await workspaces.open(sessionId);
      const { checkpoint, files, bytes, storedBytes } = await save(claim, workspace, bounds, {
        place,
        places,
      });
      await writeMarker(workspace.marker, { checkpoint, isDirty: false });
      this.#owed.delete(sessionId);
      const ms = clock.now() - startedAt;
      const { version } = checkpoint;
      logger.info('workspace saved', { sessionId, version, files, bytes, storedBytes, ms });
    } catch (error) {
      logger.warn('workspace not saved: its files are on this server only', { sessionId, error });
      // for these, trying again without other files or another claim is no use
      if (error instanceof ClaimLost || error instanceof WorkspaceUnsaved) this.#owed.delete(sessionId);
      else this.#owed.add(sessionId);
    }
  }

  #retry(sessionId: SessionId): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const { archive, workspaces, logger } = this.#ports;
      if (this.#claims.has(sessionId)) return; // it was opened since: its rest saves it
      try {
        if (await this.#dropIfForgotten(sessionId)) return;
        const claim = await archive.claim(sessionId, 0);
        const path = workspaces.of(sessionId).marker;
        const marker = await readMarker(path);
        if (claim.number === 1 && wasKnown(marker)) {
          await archive.forget(sessionId); // it was forgotten just now, and this claim has made it known anew
          return await this.#drop(sessionId);
        }
        await this.#closedGap(sessionId, claim);
        const { checkpoint } = claim;
        const isNewest = checkpoint === undefined || isCopyOf(marker, checkpoint);
        if (
          marker !== undefined &&
          (isNewest || (isLeftBy(marker, claim) && isMadeFrom(marker, checkpoint)))
        ) {
          await writeMarker(path, { ...marker, claim: claim.number }); // should this server die now, its next claim follows this one
          // nobody had the files since the log has come so far, if they are what the claim before this one left
          const place = isLeftBy(marker, claim) ? await this.#ports.placeOf(sessionId) : undefined;
          return await this.#save(sessionId, claim, place);
        }
        await claim.release(); // others have gone on from the checkpoint
        this.#owed.delete(sessionId);
      } catch (error) {
        // held: by a server that goes on, or by what this one was before it crashed, which is known to be dead soon
        if (!(error instanceof WorkspaceHeld))
          logger.debug('workspace still not saved', { sessionId, error });
      }
    });
  }
}
