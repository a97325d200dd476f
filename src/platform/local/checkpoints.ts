/**
 * Keeps the workspaces of this machine and their checkpoints in the archive together: the folder here is a copy that is used as
 * long as it stems from the newest checkpoint, and replaced when it does not.
 *
 * C1 A workspace is opened only under a claim, which is held until its next checkpoint is made: no two servers work on one.
 * C2 What hands have written here is never lost to a failure of the archive: the folder stays, marked as changed, the claim with it,
 *    and the checkpoint is tried again in the background and after the next hands. So also after a crash, if this server is back
 *    before another one has gone on from the checkpoint.
 * C3 What is done to one session's workspace is done one after the other.
 * C4 What is here of a session that was forgotten while this server was away is removed, and never saved again.
 */
import { WORKSPACE_BYTES_MAX, WORKSPACE_ENTRIES_MAX } from '../../hands/limit.ts';
import type { Clock } from '../../kernel/clock.ts';
import type { SessionId } from '../../kernel/id.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { Service } from '../../kernel/service.ts';
import {
  ClaimLost,
  type WorkspaceArchive,
  type WorkspaceClaim,
  WorkspaceHeld,
  WorkspaceUnsaved,
} from '../../supervisor/workspace-archive.ts';
import { FewAtOnce } from './few-at-once.ts';
import { isCopyOf, isMadeFrom, readMarker, wasKnown, writeMarker } from './workspace-marker.ts';
import { restore } from './workspace-restore.ts';
import { type Bounds, save } from './workspace-save.ts';
import type { Workspace, WorkspaceStore } from './workspace-store.ts';

/** How long new hands wait for the server that has the workspace: it saves a few gigabytes in this time, a dead one is known to be dead. */
const HOLDER_WAIT_MS = 60_000;
/** How often checkpoints that are still owed are tried again. */
const OWED_RETRY_MS = 15_000;
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
  readonly clock: Clock;
  readonly logger: Logger;
  /** Others only in tests. */
  readonly bounds?: Bounds | undefined;
  readonly holderWaitMs?: number | undefined;
  readonly owedRetryMs?: number | undefined;
}

export interface OpenedWorkspace {
  readonly workspace: Workspace;
  /** Whether the results folder has every call that was ever started (hands/wire.ts W1). */
  readonly resultsAreWhole: boolean;
}

interface Held {
  readonly claim: WorkspaceClaim;
  readonly resultsAreWhole: boolean;
}

export class Checkpoints implements Service {
  readonly name = 'workspace checkpoints';
  readonly #ports: CheckpointsPorts;
  readonly #claims = new Map<SessionId, Held>();
  /** Sessions that rest and whose files here are newer than their checkpoint. */
  readonly #owed = new Set<SessionId>();
  readonly #last = new Map<SessionId, Promise<void>>();

  constructor(ports: CheckpointsPorts) {
    this.#ports = ports;
  }

