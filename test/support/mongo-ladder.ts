/**
 * Where a MongoDB server is had from, best first: MONGODB_URI, mongod on PATH, the mongod that mongodb-memory-server downloads,
 * SecantusDB. The first that serves is taken. Nothing here starts a server (mongo-process.ts does).
 */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { downloadedMongod } from './mongod-download.ts';
import { secantus } from './secantus.ts';

/** What the server must be able to do, beyond being one. */
export interface Needs {
  /** failCommand fail points. They hold for the whole server, so the server is one of its own. */
  readonly testCommands?: boolean | undefined;
  /** A server that nobody else uses, and that may be killed. */
  readonly own?: boolean | undefined;
  /** Three members elect another primary when one dies. Default: 1. */
  readonly members?: 1 | 3 | undefined;
}

export type Rung =
  | { readonly kind: 'given'; readonly uri: string }
  | { readonly kind: 'mongod'; readonly program: string }
  | { readonly kind: 'secantus'; readonly program: string };

type Found = { readonly program: string } | { readonly refusal: string };

export interface Surroundings {
  readonly uri: string | undefined;
  readonly installed: () => string | undefined;
  readonly download: () => Promise<Found>;
  readonly secantus: () => Promise<Found>;
}

/** Why there is no server, with the line that mends it. */
export class NoMongo extends Error {}

export async function climb(needs: Needs, around: Surroundings): Promise<Rung> {
  const own = isOwn(needs);
  if (around.uri !== undefined && !own) return { kind: 'given', uri: around.uri };
  const installed = around.installed();
  if (installed !== undefined) return { kind: 'mongod', program: installed };
  const downloaded = await around.download();
  if ('program' in downloaded) return { kind: 'mongod', program: downloaded.program };
  const tried = [
    around.uri === undefined ? 'MONGODB_URI is not set' : 'the server at MONGODB_URI may not be killed',
    'there is no mongod on PATH',
    downloaded.refusal,
  ];
  if (needs.members === 3) throw noMongo([...tried, 'SecantusDB has one member only'], 'install mongod');
  const stand = await around.secantus();
  if ('program' in stand) return { kind: 'secantus', program: stand.program };
  const mend = 'install mongod, or python3 with venv (Debian: apt-get install python3 python3-venv)';
  throw noMongo([...tried, stand.refusal], own ? mend : `${mend}, or set MONGODB_URI=mongodb://…`);
}

export function isOwn({ own, testCommands, members }: Needs): boolean {
  return own === true || testCommands === true || members === 3;
}

function noMongo(tried: readonly string[], mend: string): NoMongo {
  return new NoMongo(`No MongoDB server: ${tried.join('; ')}. To mend it: ${mend}.`);
}

const CACHE = join(import.meta.dirname, '../../.cache');

export function surroundings(env: NodeJS.ProcessEnv, say: (line: string) => void): Surroundings {
  const inCi = isCi(env);
  return {
    uri: env['MONGODB_URI'] === '' ? undefined : env['MONGODB_URI'],
    installed: () => onPath('mongod', env['PATH']),
    download: () => downloadedMongod({ cache: CACHE, inCi, say }),
    secantus: () => secantus(CACHE, say),
  };
}

export function isCi(env: NodeJS.ProcessEnv): boolean {
  return env['CI'] !== undefined && env['CI'] !== '';
}

function onPath(command: string, path = ''): string | undefined {
  return path
    .split(delimiter)
    .map((folder) => join(folder, command))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
