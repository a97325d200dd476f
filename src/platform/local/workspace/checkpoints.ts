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
 * CHECKPOINT-5 Whoever opens a workspace is told how far into the log its files reach (FilesAsOf), until the log says so (`told`), whatever
 *    fails or crashes in between.
 * CHECKPOINT-6 A claim of which it is not known whether it was made, or given back, is settled in the background.
 */
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Logger } from '../../../kernel/logger.ts';
import type { Service } from '../../../kernel/service.ts';
import {
  type FilesAsOf,
  type LogPlace,
  type WorkspaceArchive,
  type WorkspaceClaim,
  WorkspaceHeld,
} from '../../../hands/workspace-archive.ts';
import { CheckpointSaves, type Held } from './checkpoint-saves.ts';
import { lookThrough } from './copies.ts';
import { SessionTurns } from './session-turns.ts';
import { bringUp } from '../../host/workspace/workspace-copy.ts';
import {
  isLeftBy,
  isUnchanged,
  placeBefore,
  readMarker,
  wasKnown,
  writeMarker,
} from '../../host/workspace/workspace-marker.ts';
import { type Bounds, forgetLiveHashes, SAVED_BOUNDS } from '../../host/workspace/workspace-save.ts';
import type { Workspace, WorkspaceStore } from '../../host/workspace/workspace-store.ts';

/** How long new hands wait for the server that has the workspace: it saves a few gigabytes in this time, a dead one is known to be dead. */
const HOLDER_WAIT_MS = 60_000;
/** How often checkpoints that are still owed are tried again. */
const OWED_RETRY_MS = 15_000;

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

export class Checkpoints implements Service {
  readonly name = 'workspace checkpoints';
  readonly #ports: CheckpointsPorts;
  readonly #saves: CheckpointSaves;
  readonly #claims = new Map<SessionId, Held>();
  /** Sessions that rest and whose files here are newer than their checkpoint. */
  readonly #owed = new Set<SessionId>();
  readonly #turns = new SessionTurns(); // CHECKPOINT-3

  constructor(ports: CheckpointsPorts) {
    this.#ports = ports;
    this.#saves = new CheckpointSaves({ ...ports, bounds: ports.bounds ?? SAVED_BOUNDS });
  }

  /** The session's folders as they were left, wherever that was. Throws WorkspaceHeld, CheckpointDamaged. */
  open(sessionId: SessionId, signal?: AbortSignal): Promise<OpenedWorkspace> {
    return this.#turns.take(sessionId, async () => {
      const { archive, workspaces, holderWaitMs = HOLDER_WAIT_MS, bounds = SAVED_BOUNDS } = this.#ports;
      const held = this.#claims.get(sessionId);
      if (held !== undefined) {
        const workspace = await workspaces.open(sessionId); // hands died and are started again
        const filesAsOf = held.untold ?? ({ kind: 'now' } as const);
        return { workspace, resultsAreWhole: held.resultsAreWhole, filesAsOf };
      }
      let claim: WorkspaceClaim | undefined;
      try {
        claim = await archive.claim(sessionId, holderWaitMs, signal);
        const resultsAreWhole = await this.#closesGap(sessionId, claim);
        const brought = await bringUp({ ...this.#ports, bounds }, sessionId, claim, signal);
        const { workspace, filesAsOf, isLeft } = brought;
        await forgetLiveHashes(workspace);
        const untold = filesAsOf.kind === 'now' ? undefined : filesAsOf;
        const { checkpoint, number, begunBefore } = claim;
        const marker = { checkpoint, isDirty: true, claim: number, untold };
        await writeMarker(workspace.marker, isLeft ? { ...marker, follows: begunBefore } : marker);
        await claim.begin(); // after the marker, and before any hands
        this.#claims.set(sessionId, { claim, resultsAreWhole, untold }); // CHECKPOINT-1
        this.#owed.delete(sessionId);
        return { workspace, resultsAreWhole, filesAsOf }; // CHECKPOINT-5
      } catch (error) {
        await this.#giveBack(sessionId, claim, error);
        throw error;
      }
    });
  }

