/**
 * Checkpoints of workspaces in MongoDB (hands/workspace-archive.ts): the pointer is a document of `workspace`, contents are
 * files of the GridFS bucket of the same name. No transaction: a pointer is compared and set, everything else is only added
 * before and removed after.
 *
 * GRIDFS-1 A file's `_id` is `<session>/<claim>/<sha256>`. The number of the claim is in it so that a holder that lost its claim without
 *    knowing never writes to an id that its successor writes to. Its `filename` is the session: the index that GridFS has anyway
 *    finds all files of one.
 * GRIDFS-2 What is to be removed is listed before the pointer is set and removed after. So a holder that is overtaken in between removes
 *    nothing of its successor, who refers to what the pointer led to and to what it has written itself, both not on that list.
 * GRIDFS-3 An upload that was cut leaves chunks and no file: it is nowhere referred to, and found by its chunks.
 */
import { type Collection, ReadConcern } from 'mongodb';
import type { Clock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import type { Owners } from '../../../supervisor/owners.ts';
import {
  type Checkpoint,
  ClaimLost,
  type ContentId,
  type LogPlace,
  type WorkspaceArchive,
  type WorkspaceClaim,
  WorkspaceHeld,
} from '../../../hands/workspace-archive.ts';
import type { MongoDatabase } from '../database.ts';
import { isDuplicateKey, translated } from '../translate-error.ts';
import { BUCKET, fileIdOf, WorkspaceContents } from './workspace-contents.ts';

/** How often a living holder is looked at again while it saves. */
const HOLDER_LOOK_MS = 200;
/** An answer that most members must agree to is not waited for longer: without them there is none. */
const AGREED_MS_MAX = 10_000;

interface WorkspaceDocument {
  readonly _id: string;
  /** The owner that has the workspace open; absent while it rests. */
  readonly holder?: string;
  /** Counts the claims: two holders never have the same. */
  readonly claim: number;
  /** ARCHIVE-5. */
  readonly hasGap?: boolean;
  readonly begun?: Begun;
  readonly version: number;
  readonly root?: ContentId;
  readonly savedAt?: Date;
  readonly place?: PlaceOfCheckpoint;
}

/** With what was saved at the same time: a server of an older version saves without a place, and leaves the one that it finds. */
interface PlaceOfCheckpoint extends LogPlace {
  readonly version: number;
  readonly savedAt: Date;
}

/** ARCHIVE-6. */
interface Begun {
  /** The claim that wrote this: a server of an older version claims, and leaves it as it finds it. */
  readonly asOf: number;
  /** The last claim under which work has begun. */
  readonly claim: number;
  /** Set from its take-over until the next one begins: that it was never given back, and whether there was a gap before. */
  readonly cut?: { readonly hadGap: boolean };
}

interface Claimed {
  readonly kind: 'claimed';
  readonly workspace: WorkspaceDocument;
}

export interface MongoWorkspaceArchivePorts {
  readonly database: Pick<MongoDatabase, 'client' | 'db'>;
  readonly owners: Pick<Owners, 'alive'>;
  /** The name under which this server's heartbeat is written. */
  readonly owner: string;
  readonly clock: Clock;
}

export class MongoWorkspaceArchive implements WorkspaceArchive {
  readonly #ports: MongoWorkspaceArchivePorts;
  readonly #workspaces: Collection<WorkspaceDocument>;
  readonly #contents: WorkspaceContents;

  constructor(ports: MongoWorkspaceArchivePorts) {
    this.#ports = ports;
    // What is read here a majority had before anything pointed to it, and pointers are compared and set; a new primary knows all of
    // it at once, while what it knows a majority to have may lag: a session would seem unknown, a part of a checkpoint missing.
    const { client, db } = ports.database;
    const newest = client.db(db.databaseName, { readConcern: new ReadConcern('local') });
    this.#workspaces = newest.collection<WorkspaceDocument>(BUCKET);
    this.#contents = new WorkspaceContents(newest);
  }

  async claim(sessionId: SessionId, waitMs: number, signal?: AbortSignal): Promise<WorkspaceClaim> {
    const { clock } = this.#ports;
    const giveUpAt = clock.monotonicNow() + waitMs;
    for (;;) {
      const claimed = await translated(() => this.#tryClaim(sessionId));
      if (claimed.kind === 'claimed') return this.#open(claimed.workspace);
      if (signal?.aborted === true || clock.monotonicNow() >= giveUpAt)
        throw new WorkspaceHeld(claimed.holder);
      await clock.sleep(HOLDER_LOOK_MS, signal);
    }
  }

  isKnown(sessionId: SessionId): Promise<boolean> {
    return translated(async () => {
      if (await this.#isThere(sessionId)) return true;
      // a primary that does not know yet that there is another one would not have it either
      const agreed = { readConcern: { level: 'linearizable' }, maxTimeMS: AGREED_MS_MAX } as const;
      return (await this.#workspaces.findOne({ _id: sessionId }, agreed)) !== null;
    });
  }

  forget(sessionId: SessionId): Promise<boolean> {
    return translated(async () => {
      if (!(await this.#isThere(sessionId))) return true;
      const claimed = await this.#tryClaim(sessionId);
      if (claimed.kind === 'held') return false;
      const { claim } = claimed.workspace;
      await this.#contents.remove(await this.#contents.of(sessionId));
      // last: while it is there, what a crash has left can be found
      await this.#workspaces.deleteOne({ _id: sessionId, holder: this.#ports.owner, claim });
      return true;
    });
  }

  async #tryClaim(sessionId: SessionId): Promise<Claimed | { kind: 'held'; holder: string }> {
    const { owner, owners } = this.#ports;
    for (;;) {
      const found = await this.#workspaces.findOne({ _id: sessionId });
      if (found === null) {
        const begun = { asOf: 1, claim: 0 };
        const first: WorkspaceDocument = { _id: sessionId, holder: owner, claim: 1, begun, version: 0 };
        const isMade = await this.#workspaces.insertOne(first).then(() => true, falseIfThere);
        if (isMade) return { kind: 'claimed', workspace: first };
        continue;
      }
      const { holder, claim } = found;
      const isOver = holder !== undefined && holder !== owner;
      if (isOver && (await owners.alive()).includes(holder)) return { kind: 'held', holder };
      const taken = await this.#workspaces.findOneAndUpdate(
        { _id: sessionId, holder: (holder ?? null) as never, claim }, // null: absent, which the type of the field does not say
        { $set: { holder: owner, claim: claim + 1, ...overtaking(found, isOver) } },
        { returnDocument: 'after' },
      );
      if (taken !== null) return { kind: 'claimed', workspace: taken }; // ARCHIVE-2
    }
  }

  #open(workspace: WorkspaceDocument): WorkspaceClaim {
    const { _id, claim } = workspace;
    const sessionId = _id as SessionId; // it was claimed by one
    const contents = this.#contents;
    const own = { _id, holder: this.#ports.owner, claim };
    let current = workspace;
    let isClosing = false; // ARCHIVE-5: in one step with what begins or is saved
    let mayHaveBegun = false;
    const started = new Set<string>();
    const whole = new Set<string>();
    const point = (
      next: ContentId,
      kept: ReadonlySet<ContentId>,
      place: LogPlace | undefined,
      isHeldOn: boolean,
    ) =>
      translated(async () => {
        const keptIds = new Set([next, ...kept].map((content) => fileIdOf(sessionId, content)));
        const garbage = (await contents.of(sessionId)).filter((id) => !keptIds.has(id)); // GRIDFS-2: before
        const version = current.root === next ? current.version : current.version + 1;
        const savedAt = new Date(this.#ports.clock.now());
        const pointed = { version, root: next, savedAt };
        const placed = place === undefined ? undefined : { ...place, version, savedAt };
        if (!(await this.#point(own, pointed, placed, { isHeldOn, isClosing }))) {
          // forgotten meanwhile: nobody comes after this one to remove what it wrote since
          if (!(await this.#isThere(sessionId))) await contents.remove([...started]);
          throw new ClaimLost(); // ARCHIVE-2
        }
        const { place: _before, ...rest } = current;
        current = { ...rest, ...pointed, ...(placed === undefined ? {} : { place: placed }) };
        for (const id of garbage) whole.delete(id);
        await contents.remove(garbage).catch(() => undefined); // GRIDFS-2: after; what is left, the next one removes (ARCHIVE-3)
        return { version, root: next };
      });
    return {
      number: claim,
      ...beforeOf(workspace),
      begin: () =>
        translated(async () => {
          mayHaveBegun = true;
          await this.#begin(own, isClosing);
          mayHaveBegun = false;
        }),
      closeGap: () => void (isClosing = true),
      get checkpoint() {
        const { version, root } = current;
        return root === undefined ? undefined : { version, root };
      },
      get age() {
        const { savedAt } = current;
        return savedAt === undefined ? undefined : { savedAt: savedAt.getTime(), place: placeIn(current) };
      },
      read: (content) => contents.read(fileIdOf(sessionId, content)),
      async write(sha256, bytes) {
        const content = `${claim}/${sha256}`; // GRIDFS-1
        const id = fileIdOf(sessionId, content);
        if (whole.has(id)) return content; // a save that begins anew
        await translated(async () => {
          if (started.has(id)) await contents.remove([id]); // it was cut, or a checkpoint did without it
          started.add(id);
          await contents.write(id, sessionId, bytes);
        });
        whole.add(id);
        return content;
      },
      settle: (next, kept, place) => point(next, kept, place, false),
      keep: (next, kept, place) => point(next, kept, place, true),
      release: () => translated(() => this.#release(own, mayHaveBegun ? workspace : undefined)),
    };
  }

  async #begin(own: { _id: string; holder: string; claim: number }, isClosing: boolean): Promise<void> {
    const { claim } = own;
    const begun = { asOf: claim, claim };
    const closing = isClosing ? { $unset: { hasGap: '' as const } } : {};
    const { matchedCount } = await this.#workspaces.updateOne(own, { $set: { begun }, ...closing });
    if (matchedCount === 0) throw new ClaimLost();
  }

  /** `found`: as it was before a begin whose answer may have been lost. */
  async #release(
    own: { _id: string; holder: string; claim: number },
    found: WorkspaceDocument | undefined,
  ): Promise<void> {
    const before = found && { $set: { begun: begunOf(found), hasGap: found.hasGap === true } };
    await this.#workspaces.updateOne(own, { ...before, $unset: { holder: '' } });
  }

  async #isThere(sessionId: SessionId): Promise<boolean> {
    return (await this.#workspaces.findOne({ _id: sessionId }, { projection: { _id: 1 } })) !== null;
  }

  /** Sets the pointer and gives the claim back, unless it is held on, in one step; false when the claim is lost. */
  async #point(
    own: { _id: string; holder: string; claim: number },
    pointed: Checkpoint & { readonly savedAt: Date },
    place: PlaceOfCheckpoint | undefined,
    { isHeldOn, isClosing }: { readonly isHeldOn: boolean; readonly isClosing: boolean },
  ): Promise<boolean> {
    const { matchedCount } = await this.#workspaces.updateOne(own, {
      $set: { ...pointed, ...(place === undefined ? {} : { place }) },
      $unset: {
        ...(isHeldOn ? {} : { holder: '' as const }),
        ...(place === undefined ? { place: '' as const } : {}),
        ...(isClosing ? { hasGap: '' as const, 'begun.cut': '' as const } : {}),
      },
    });
    if (matchedCount > 0) return true;
    if (isHeldOn) return false;
    // the answer of an update that was made may have been lost on the way: then nobody else has claimed it since
    const { _id, claim } = own;
    const now = await this.#workspaces.findOne({ _id, claim, holder: { $exists: false } });
    return now?.version === pointed.version && now.root === pointed.root;
  }
}

/** Of the checkpoint; what was left there by an earlier one is none. */
function placeIn({ version, savedAt, place }: WorkspaceDocument): LogPlace | undefined {
  if (place?.version !== version || place.savedAt.getTime() !== savedAt?.getTime()) return undefined;
  return { seq: place.seq, turn: place.turn };
}

/** Of a claim that an older version has made nothing is known: it may have been used. */
function begunOf({ claim, begun }: WorkspaceDocument): Begun {
  return begun?.asOf === claim ? begun : { asOf: claim, claim };
}

/** What a new claim is told of those before it. */
function beforeOf(workspace: WorkspaceDocument): Pick<WorkspaceClaim, 'begunBefore' | 'isCut' | 'gap'> {
  const { claim: begunBefore, cut } = begunOf(workspace);
  const told = { begunBefore, isCut: cut !== undefined };
  if (workspace.hasGap !== true) return { ...told, gap: 'none' };
  return { ...told, gap: cut?.hadGap === false ? 'fresh' : 'old' };
}

/** What the next claim says of those before it (ARCHIVE-5, ARCHIVE-6). `isOver`: it is taken over from an owner that is dead. */
function overtaking(found: WorkspaceDocument, isOver: boolean): Pick<WorkspaceDocument, 'begun' | 'hasGap'> {
  const before = begunOf(found);
  const begun = { ...before, asOf: found.claim + 1 };
  if (!isOver || before.claim !== found.claim) return { begun };
  return { begun: { ...begun, cut: { hadGap: found.hasGap === true } }, hasGap: true };
}

function falseIfThere(error: unknown): false {
  if (isDuplicateKey(error)) return false;
  throw error;
}
