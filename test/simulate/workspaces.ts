/**
 * Workspaces as servers on one database share them (hands/workspace-archive.ts ARCHIVE-1 to ARCHIVE-5, platform/local/workspace/checkpoints.ts CHECKPOINT-1 to CHECKPOINT-5), with
 * kept results for files: a copy on each machine's disk, a checkpoint after each turn and when a session rests, one holder at a time.
 */
import type { Kept } from '../../src/hands/kept-results.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import type { Service } from '../../src/kernel/service.ts';
import { SessionTurns } from '../../src/platform/local/workspace/session-turns.ts';
import {
  ClaimLost,
  type FilesAsOf,
  type LogPlace,
  WorkspaceHeld,
} from '../../src/hands/workspace-archive.ts';

/** How long a living holder is waited for, and how often it is looked at. */
const HOLDER_WAIT_MS = 60_000;
const HOLDER_LOOK_MS = 500;
const OWED_RETRY_MS = 15_000;

type Files = Map<string, Kept>;

export interface Workspace {
  readonly kept: Files;
  /** Whether every call of the session that was ever started is among them. */
  readonly isWhole: boolean;
  readonly filesAsOf: FilesAsOf;
}

/** What the store knows of one workspace. */
interface Archived {
  holder: string | undefined;
  claims: number;
  checkpoint:
    | {
        readonly version: number;
        readonly claim: number;
        readonly files: ReadonlyMap<string, Kept>;
        readonly savedAt: number;
        readonly place: LogPlace | undefined;
      }
    | undefined;
  /** Something was done that nobody knows of. */
  hasGap: boolean;
  /** Hands did not start on it once, or what they left was not saved: KNOWN_FAULTS in log.ts. */
  mayBeUntold: boolean;
  /** Whoever holds it does not know that it does: KNOWN_FAULTS. */
  isClaimLost: boolean;
}

/** A folder and its marker. */
interface Copy {
  readonly files: Files;
  version: number;
  isDirty: boolean;
  claim: number;
}

interface Claim {
  readonly number: number;
  readonly gap: 'none' | 'fresh' | 'old';
  readonly checkpoint: Archived['checkpoint'];
}

export type Archive = Map<SessionId, Archived>;
export type Disk = Map<SessionId, Copy>;

export interface WorkspacesPorts {
  readonly archive: Archive;
  readonly disk: Disk;
  readonly owner: string;
  readonly clock: Clock;
  /** A mutant: what hands keep is lost with them. */
  readonly isForgetful: boolean;
  readonly isAlive: (owner: string) => Promise<boolean>;
  readonly placeOf: (sessionId: SessionId) => Promise<LogPlace>;
  /** One request to the store. */
  readonly ask: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  /** A checkpoint could not be saved: it is tried again. */
  readonly unsaved: (sessionId: SessionId, error: unknown) => void;
}

export class Workspaces implements Service {
  readonly name = 'workspaces';
  readonly #ports: WorkspacesPorts;
  readonly #held = new Map<SessionId, { readonly claim: number; readonly isWhole: boolean }>();
  readonly #owed = new Set<SessionId>();
  readonly #turns = new SessionTurns();

  constructor(ports: WorkspacesPorts) {
    this.#ports = ports;
  }

