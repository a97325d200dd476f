/** The demo's own server: the real all-in-one process on a data folder that is removed afterwards. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../processes/all-in-one.ts', import.meta.url));
/** Long enough to see the session idle, short enough to wait for. */
const IDLE_SECONDS = '2';

export interface Server {
  readonly url: string;
  readonly key: string;
  /** Its own database in the MongoDB of DATABASE_URL, which stays; undefined with a data file, which does not. */
  readonly database: string | undefined;
  /** SIGKILL to the brain that works on the session; answers its process id. */
  killBrain(sessionId: string): number;
  stop(): Promise<void>;
}

/** Resolves when the server serves; rejects with what it said when it does not start. */
export async function startServer(): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const key = `demo_${randomBytes(18).toString('base64url')}`;
  const mongo = databaseOfItsOwn(process.env['DATABASE_URL'] ?? '');
  const server = spawn(process.execPath, [ENTRY], {
    env: {
      ...process.env,
      PORT: '0',
      HOST: '',
      DATABASE_URL: mongo?.uri ?? '',
      HOLDFAST_DATA: folder,
      HOLDFAST_SECRETS: '',
      HOLDFAST_ROOT_KEY: key,
      HOLDFAST_IDLE_SECONDS: IDLE_SECONDS,
      HOLDFAST_LOG: 'info',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const failed = new Promise<Error>((resolve) => server.once('error', resolve));
  if (server.pid === undefined)
    throw new Error('the server could not be started, for want of descriptors, processes or memory', {
      cause: await failed,
    });
  const ended = new Promise<void>((resolve) => server.once('close', () => resolve()));
  const brains = new Map<string, number>();
  let complaints = '';
  createInterface({ input: server.stderr }).on('line', (line) => {
    complaints = `${complaints}${line}\n`.slice(-4_000);
    note(line, brains);
  });
  const stop = async (): Promise<void> => {
    server.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  const url = await Promise.race([firstUrl(server.stdout), ended.then(() => undefined)]);
  if (url === undefined) {
    await stop();
    throw new Error(`the server did not start. It said:\n${complaints}`);
  }
  return {
    url,
    key,
    database: mongo?.name,
    killBrain(sessionId) {
      const pid = brains.get(sessionId);
      if (pid === undefined) throw new Error('the server has not said which process the brain is.');
      process.kill(pid, 'SIGKILL');
      return pid;
    },
    stop,
  };
}

/** The URI with another database in its path: a demo writes nothing where somebody works. Undefined when it names no MongoDB. */
function databaseOfItsOwn(uri: string): { uri: string; name: string } | undefined {
  const parts = /^(mongodb(?:\+srv)?:\/\/[^/?]+)(?:\/[^?]*)?(\?.*)?$/.exec(uri);
  if (parts === null) return undefined;
  const name = `holdfast_demo_${randomBytes(4).toString('hex')}`;
  const [, hosts, options = ''] = parts;
  return { uri: `${hosts}/${name}${options}`, name };
}

function firstUrl(output: NodeJS.ReadableStream): Promise<string | undefined> {
  return new Promise((resolve) => {
    createInterface({ input: output }).on('line', (line) => {
      const found = /http:\/\/\S+\/graphql/.exec(line)?.[0];
      if (found !== undefined) resolve(found);
    });
  });
}

/** The server logs which process a session's brain is (supervisor/slot.ts). */
function note(line: string, brains: Map<string, number>): void {
  if (!line.includes('"brain assigned"')) return;
  const { sessionId, pid } = JSON.parse(line) as { sessionId: string; pid: number }; // our own server's log
  brains.set(sessionId, pid);
}
