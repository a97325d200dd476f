/** What launching brain and hands has in common: the place of the program, and the wait until it says that it is ready. */
import { realpathSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { type Child, describeEnd } from './child.ts';

/** A unit ended, or said nothing, before it was ready. */
export class LaunchFailed extends Fault {
  readonly code = 'LAUNCH_FAILED';
}

/** Loading takes some hundred milliseconds; on a machine that swaps, seconds. */
const READY_MS_MAX = 30_000;

/** Where programs are when nobody says otherwise. */
export const SEARCH_PATH = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';
/** The source tree that this file is part of, and the folder that holds it and node_modules. */
export const SOURCE = resolve(import.meta.dirname, '../../..');
export const APP_FOLDER = resolve(SOURCE, '..');
/** The binary itself: what was started may be a link into node_modules. */
export const NODE_BINARY = realpathSync(process.execPath);

/** An entry under `processes`, as it is called here: source or build. */
export function entryOf(name: string, source: string = SOURCE): string {
  return join(source, 'processes', `${name}${extname(import.meta.filename)}`);
}

/** Resolves when `ready` does; rejects with LaunchFailed when the child ends first or takes too long, and ends it then. */
export async function whenReady(what: string, child: Child, ready: Promise<void>): Promise<void> {
  let late = false;
  const watchdog = setTimeout(() => {
    late = true;
    child.kill();
  }, READY_MS_MAX);
  const ended = await Promise.race([ready, child.ended]);
  clearTimeout(watchdog);
  if (ended === undefined) return;
  const how = late
    ? `was not ready after ${READY_MS_MAX} ms`
    : `ended before it was ready (${describeEnd(ended)})`;
  throw new LaunchFailed(`The ${what} ${how}.`);
}

/** Whether a line of stdout says that the unit is ready. */
export function isReady(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === 'ready';
}