  get sessions(): readonly SessionId[] {
    return [...this.#ports.disk.keys()];
  }

  /** No other server has taken it over. */
  isHeldHere(sessionId: SessionId): boolean {
    const archived = this.#ports.archive.get(sessionId);
    return archived !== undefined && archived.claims === this.#held.get(sessionId)?.claim;
  }

  /** Hands did not start, or what they left is not saved. */
  failed(sessionId: SessionId): void {
    const archived = this.#ports.archive.get(sessionId);
    if (archived !== undefined) archived.mayBeUntold = true;
  }

  mayBeUntold(sessionId: SessionId): boolean {
    return this.#ports.archive.get(sessionId)?.mayBeUntold === true;
  }

  /** Throws WorkspaceHeld, Outage. */
  open(sessionId: SessionId, signal: AbortSignal | undefined): Promise<Workspace> {
    return this.#turns.take(sessionId, async () => {
      const { disk, isForgetful } = this.#ports;
      const held = this.#held.get(sessionId);
      const here = disk.get(sessionId);
      if (held !== undefined && here !== undefined) {
        if (isForgetful) here.files.clear();
        return { kept: here.files, isWhole: held.isWhole, filesAsOf: { kind: 'now' } };
      }
      const claim = await this.#claim(sessionId, HOLDER_WAIT_MS, signal).catch((error: unknown) =>
        this.#lost(sessionId, error),
      );
      const isWhole = await this.#closedGap(sessionId, claim).catch(async (error: unknown) => {
        await this.#release(sessionId, claim).catch(() => this.#lost(sessionId, error));
        throw error;
      });
      const { number, checkpoint } = claim;
      const isLeft = isLeftBy(here, claim);
      const stays = here?.version === checkpoint?.version || (isLeft && checkpoint?.claim === here?.claim);
      const files = checkpoint === undefined || stays ? (here?.files ?? new Map()) : checkpoint.files;
      const kept: Files = new Map(isForgetful ? [] : files);
      disk.set(sessionId, { files: kept, version: checkpoint?.version ?? 0, isDirty: true, claim: number });
      this.#held.set(sessionId, { claim: number, isWhole });
      this.#owed.delete(sessionId);
      return { kept, isWhole, filesAsOf: isLeft ? { kind: 'now' } : asOf(claim) };
    });
  }

  checkpoint(sessionId: SessionId, place: LogPlace): Promise<boolean> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#held.get(sessionId);
      if (held === undefined) return true;
      return this.#point(sessionId, held.claim, place, true).then(
        () => true,
        (error: unknown) => {
          this.#ports.unsaved(sessionId, error);
          return false;
        },
      );
    });
  }

  rest(sessionId: SessionId, place: LogPlace | undefined): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const held = this.#held.get(sessionId);
      this.#held.delete(sessionId);
      if (held !== undefined) await this.#save(sessionId, held.claim, place);
    });
  }

  /** False while a living server holds it. */
  forget(sessionId: SessionId): Promise<boolean> {
    return this.#turns.take(sessionId, async () => {
      const { archive, disk, ask, owner, isAlive } = this.#ports;
      this.#held.delete(sessionId);
      this.#owed.delete(sessionId);
      const holder = archive.get(sessionId)?.holder;
      if (holder !== undefined && holder !== owner && (await isAlive(holder))) return false;
      await ask('forget', async () => void archive.delete(sessionId));
      disk.delete(sessionId);
      return true;
    });
  }

  /** Saves what is owed, also by the server that was killed here before. */
  async run(signal: AbortSignal): Promise<void> {
    const { disk, clock } = this.#ports;
    for (const [sessionId, { isDirty }] of disk) if (isDirty) this.#owed.add(sessionId);
    while (!signal.aborted) {
      for (const sessionId of [...this.#owed]) if (!signal.aborted) await this.#retry(sessionId);
      await clock.sleep(OWED_RETRY_MS, signal);
    }
  }

  #retry(sessionId: SessionId): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const { archive, disk, ask, placeOf, unsaved } = this.#ports;
      if (this.#held.has(sessionId)) return;
      try {
        const here = disk.get(sessionId);
        const isKnown = await ask('known', async () => archive.has(sessionId));
        if (!isKnown || here === undefined) {
          disk.delete(sessionId);
          this.#owed.delete(sessionId);
          return;
        }
        const claim = await this.#claim(sessionId, 0, undefined);
        await this.#closedGap(sessionId, claim);
        const { checkpoint, number } = claim;
        const isLeft = isLeftBy(here, claim);
        const isNewest = checkpoint === undefined || here.version === checkpoint.version;
        if (isNewest || (isLeft && checkpoint.claim === here.claim)) {
          const place = isLeft ? await placeOf(sessionId) : undefined;
          here.claim = number;
          return await this.#save(sessionId, number, place);
        }
        await this.#release(sessionId, claim);
        this.#owed.delete(sessionId);
      } catch (error) {
        unsaved(sessionId, error);
      }
    });
  }

  /** Never rejects. */
  async #save(sessionId: SessionId, claim: number, place: LogPlace | undefined): Promise<void> {
    try {
      await this.#point(sessionId, claim, place, false);
      this.#owed.delete(sessionId);
    } catch (error) {
      this.#ports.unsaved(sessionId, error);
      this.failed(sessionId);
      if (error instanceof ClaimLost) this.#owed.delete(sessionId);
      else this.#owed.add(sessionId);
    }
  }

  /** Makes what is here the checkpoint. */
  async #point(
    sessionId: SessionId,
    claim: number,
    place: LogPlace | undefined,
    isLive: boolean,
  ): Promise<void> {
    const { owner, archive, disk, clock, ask } = this.#ports;
    const here = disk.get(sessionId);
    if (here === undefined) throw new ClaimLost(); // it was forgotten
    const files = new Map(here.files);
    const savedAt = clock.now();
    here.version = await ask('checkpoint', async () => {
      const archived = archive.get(sessionId);
      if (archived?.holder !== owner || archived.claims !== claim) throw new ClaimLost();
      const before = archived.checkpoint;
      const version = (before?.version ?? 0) + 1;
      archived.checkpoint = { version, claim, files, savedAt, place: place ?? before?.place };
      if (!isLive) archived.holder = undefined;
      return version;
    });
    here.isDirty = isLive;
  }

  async #claim(sessionId: SessionId, waitMs: number, signal: AbortSignal | undefined): Promise<Claim> {
    const { archive, owner, clock, ask, isAlive } = this.#ports;
    const until = clock.monotonicNow() + waitMs;
    for (;;) {
      const holder = archive.get(sessionId)?.holder;
      const isHeld = holder !== undefined && holder !== owner && (await isAlive(holder));
      const claimed = isHeld ? undefined : await ask('claim', async () => this.#tryClaim(sessionId, holder));
      if (claimed !== undefined) return claimed;
      if (signal?.aborted === true || clock.monotonicNow() >= until)
        throw new WorkspaceHeld(holder ?? 'another');
      await clock.sleep(HOLDER_LOOK_MS, signal);
    }
  }

  async #release(sessionId: SessionId, { number }: Claim): Promise<void> {
    const { archive, ask } = this.#ports;
    await ask('release', async () => {
      const archived = archive.get(sessionId);
      if (archived?.claims === number) archived.holder = undefined;
    });
  }

  /** What the archive was asked for may have been done all the same. */
  #lost(sessionId: SessionId, error: unknown): never {
    const archived = this.#ports.archive.get(sessionId);
    if (archived?.holder === this.#ports.owner) archived.isClaimLost = true;
    throw error;
  }

  /** Undefined when somebody else was quicker. */
  #tryClaim(sessionId: SessionId, seen: string | undefined): Claim | undefined {
    const { archive, owner } = this.#ports;
    const none = { holder: undefined, claims: 0, checkpoint: undefined };
    const faults = { hasGap: false, mayBeUntold: false, isClaimLost: false };
    const archived: Archived = archive.get(sessionId) ?? { ...none, ...faults };
    archived.isClaimLost = false;
    const { holder, hasGap } = archived;
    if (holder !== seen) return undefined;
    const isOver = holder !== undefined && holder !== owner;
    archived.hasGap ||= isOver;
    archived.holder = owner;
    archived.claims += 1;
    archive.set(sessionId, archived);
    const gap = hasGap ? 'old' : isOver ? 'fresh' : 'none';
    return { number: archived.claims, gap, checkpoint: archived.checkpoint };
  }

  /** Whether all that was ever started is known here: the server that died was this machine's. */
  async #closedGap(sessionId: SessionId, claim: Claim): Promise<boolean> {
    const { archive, disk, ask } = this.#ports;
    if (claim.gap !== 'fresh') return claim.gap === 'none';
    if (!isLeftBy(disk.get(sessionId), claim)) return false;
    await ask('close gap', async () => {
      const archived = archive.get(sessionId);
      if (archived?.claims === claim.number) archived.hasGap = false;
    });
    return true;
  }
}

function isLeftBy(here: Copy | undefined, { number }: Claim): boolean {
  return here?.isDirty === true && here.claim === number - 1;
}

function asOf({ checkpoint, gap }: Claim): FilesAsOf {
  const isCut = gap === 'fresh';
  if (checkpoint === undefined) return { kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut };
  const { savedAt, place } = checkpoint;
  return place === undefined ? { kind: 'now' } : { kind: 'checkpoint', savedAt, place, isCut };
}
