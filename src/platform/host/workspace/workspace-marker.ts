/** Which checkpoint a workspace on this machine is a copy of, in a file beside it that hands cannot reach. */
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Checkpoint, LogPlace, OlderFiles, WorkspaceClaim } from '../../../hands/workspace-archive.ts';

export interface Marker {
  /** The checkpoint that was restored or made last; undefined when there was none. */
  readonly checkpoint: Checkpoint | undefined;
  /** Hands may have changed the files since. */
  readonly isDirty: boolean;
  /** The claim under which hands were last started here, or what they have left was last to be saved. */
  readonly claim?: number | undefined;
  /** The claim before that had left these files: for when this one turns out to have begun nothing (ARCHIVE-6). */
  readonly follows?: number | undefined;
  /** What the log is still to be told of the files here: how much older they are than it. */
  readonly untold?: OlderFiles | undefined;
}

/** Undefined when there is none that can be read: then nothing is known about the files. */
export async function readMarker(path: string): Promise<Marker | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    // written below, and checked field by field
    const { version, root, isDirty, claim, follows, untold } = JSON.parse(text) as Record<string, unknown>;
    const isOfCheckpoint = typeof version === 'number' && typeof root === 'string';
    return {
      checkpoint: isOfCheckpoint ? { version, root } : undefined,
      isDirty: isDirty !== false,
      claim: typeof claim === 'number' ? claim : undefined,
      follows: typeof follows === 'number' ? follows : undefined,
      untold: olderFiles(untold),
    };
  } catch {
    return undefined;
  }
}

/** On the disk when it resolves. */
export async function writeMarker(path: string, { checkpoint, ...rest }: Marker): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify({ ...checkpoint, ...rest }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Also when an older version, which did not say under which claim, may have changed the files: those are nowhere else. */
export function isUnchanged(marker: Marker | undefined, checkpoint: Checkpoint): boolean {
  return isCopyOf(marker, checkpoint) && (marker?.isDirty === false || marker?.claim === undefined);
}

function isCopyOf(marker: Marker | undefined, { version, root }: Checkpoint): boolean {
  return marker?.checkpoint?.version === version && marker.checkpoint.root === root;
}

/** Whether the files here are as the last claim under which any were changed has left them, and no other copy was saved since. */
export function isLeftBy(marker: Marker | undefined, { begunBefore, checkpoint }: WorkspaceClaim): boolean {
  if (marker?.isDirty !== true) return false;
  if (marker.claim !== begunBefore && marker.follows !== begunBefore) return false;
  return checkpoint === undefined || isCopyOf(marker, checkpoint) || isMadeFrom(marker, checkpoint);
}

/** Whether the checkpoint was made from the files here, and only the marker was not written any more: contents have the number of their claim. */
export function isMadeFrom(marker: Marker | undefined, { root }: Checkpoint): boolean {
  return marker?.claim !== undefined && root.startsWith(`${marker.claim}/`);
}

/** Whether the archive has known the session: when it does not any more, the session was forgotten. */
export function wasKnown(marker: Marker | undefined): boolean {
  return marker?.claim !== undefined || marker?.checkpoint !== undefined;
}

/** Where the checkpoint is from which files here stem that others may have had since. */
export function placeBefore({ age }: WorkspaceClaim): LogPlace | undefined {
  return age === undefined ? { seq: 0, turn: 0 } : age.place;
}

function olderFiles(value: unknown): OlderFiles | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { savedAt, place, isCut } = value as Record<string, unknown>; // checked field by field
  const { seq, turn } = (place ?? {}) as Record<string, unknown>;
  if (typeof seq !== 'number' || typeof turn !== 'number') return undefined;
  const at = typeof savedAt === 'number' ? { savedAt } : {};
  return { kind: 'checkpoint', ...at, place: { seq, turn }, isCut: isCut === true };
}
