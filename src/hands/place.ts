/**
 * Where a path given by the model is. Relative paths and /workspace lead into the workspace, wherever that is on this
 * machine; other absolute paths are taken as they are, since the isolation decides about them and not this file.
 */
import { isAbsolute, join, relative, sep } from 'node:path';
import { FileRefused } from './faults.ts';

/** The workspace as the model knows it. */
const WORKSPACE = '/workspace';

export interface Place {
  readonly path: string;
  /** Relative to the workspace when inside, else absolute: how the model is told of it. */
  readonly shown: string;
  readonly inside: boolean;
}

/** Throws FileRefused for a path that cannot name anything. */
export function placeOf(root: string, given: string): Place {
  if (given === '' || given.includes('\0')) {
    throw new FileRefused('The path is empty or holds a zero byte: give a path relative to /workspace.');
  }
  const path = absolute(root, given).replace(/(?<=.)\/+$/, '');
  const steps = relative(root, path).split(sep);
  const inside = steps[0] !== '..';
  return { path, shown: inside ? steps.join('/') || '.' : path, inside };
}

function absolute(root: string, given: string): string {
  if (!isAbsolute(given)) return join(root, given);
  const steps = relative(WORKSPACE, given).split(sep);
  return steps[0] === '..' ? join(given) : join(root, ...steps);
}