  /** The session's folders as they were left, wherever that was. Throws WorkspaceHeld, CheckpointDamaged. */
  open(sessionId: SessionId, signal?: AbortSignal): Promise<OpenedWorkspace> {
    return this.#oneByOne(sessionId, async () => {
      const { archive, workspaces, holderWaitMs = HOLDER_WAIT_MS } = this.#ports;
      const held = this.#claims.get(sessionId);
      if (held !== undefined) {
        const workspace = await workspaces.open(sessionId); // hands died and are started again
        return { workspace, resultsAreWhole: held.resultsAreWhole };
      }
      const claim = await archive.claim(sessionId, holderWaitMs, signal);
      try {
        const resultsAreWhole = await this.#closedGap(sessionId, claim);
        const workspace = await this.#bringUp(sessionId, claim, signal);
        const { checkpoint, number } = claim;
        await writeMarker(workspace.marker, { checkpoint, isDirty: true, claim: number }); // before any hands
        this.#claims.set(sessionId, { claim, resultsAreWhole }); // C1
        this.#owed.delete(sessionId);
        return { workspace, resultsAreWhole };
      } catch (error) {
        await claim.release().catch(() => undefined); // what failed is thrown; this server can claim it again anyway
        throw error;
      }
    });
  }

  /** Makes the checkpoint of a session whose hands have ended, if it had any. Never rejects (C2). */
  rest(sessionId: SessionId): Promise<void> {
    return this.#oneByOne(sessionId, async () => {
      const held = this.#claims.get(sessionId);
      if (held === undefined) return;
      this.#claims.delete(sessionId);
      await this.#save(sessionId, held.claim);
    });
  }

  /** Removes everything of the session, here and in the archive. */
  forget(sessionId: SessionId): Promise<void> {
    return this.#oneByOne(sessionId, async () => {
      this.#claims.delete(sessionId);
      this.#owed.delete(sessionId);
      await this.#ports.archive.forget(sessionId);
      await this.#ports.workspaces.remove(sessionId);
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

  /** C4: looks at each of `copies` and takes it off the list, unless the archive did not answer. */
  async #dropForgotten(copies: Set<SessionId>, signal: AbortSignal): Promise<void> {
    const looking = new FewAtOnce(LOOKED_AT_ONCE);
    const look = (sessionId: SessionId): Promise<void> =>
      this.#oneByOne(sessionId, async () => {
        if (!this.#claims.has(sessionId)) await this.#dropIfForgotten(sessionId);
        copies.delete(sessionId);
      }).catch((error: unknown) =>
        this.#ports.logger.debug('workspace not looked at yet', { sessionId, error }),
      );
    for (const sessionId of [...copies]) {
      if (signal.aborted) break;
      await looking.start(() => look(sessionId));
    }
    await looking.finish();
  }

  /** C4; false when it was not forgotten, or when nothing is known about what is here. */
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

  /** Whether every call that hands of the session have started is known here (K5 of the archive). */
  async #closedGap(sessionId: SessionId, claim: WorkspaceClaim): Promise<boolean> {
    if (claim.gap !== 'fresh') return claim.gap === 'none';
    const marker = await readMarker(this.#ports.workspaces.of(sessionId).marker);
    if (marker?.isDirty !== true || marker.claim !== claim.number - 1) return false;
    await claim.closeGap(); // the one that died was this server
    return true;
  }

  async #bringUp(sessionId: SessionId, claim: WorkspaceClaim, signal?: AbortSignal): Promise<Workspace> {
    const { workspaces, bounds = SAVED_BOUNDS, logger, clock } = this.#ports;
    const { checkpoint } = claim;
    const marker = await readMarker(workspaces.of(sessionId).marker);
    if (checkpoint === undefined || isCopyOf(marker, checkpoint)) return workspaces.open(sessionId);
    const { version } = checkpoint;
    if (marker?.isDirty === true && !isMadeFrom(marker, checkpoint))
      logger.warn('another server has gone on with the workspace: what was not saved here is dropped', {
        sessionId,
        version,
      });
    const startedAt = clock.now();
    return workspaces.replace(sessionId, async (folder) => {
      const restored = await restore(claim, folder, bounds, signal);
      const ms = clock.now() - startedAt;
      logger.info('workspace restored', { sessionId, version, ...restored, ms });
    });
  }

  async #save(sessionId: SessionId, claim: WorkspaceClaim): Promise<void> {
    const { workspaces, bounds = SAVED_BOUNDS, clock, logger } = this.#ports;
    const startedAt = clock.now();
    try {
      const workspace = await workspaces.open(sessionId);
      const { checkpoint, files, bytes, storedBytes } = await save(claim, workspace, bounds);
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
    return this.#oneByOne(sessionId, async () => {
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
        if (marker !== undefined && (checkpoint === undefined || isCopyOf(marker, checkpoint))) {
          await writeMarker(path, { ...marker, claim: claim.number }); // should this server die now, its next claim follows this one
          return await this.#save(sessionId, claim);
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

  /** C3 */
  #oneByOne<T>(sessionId: SessionId, work: () => Promise<T>): Promise<T> {
    const result = (this.#last.get(sessionId) ?? Promise.resolve()).then(work);
    const done = result.then(
      () => undefined,
      () => undefined,
    );
    const last = done.then(() => {
      if (this.#last.get(sessionId) === last) this.#last.delete(sessionId);
    });
    this.#last.set(sessionId, last);
    return result;
  }
}
