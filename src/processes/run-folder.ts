/**
 * The folder of this server's unit socket, `<data>/run/<owner>`, closed to all other users; and what is to be learned from those of
 * servers before it: one whose socket nobody answers has died on this machine, so its sessions need not wait for its heartbeat to
 * run out; one that lives has its workspaces in this data folder, and no second server may.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../kernel/clock.ts';
import { LEASE_TTL_MS } from '../kernel/limit.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Scope } from '../kernel/scope.ts';
import { endOrphans } from '../platform/local/isolation/orphans.ts';
import type { Owners } from '../supervisor/owners.ts';
import { StartRefused } from './start-refused.ts';

const SOCKET = 'unit.sock';
const BOOT = 'boot';
/** Where the socket is when the path here is too long for one. */
const PLACE = 'place';
const PRIVATE = 0o700;
/** sun_path of unix(7) has 108 bytes with its end. */
const SOCKET_PATH_BYTES_MAX = 107;
/** A server that is starting has its folder before its socket. */
const STARTING_MS_MAX = 2_000;
/** A heartbeat that nobody renews has run out by then. */
const HEARTBEAT_ENDS_MS = LEASE_TTL_MS + 1_000;
const LOOK_MS = 250;

interface Ports {
  readonly owners: Owners;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Place {
  readonly dataFolder: string;
  readonly owner: string;
}

/** Answers the path of the socket. Throws StartRefused. */
export async function openRunFolder(place: Place, ports: Ports, scope: Scope): Promise<string> {
  const { dataFolder, owner } = place;
  const folder = join(dataFolder, 'run');
  const boot = await thisBoot();
  const own = await makeFolder(folder, owner, boot, scope); // before looking: two that start at once see each other
  for (const name of await readdir(folder)) if (name !== owner) await sweep(place, { name, boot }, ports);
  const socket = join(own, SOCKET);
  if (Buffer.byteLength(socket) <= SOCKET_PATH_BYTES_MAX) return socket;
  const short = await mkdtemp(join(tmpdir(), 'holdfast-'));
  scope.add('socket folder', short, remove);
  await writeFile(join(own, PLACE), join(short, SOCKET));
  return join(short, SOCKET);
}

async function makeFolder(folder: string, owner: string, boot: Boot, scope: Scope): Promise<string> {
  const own = join(folder, owner);
  await mkdir(own, { recursive: true, mode: PRIVATE });
  scope.add('run folder', own, remove);
  await writeFile(join(own, BOOT), `${boot.host}\n${boot.id}`);
  return own;
}

/** Removes what a server left that has died. Throws StartRefused when it lives: its workspaces are in this data folder. */
async function sweep(
  { dataFolder, owner }: Place,
  { name, boot }: { readonly name: string; readonly boot: Boot },
  { owners, clock, logger }: Ports,
): Promise<void> {
  const folder = join(dataFolder, 'run', name);
  const giveUpAt = clock.monotonicNow() + HEARTBEAT_ENDS_MS;
  for (let look = 1; ; look += 1) {
    const life = await lifeOf(folder, boot, clock);
    if (life === 'alive') throw inUse(dataFolder);
    if (life === 'starting' && name > owner) return; // it waits for this one, and is refused
    if (life === 'dead') break;
    if (life === 'unknown' && !(await owners.alive()).includes(name)) break;
    if (clock.monotonicNow() >= giveUpAt) throw inUse(dataFolder);
    if (look === 1)
      logger.info('another server was here: waiting until it is known to be dead', { owner: name });
    await clock.sleep(LOOK_MS);
  }
  await endOrphans(name, { clock, logger }); // ORPHAN-2: what still runs of it must not work on files of sessions that go on
  await owners.retire(name);
  await remove(folder);
}

/** Sockets answer only on the machine that they were made on, since it was started: of others the heartbeat must tell. */
async function lifeOf(
  folder: string,
  boot: Boot,
  clock: Clock,
): Promise<'alive' | 'starting' | 'dead' | 'unknown'> {
  const born = await readFile(join(folder, BOOT), 'utf8').catch(() => '');
  if (boot.id === '' || born !== `${boot.host}\n${boot.id}`) return 'unknown';
  const place = await readFile(join(folder, PLACE), 'utf8').catch(() => join(folder, SOCKET));
  if (await answers(place)) return 'alive';
  const age = clock.now() - (await stat(folder)).mtimeMs;
  return Math.abs(age) < STARTING_MS_MAX ? 'starting' : 'dead'; // long ahead of a clock that was put back, too
}

function inUse(dataFolder: string): StartRefused {
  return new StartRefused(
    `Another Holdfast server uses the data folder ${dataFolder}: set HOLDFAST_DATA to another one. Servers may share HOLDFAST_SECRETS, not workspaces.`,
  );
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

interface Boot {
  readonly host: string;
  /** Another one after each start of the machine; empty where it is not told. */
  readonly id: string;
}

async function thisBoot(): Promise<Boot> {
  const id = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return { host: hostname(), id: id.trim() };
}

function remove(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true });
}