  /** The log says how old the files were with which the session was opened. Never rejects: what is not remembered is said once more. */
  told(sessionId: SessionId): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const { workspaces, logger } = this.#ports;
      const held = this.#claims.get(sessionId);
      if (held?.untold === undefined) return;
      held.untold = undefined;
      const { checkpoint, number } = held.claim;
      const { marker } = workspaces.of(sessionId);
      await writeMarker(marker, { checkpoint, isDirty: true, claim: number }).catch((error: unknown) =>
        logger.warn('age of the workspace not remembered', { sessionId, error }),
      );
    });
  }

  /** Makes a checkpoint of a session while its hands live, if it has any. Never rejects (CHECKPOINT-2); false when it could not be made. */
  checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#claims.get(sessionId);
      return held === undefined || this.#saves.whileHeld(sessionId, held, place);
    });
  }

  /** Makes the checkpoint of a session whose hands have ended, if it had any. Never rejects (CHECKPOINT-2). */
  rest(sessionId: SessionId, place?: LogPlace): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#claims.get(sessionId);
      if (held === undefined) return;
      this.#claims.delete(sessionId);
      const { claim, untold, places } = held;
      const reached = untold?.place ?? place ?? (await this.#placeOf(sessionId)) ?? claim.age?.place;
      await this.#save(sessionId, claim, reached, places);
    });
  }

  /** Undefined also when the log cannot be asked. */
  #placeOf(sessionId: SessionId): Promise<LogPlace | undefined> {
    return this.#ports.placeOf(sessionId).catch(() => undefined);
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
      await lookThrough(copies, (sessionId) => this.#look(sessionId), signal);
      await clock.sleep(owedRetryMs, signal);
    }
  }

  /** CHECKPOINT-4. Never rejects; false when the archive does not answer. */
  #look(sessionId: SessionId): Promise<boolean> {
    return this.#turns
      .take(sessionId, async () => {
        if (!this.#claims.has(sessionId)) await this.#dropIfForgotten(sessionId);
        return true;
      })
      .catch((error: unknown) => {
        this.#ports.logger.debug('workspace not looked at yet', { sessionId, error });
        return false;
      });
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
  async #closesGap(sessionId: SessionId, claim: WorkspaceClaim): Promise<boolean> {
    if (claim.gap !== 'fresh') return claim.gap === 'none';
    const marker = await readMarker(this.#ports.workspaces.of(sessionId).marker);
    if (!isLeftBy(marker, claim)) return false;
    claim.closeGap(); // the one that died was this server
    return true;
  }

  /** Nothing was begun under the claim. What is not known to be given back is: this server may have it, and keep others from it. */
  async #giveBack(sessionId: SessionId, claim: WorkspaceClaim | undefined, error: unknown): Promise<void> {
    if (claim === undefined && error instanceof WorkspaceHeld) return;
    const released = claim?.release() ?? Promise.reject(error);
    await released.catch(() => this.#owed.add(sessionId)); // CHECKPOINT-6
  }

  /** CHECKPOINT-2 */
  async #save(
    sessionId: SessionId,
    claim: WorkspaceClaim,
    place?: LogPlace,
    places?: Held['places'],
  ): Promise<void> {
    const isOwed = await this.#saves.atRest(sessionId, claim, place, places);
    if (isOwed) this.#owed.add(sessionId);
    else this.#owed.delete(sessionId);
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
        if (claim.number === 1 && (wasKnown(marker) || marker === undefined)) {
          await archive.forget(sessionId); // forgotten just now, or never claimed: this claim has made it known
          return await this.#drop(sessionId);
        }
        await this.#closesGap(sessionId, claim);
        const { checkpoint, number, begunBefore: follows } = claim;
        const isLeft = isLeftBy(marker, claim);
        const isNewest = checkpoint === undefined || isUnchanged(marker, checkpoint);
        if (marker?.isDirty === true && (isLeft || isNewest)) {
          const again = isLeft ? follows : undefined; // should this server die now
          await writeMarker(path, { ...marker, claim: number, follows: again });
          // nobody had the files since the log has come so far, if they are what the last hands left
          const place = isLeft ? await this.#ports.placeOf(sessionId) : placeBefore(claim);
          return await this.#save(sessionId, claim, marker.untold?.place ?? place);
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
