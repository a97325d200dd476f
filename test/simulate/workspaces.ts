/**
 * Workspaces as servers on one database share them (supervisor/workspace-archive.ts K1-K5), of which only the kept results
 * matter here: a copy on each machine's disk, a checkpoint when a session rests, and one holder at a time.
 */
import type { Kept } from '../../src/hands/kept-results.ts';
import type { Clock } from '../../src/kernel/clock.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { WorkspaceHeld } from '../../src/supervisor/workspace-archive.ts';

/** How long a living holder is waited for, and how often it is looked at. */
const HOLDER_WAIT_MS = 10_000;
const HOLDER_LOOK_MS = 500;
const RETRY_MS = 3_000;

export interface Workspace {
  readonly kept: Map<string, Kept>;
  /** Whether every call of the session that was ever started is among them. */
  readonly isWhole: boolean;
}

/** What the store knows of one workspace. */
interface Archived {
  holder: { readonly owner: string; readonly machine: string } | undefined;
  checkpoint: ReadonlyMap<string, Kept>;
  /** Something was done that nobody knows of. */
  hasGap: boolean;
}

export type Archive = Map<SessionId, Archived>;
export type Disk = Map<SessionId, Map<string, Kept>>;

export interface WorkspacesPorts {
  readonly archive: Archive;
  readonly disk: Disk;
  readonly owner: string;
  readonly machine: string;
  readonly clock: Clock;
  /** A mutant: what hands keep is lost with them. */
  readonly isForgetful: boolean;
  readonly isAlive: (owner: string) => Promise<boolean>;
  /** One request to the store. */
  readonly ask: <T>(what: string, work: () => Promise<T>) => Promise<T>;
  /** A checkpoint could not be saved: tried again by the next rest. */
  readonly unsaved: (sessionId: SessionId, error: unknown) => void;
}

export class Workspaces {
  readonly #ports: WorkspacesPorts;
  /** Those whose hands may run: only once they have ended again is there something to save. */
  readonly #open = new Set<SessionId>();

  constructor(ports: WorkspacesPorts) {
    this.#ports = ports;
  }

  /** Throws WorkspaceHeld, Outage. */
  async open(sessionId: SessionId, signal: AbortSignal | undefined): Promise<Workspace> {
    const { owner, machine, clock, disk, ask, isAlive, isForgetful } = this.#ports;
    this.#open.add(sessionId);
    const until = clock.monotonicNow() + HOLDER_WAIT_MS;
    for (;;) {
      const holder = this.#archived(sessionId).holder?.owner;
      const isHeld = holder !== undefined && holder !== owner && (await isAlive(holder));
      const claimed = isHeld ? undefined : await ask('claim', async () => this.#claim(sessionId, holder));
      if (claimed !== undefined) {
        const here = disk.get(sessionId);
        const stays = claimed.isHere && here !== undefined;
        const kept = isForgetful ? new Map<string, Kept>() : stays ? here : new Map(claimed.checkpoint);
        disk.set(sessionId, kept);
        return { kept, isWhole: !claimed.hasGap };
      }
      if (signal?.aborted === true || clock.monotonicNow() >= until)
        throw new WorkspaceHeld(holder ?? machine);
      await clock.sleep(HOLDER_LOOK_MS, signal);
    }
  }

  async rest(sessionId: SessionId): Promise<void> {
    const { owner, disk, ask, unsaved } = this.#ports;
    this.#open.delete(sessionId);
    const { clock } = this.#ports;
    try {
      await ask('checkpoint', async () => {
        const archived = this.#archived(sessionId);
        if (archived.holder?.owner !== owner) return; // another one has taken it over
        archived.checkpoint = new Map(disk.get(sessionId));
        archived.holder = undefined;
      });
    } catch (error) {
      unsaved(sessionId, error);
      this.#again(sessionId, clock.sleep(RETRY_MS));
    }
  }

  /** Never rejects, as rest does not. */
  #again(sessionId: SessionId, wait: Promise<void>): void {
    void wait.then(() => (this.#open.has(sessionId) ? undefined : this.rest(sessionId)));
  }

  /** What a living server holds it forgets in its turn. */
  async forget(sessionId: SessionId): Promise<void> {
    const { archive, disk, ask, owner, isAlive } = this.#ports;
    const holder = archive.get(sessionId)?.holder?.owner;
    if (holder !== undefined && holder !== owner && (await isAlive(holder))) return;
    await ask('forget', async () => void archive.delete(sessionId));
    disk.delete(sessionId);
  }

  /** Undefined when somebody else was quicker. */
  #claim(sessionId: SessionId, seen: string | undefined) {
    const { owner, machine } = this.#ports;
    const archived = this.#archived(sessionId);
    const { holder, checkpoint } = archived;
    if (holder?.owner !== seen) return undefined;
    const isHere = holder?.machine === machine;
    if (holder !== undefined && !isHere) archived.hasGap = true;
    archived.holder = { owner, machine };
    return { isHere, checkpoint, hasGap: archived.hasGap };
  }

  #archived(sessionId: SessionId): Archived {
    const { archive } = this.#ports;
    const archived = archive.get(sessionId) ?? { holder: undefined, checkpoint: new Map(), hasGap: false };
    archive.set(sessionId, archived);
    return archived;
  }
}
