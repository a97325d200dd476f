/** What launching brain and hands has in common: the place of the program, and the wait until it says that it is ready. */
import { realpathSync } from 'node:fs';
import { extname, join, resolve } from 'node:path';
import { LaunchFailed } from '../../../supervisor/launcher.ts';
import type { ControlGroup } from '../isolation/control-groups.ts';
import { type Child, describeEnd } from './child.ts';

/** What the system answers when it has no descriptor, process or memory to give. */
const SHORTAGE = /^(EMFILE|ENFILE|EAGAIN|ENOMEM)$/;

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
  const watchdog = setTimeout(() => child.kill(`it was not ready after ${READY_MS_MAX} ms`), READY_MS_MAX);
  const ended = await Promise.race([ready, child.ended]);
  clearTimeout(watchdog);
  if (ended === undefined) return;
  if (isShortageErrno(ended.errno)) throw shortage(what, ended.stderr);
  throw new LaunchFailed(`The ${what} ended before it was ready (${describeEnd(ended)}).`);
}

/**
 * What is to be thrown for `error`, which was thrown while `what` was launched. Node throws some failures of spawn and says others as an
 * event of the child (ended.errno); opening files fails in the same way.
 */
export function launchFailure(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('code' in error) || !isShortageErrno(error.code)) return error;
  return shortage(what, error.message, error);
}

/** Throws LaunchFailed when the group cannot be made: without it a unit has no bound, so it is not started. */
export function openedGroup(what: string, open: () => ControlGroup | undefined): ControlGroup | undefined {
  try {
    return open();
  } catch (cause) {
    const failure = launchFailure(what, cause);
    if (failure instanceof LaunchFailed) throw failure;
    throw new LaunchFailed(
      `The ${what} have no control group (${String(cause)}): look whether anything changed /sys/fs/cgroup since this server was started, and start it again.`,
      { cause },
    );
  }
}

function isShortageErrno(errno: unknown): boolean {
  return SHORTAGE.test(String(errno));
}

function shortage(what: string, reason: string, cause?: unknown): LaunchFailed {
  const message = `The server has no room for another process: the ${what} could not be started (${reason}). It is tried again; raise the limits of the server's user (ulimit -n, -u) or its memory, or run fewer sessions at a time.`;
  return new LaunchFailed(message, { cause, isShortage: true });
}

/** Whether a line of stdout says that the unit is ready. */
export function isReady(message: unknown): boolean {
  return typeof message === 'object' && message !== null && 'kind' in message && message.kind === 'ready';
}
