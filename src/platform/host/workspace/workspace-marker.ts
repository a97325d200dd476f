/** Which checkpoint a workspace on this machine is a copy of, in a file beside it that hands cannot reach. */
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Checkpoint, WorkspaceClaim } from '../../../hands/workspace-archive.ts';

export interface Marker {
  /** The checkpoint that was restored or made last; undefined when there was none. */
  readonly checkpoint: Checkpoint | undefined;
  /** Hands may have changed the files since. */
  readonly isDirty: boolean;
  /** The claim under which hands were last started here, or what they have left was last to be saved. */
  readonly claim?: number | undefined;
}

/** Undefined when there is none that can be read: then nothing is known about the files. */
export async function readMarker(path: string): Promise<Marker | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    // written below, and checked field by field
    const { version, root, isDirty, claim } = JSON.parse(text) as Record<string, unknown>;
    const isOfCheckpoint = typeof version === 'number' && typeof root === 'string';
    return {
      checkpoint: isOfCheckpoint ? { version, root } : undefined,
      isDirty: isDirty !== false,
      claim: typeof claim === 'number' ? claim : undefined,
    };
  } catch {
    return undefined;
  }
}

/** On the disk when it resolves. */
export async function writeMarker(path: string, { checkpoint, isDirty, claim }: Marker): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify({ ...checkpoint, isDirty, claim }));
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

export function isCopyOf(marker: Marker | undefined, { version, root }: Checkpoint): boolean {
  return marker?.checkpoint?.version === version && marker.checkpoint.root === root;
}

/** Whether the files here are those that the claim before this one has left, and nobody was in between. */
export function isLeftBy(marker: Marker | undefined, claim: WorkspaceClaim): boolean {
  return marker?.isDirty === true && marker.claim === claim.number - 1;
}

/** Whether the checkpoint was made from the files here, and only the marker was not written any more: contents have the number of their claim. */
export function isMadeFrom(marker: Marker | undefined, { root }: Checkpoint): boolean {
  return marker?.claim !== undefined && root.startsWith(`${marker.claim}/`);
}

/** Whether the archive has known the session: when it does not any more, the session was forgotten. */
export function wasKnown(marker: Marker | undefined): boolean {
  return marker?.claim !== undefined || marker?.checkpoint !== undefined;
}
