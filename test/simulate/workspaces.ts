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
  /** The last claim under which work has begun, and since when it is known that it was never given back. */
  begun: number;
  cut: { readonly hadGap: boolean } | undefined;
}

/** A folder and its marker. */
interface Copy {
  readonly files: Files;
  version: number;
  isDirty: boolean;
  claim: number;
  follows: number | undefined;
  untold: FilesAsOf | undefined;
}

interface Claim {
  readonly number: number;
  readonly begunBefore: number;
  readonly isCut: boolean;
  readonly gap: 'none' | 'fresh' | 'old';
  /** With what begins or is saved. */
  isClosing: boolean;
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
  readonly #held = new Map<SessionId, { readonly claim: Claim; readonly isWhole: boolean }>();
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
    return archived !== undefined && archived.claims === this.#held.get(sessionId)?.claim.number;
  }

  /** Throws WorkspaceHeld, Outage. */
  open(sessionId: SessionId, signal: AbortSignal | undefined): Promise<Workspace> {
    return this.#turns.take(sessionId, async () => {
      const { disk, isForgetful } = this.#ports;
      const held = this.#held.get(sessionId);
      const here = disk.get(sessionId);
      if (held !== undefined && here !== undefined) {
        if (isForgetful) here.files.clear();
        return { kept: here.files, isWhole: held.isWhole, filesAsOf: here.untold ?? { kind: 'now' } };
      }
      let claim: Claim | undefined;
      try {
        claim = await this.#claim(sessionId, HOLDER_WAIT_MS, signal);
        const isWhole = this.#closesGap(sessionId, claim);
        const { number, checkpoint } = claim;
        const isLeft = isLeftBy(here, claim);
        const follows = isLeft ? claim.begunBefore : undefined;
        const isUnchanged = here?.isDirty === false && here.version === checkpoint?.version;
        const stays = checkpoint === undefined || isLeft || isUnchanged;
        const files = stays ? (here?.files ?? new Map<string, Kept>()) : checkpoint.files;
        const kept: Files = new Map(isForgetful ? [] : files);
        const filesAsOf = isLeft ? (here?.untold ?? { kind: 'now' }) : asOf(claim);
        const untold = filesAsOf.kind === 'now' ? undefined : filesAsOf;
        const version = checkpoint?.version ?? 0;
        disk.set(sessionId, { files: kept, version, isDirty: true, claim: number, follows, untold });
        await this.#begin(sessionId, claim);
        this.#held.set(sessionId, { claim, isWhole });
        this.#owed.delete(sessionId);
        return { kept, isWhole, filesAsOf };
      } catch (error) {
        await this.#giveBack(sessionId, claim, error);
        throw error;
      }
    });
  }

  told(sessionId: SessionId): Promise<void> {
    return this.#turns.take(sessionId, async () => {
      const here = this.#ports.disk.get(sessionId);
      if (here !== undefined && this.#held.has(sessionId)) here.untold = undefined;
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
        if (!isKnown) {
          disk.delete(sessionId);
          this.#owed.delete(sessionId);
          return;
        }
        const claim = await this.#claim(sessionId, 0, undefined);
        this.#closesGap(sessionId, claim);
        const { checkpoint, number, begunBefore: follows } = claim;
        const isLeft = here !== undefined && isLeftBy(here, claim);
        if (here?.isDirty === true && (isLeft || checkpoint === undefined)) {
          here.claim = number;
          here.follows = isLeft ? follows : undefined;
          const place = isLeft ? await placeOf(sessionId) : { seq: 0, turn: 0 };
          return await this.#save(sessionId, claim, placeIn(here.untold) ?? place);
        }
        await this.#release(sessionId, claim);
        this.#owed.delete(sessionId);
      } catch (error) {
        unsaved(sessionId, error);
      }
    });
  }

  /** Never rejects. */
  async #save(sessionId: SessionId, claim: Claim, place: LogPlace | undefined): Promise<void> {
    try {
      await this.#point(sessionId, claim, place, false);
      this.#owed.delete(sessionId);
    } catch (error) {
      this.#ports.unsaved(sessionId, error);
      if (error instanceof ClaimLost) this.#owed.delete(sessionId);
      else this.#owed.add(sessionId);
    }
  }

  /** Makes what is here the checkpoint. */
  async #point(
    sessionId: SessionId,
    { number: claim, isClosing }: Claim,
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
      archived.checkpoint = {
        version,
        claim,
        files,
        savedAt,
        place: placeIn(here.untold) ?? place ?? before?.place,
      };
      if (isClosing) Object.assign(archived, { hasGap: false, cut: undefined });
      if (!isLive) archived.holder = undefined;
      return version;
    });
    here.isDirty = isLive;
    if (!isLive) here.untold = undefined;
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

  async #release(sessionId: SessionId, { number, begunBefore, isCut, gap }: Claim): Promise<void> {
    const { archive, ask } = this.#ports;
    await ask('release', async () => {
      const archived = archive.get(sessionId);
      if (archived?.claims !== number) return;
      archived.holder = undefined;
      if (archived.begun !== number) return;
      archived.begun = begunBefore; // its answer was lost
      archived.hasGap = gap !== 'none';
      archived.cut = isCut ? { hadGap: gap === 'old' } : undefined;
    });
  }

  /** Nothing was begun under it; what may still be held is owed. */
  async #giveBack(sessionId: SessionId, claim: Claim | undefined, error: unknown): Promise<void> {
    if (claim === undefined && error instanceof WorkspaceHeld) return;
    try {
      if (claim === undefined) throw error;
      await this.#release(sessionId, claim);
    } catch {
      this.#owed.add(sessionId);
    }
  }

  async #begin(sessionId: SessionId, { number, isClosing }: Claim): Promise<void> {
    const { archive, ask, owner } = this.#ports;
    await ask('begin', async () => {
      const archived = archive.get(sessionId);
      if (archived?.holder !== owner || archived.claims !== number) throw new ClaimLost();
      archived.begun = number;
      archived.cut = undefined;
      if (isClosing) archived.hasGap = false;
    });
  }

  /** Undefined when somebody else was quicker. */
  #tryClaim(sessionId: SessionId, seen: string | undefined): Claim | undefined {
    const { archive, owner } = this.#ports;
    const none = { holder: undefined, claims: 0, checkpoint: undefined, begun: 0, cut: undefined };
    const archived: Archived = archive.get(sessionId) ?? { ...none, hasGap: false };
    const { holder, hasGap, begun } = archived;
    if (holder !== seen) return undefined;
    if (holder !== undefined && holder !== owner && begun === archived.claims) {
      archived.cut = { hadGap: hasGap };
      archived.hasGap = true;
    }
    archived.holder = owner;
    archived.claims += 1;
    archive.set(sessionId, archived);
    const { cut, claims: number, checkpoint } = archived;
    const gap = !archived.hasGap ? 'none' : cut?.hadGap === false ? 'fresh' : 'old';
    return { number, begunBefore: begun, isCut: cut !== undefined, gap, isClosing: false, checkpoint };
  }

  /** Whether all that was ever started is known here: the server that died was this machine's. */
  #closesGap(sessionId: SessionId, claim: Claim): boolean {
    const { disk } = this.#ports;
    if (claim.gap !== 'fresh') return claim.gap === 'none';
    if (!isLeftBy(disk.get(sessionId), claim)) return false;
    claim.isClosing = true;
    return true;
  }
}

function isLeftBy(here: Copy | undefined, { begunBefore, checkpoint }: Claim): boolean {
  if (here?.isDirty !== true || (here.claim !== begunBefore && here.follows !== begunBefore)) return false;
  return checkpoint === undefined || checkpoint.version === here.version || checkpoint.claim === here.claim;
}

function placeIn(files: FilesAsOf | undefined): LogPlace | undefined {
  return files?.kind === 'checkpoint' ? files.place : undefined;
}

function asOf({ checkpoint, isCut }: Claim): FilesAsOf {
  if (checkpoint === undefined) return { kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut };
  const { savedAt, place } = checkpoint;
  return place === undefined ? { kind: 'now' } : { kind: 'checkpoint', savedAt, place, isCut };
}
