/**
 * The port for workspaces that outlive their server: one checkpoint per session, made after each turn that used tools and when it
 * rests, restored wherever it wakes.
 * The archive knows contents and which of them are the checkpoint; what they mean (platform/host/workspace/workspace-manifest.ts) it
 * does not. A store without an archive leaves workspaces in the folder they are in. Contract: test/contracts/workspace-archive.ts.
 *
 * ARCHIVE-1 A checkpoint is there whole or not at all: `keep` and `settle` change one document by compare-and-set, and only after its contents
 *    are durable. Whatever ends before that leaves the checkpoint before it untouched.
 * ARCHIVE-2 One holder at a time: whoever has a claim whose owner lives is waited for; the claim of an owner that is dead is taken over,
 *    and then nothing that the old holder does reaches the checkpoint.
 * ARCHIVE-3 What a checkpoint does not refer to is removed by the next `keep` or `settle` or by `forget`, wherever a crash left it.
 * ARCHIVE-4 A content belongs to one session: no id leads to another's, and forgetting one session touches no other.
 * ARCHIVE-5 When a claim under which work had begun is taken over from an owner that died, what its hands have done since the checkpoint is
 *    known to nobody else: the session has a gap from then on, for good, unless the new claim turns out to be of the server that was
 *    killed (closeGap), and begins or saves what it found: until then nobody else has it.
 * ARCHIVE-6 A claim under which nothing was begun leaves no trace: the next one finds what there was to find, whether it was given back,
 *    or its owner died, or it never knew of it.
 */
import { Fault } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';

/** Names a content within its session: `<claim>/<SHA-256 in hex>`. */
export type ContentId = string;

/** Which checkpoint a local copy stems from: equal when both fields are. */
export interface Checkpoint {
  /** Grows with every checkpoint of the session. */
  readonly version: number;
  /** The content that leads to all others. */
  readonly root: ContentId;
}

/** How far the log of the session had come when a checkpoint was made: what was done up to there is in its files. */
export interface LogPlace {
  readonly seq: number;
  /** The last turn that was over, or is over with the next event. */
  readonly turn: number;
}

/** What there is to know about the files of a checkpoint. */
export interface CheckpointAge {
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
  /** Absent when it was not known, or when a server of an older version has made the checkpoint. */
  readonly place?: LogPlace | undefined;
}

/** How far into the log the files reach with which hands begin. */
export type FilesAsOf =
  /** All the way. */
  { readonly kind: 'now' } | OlderFiles;

/** As they were then. */
export interface OlderFiles {
  readonly kind: 'checkpoint';
  /** Absent when nothing was ever saved. */
  readonly savedAt?: number | undefined;
  readonly place: LogPlace;
  /** Hands had them since, whose server died: what these have done is not in the log either (ARCHIVE-5). */
  readonly isCut: boolean;
}

export interface WorkspaceClaim {
  /** Counts the claims of the session. */
  readonly number: number;
  /** The last claim under which files may have been changed before this one; 0 when there is none. */
  readonly begunBefore: number;
  /** ARCHIVE-5: that claim was never given back. */
  readonly isCut: boolean;
  /** ARCHIVE-5. `fresh`: of that very claim. */
  readonly gap: 'none' | 'fresh' | 'old';
  /** To be durable before any hands: files may be changed under this claim from here on. Throws ClaimLost. */
  begin(): Promise<void>;
  /** For a fresh gap: the files here are those that the dead owner left, with all that its hands remembered. It is closed by `begin` or a save. */
  closeGap(): void;
  /** The newest one, as of the claim or made by it; undefined before the first. */
  readonly checkpoint: Checkpoint | undefined;
  /** Of that one. */
  readonly age: CheckpointAge | undefined;
  /** The bytes, as they are in the store: the caller checks them against the hash. Throws CheckpointDamaged when there are none. */
  read(content: ContentId): AsyncIterable<Uint8Array>;
  /**
   * Durable when it resolves, and of use to nobody before `settle`. `sha256` is the caller's word for the bytes: what this claim
   * has written is not written again.
   */
  write(sha256: string, bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<ContentId>;
  /**
   * Makes `root` the checkpoint (the same root: leaves it as it is), gives the claim back, and removes every content that is
   * not in `contents` (ARCHIVE-1, ARCHIVE-3). Throws ClaimLost with nothing changed when another owner has taken the claim over (ARCHIVE-2). Without `place`
   * the checkpoint has none: that of an earlier one would say that it is older than it is.
   */
  settle(root: ContentId, contents: ReadonlySet<ContentId>, place?: LogPlace): Promise<Checkpoint>;
  /** The same, and the claim is held on: for a checkpoint while hands live. */
  keep(root: ContentId, contents: ReadonlySet<ContentId>, place?: LogPlace): Promise<Checkpoint>;
  /** Gives the claim back with the checkpoint as it is, also when `begin` has failed (ARCHIVE-6); does nothing when it is lost. */
  release(): Promise<void>;
}

export interface WorkspaceArchive {
  /**
   * Waits up to `waitMs` for a living holder, then throws WorkspaceHeld; `signal` ends the wait early in the same way. The claim
   * of this owner itself is replaced: who is claimed by whom inside one server is the server's own business.
   */
  claim(sessionId: SessionId, waitMs: number, signal?: AbortSignal): Promise<WorkspaceClaim>;
  /** True from a session's first claim until it is forgotten. Local files are removed upon a false: it is never that of a store that lags. */
  isKnown(sessionId: SessionId): Promise<boolean>;
  /** Removes all of a session's contents. False while another living owner holds it: then nothing happens, and it is to be tried again. */
  forget(sessionId: SessionId): Promise<boolean>;
}

/** Another server has the workspace open, or is saving it. */
export class WorkspaceHeld extends Fault {
  readonly code = 'WORKSPACE_HELD';
  readonly holder: string;

  constructor(holder: string) {
    super(
      `The files of the session are still with another server (${holder}), which has not saved them yet. Try again later.`,
    );
    this.holder = holder;
  }
}

/** Another server has taken the workspace over, since this one was thought dead: what this one has of it counts no more. */
export class ClaimLost extends Fault {
  readonly code = 'CLAIM_LOST';

  constructor() {
    super('Another server has taken over the files of the session.');
  }
}

/** A checkpoint that cannot be restored: something is missing, changed, or nothing that we would have written. */
export class CheckpointDamaged extends Fault {
  readonly code = 'CHECKPOINT_DAMAGED';

  constructor(what: string, cause?: unknown) {
    super(`The saved files of the session cannot be restored: ${what}.`, { cause });
  }
}

/** The disk of this server is too full for the files of the session: nothing of them was restored, and they stay in the archive. */
export class NoRoomForWorkspace extends Fault {
  readonly code = 'NO_ROOM_FOR_WORKSPACE';
  readonly bytesNeeded: number;

  /** `bytesRoom`: what may still be written there. */
  constructor(bytesNeeded: number, bytesRoom: number) {
    super(
      `The saved files of the session take ${bytesNeeded} bytes, and the disk of this server has room for ${bytesRoom} more. Make room there, then try again.`,
    );
    this.bytesNeeded = bytesNeeded;
  }
}

/** The workspace is more than is kept, or has what cannot be kept: it stays on the server where it is. */
export class WorkspaceUnsaved extends Fault {
  readonly code = 'WORKSPACE_UNSAVED';
}
