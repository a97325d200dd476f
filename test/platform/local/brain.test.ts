/** Brains: what they can reach, how they are given their session, how they end. With a small program in place of a brain. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BrainOptions, launchBrain } from '../../../src/platform/local/launcher/brain-launcher.ts';
import type { BrainProcess } from '../../../src/platform/local/launcher/brain-process.ts';
import { chooseIsolation, type Isolation } from '../../../src/platform/local/isolation/isolation.ts';
import { LaunchFailed } from '../../../src/supervisor/launcher.ts';
import { launchMark, MARK_VARIABLE } from '../../../src/platform/local/isolation/orphans.ts';
import { eventually } from '../../support/eventually.ts';
import { isAlive } from '../../support/processes.ts';

const MARK = launchMark('test');
/** Does what it is told by its token: tells the socket what it can do, dies, or stays whatever happens. */
const PROGRAM = `
import { createInterface } from 'node:readline';
import { request } from 'node:http';
import { readFileSync, writeFileSync, readdirSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import { connect } from 'node:net';
import { lookup } from 'node:dns/promises';
const socketPath: string = process.argv[2] ?? '';
const attempt = async (what: () => unknown): Promise<string> => {
  try { return 'DONE ' + String(await what()).slice(0, 200); } catch (error) { return String((error as { code?: string }).code ?? error); }
};
const tcp = (port: number) => new Promise((resolve, reject) => connect(port, '127.0.0.1', () => resolve('connected')).on('error', reject));
async function tell(port: number): Promise<void> {
  const report = {
    env: Object.keys(process.env),
    passwd: await attempt(() => readFileSync('/etc/hostname', 'utf8')),
    parent: await attempt(() => readFileSync('/proc/' + process.ppid + '/environ', 'utf8')),
    root: await attempt(() => readdirSync('/')),
    own: await attempt(() => readFileSync(process.argv[1] ?? '', 'utf8').length > 0),
    packages: await attempt(() => import('graphql').then(() => 'loaded')),
    write: await attempt(() => writeFileSync('/tmp/x', 'x')),
    child: await attempt(() => spawnSync('true').status),
    worker: await attempt(() => new Worker('1', { eval: true })),
    tcp: await attempt(() => tcp(port)),
    dns: await attempt(() => lookup('example.org')),
  };
  request({ socketPath, method: 'POST', path: '/' }, (response) => response.resume().on('end', () => process.exit(0))).end(JSON.stringify(report));
}
const input = createInterface({ input: process.stdin });
let stubborn = false;
input.once('line', (line) => {
  const { token } = JSON.parse(line);
  if (token.startsWith('tell ')) void tell(Number(token.slice(5)));
  if (token === 'grow') { const kept: Buffer[] = []; while (kept.length < 12) kept.push(Buffer.alloc(256 * 1024 * 1024, 1)); process.exit(0); }
  if (token === 'die') throw new Error('the last words');
  if (token === 'stay') { stubborn = true; setInterval(() => undefined, 1000); console.error('I stay'); }
});
input.once('close', () => { if (!stubborn) process.exit(0); });
console.log('a line that means nothing');
console.log('{"kind":"ready"}');
`;

let folder: string;
let entry: { source: string; file: string };
let server: Server;
const told: string[] = [];
const complaints: string[] = [];
const started: BrainProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-brain-'));
  const source = join(folder, 'src');
  entry = { source, file: join(source, 'brain.ts') };
  await mkdir(source, { mode: 0o755 });
  await writeFile(join(source, 'package.json'), '{"type":"module"}');
  await writeFile(entry.file, PROGRAM);
  await writeFile(join(source, 'broken.ts'), 'throw new Error("cannot load");');
  server = createServer((request, response) => {
    request
      .setEncoding('utf8')
      .on('data', (text: string) => told.push(text))
      .on('end', () => response.end());
  }).listen(join(folder, 'unit.sock'));
  await once(server, 'listening');
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((one) => one.stop()));
  complaints.length = 0;
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

async function start(isolation: Isolation, options: Partial<BrainOptions> = {}): Promise<BrainProcess> {
  const onComplaint = (line: string): void => void complaints.push(line);
  const launched = await launchBrain(isolation, {
    unitSocket: join(folder, 'unit.sock'),
    entry,
    onComplaint,
    ...options,
  });
  started.push(launched);
  return launched;
}

async function report(isolation: Isolation): Promise<Readonly<Record<string, unknown>>> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  told.length = 0;
  const teller = await start(isolation);
  teller.assign(`tell ${typeof address === 'object' && address !== null ? address.port : 0}`);
  expect(await teller.ended).toMatchObject({ code: 0 });
  await new Promise((resolve) => listener.close(resolve));
  return JSON.parse(told.join('')) as Readonly<Record<string, unknown>>;
}

describe('an isolated brain', () => {
  let isolation: Isolation;
  beforeAll(async () => {
    isolation = await chooseIsolation('bubblewrap', MARK, process.env['PATH']);
  });

  it('reaches its source, its packages and the unit endpoint, and nothing else', async () => {
    const { env, own, packages, ...refused } = await report(isolation);

    expect([own, packages]).toEqual(['DONE true', 'DONE loaded']);
    expect(env).toEqual(expect.not.arrayContaining(['PATH', 'HOME', 'USER']));
    for (const name of env as string[]) expect(['PWD', 'SHLVL', '_', 'OLDPWD']).toContain(name); // what a shell sets
    const denied = 'ERR_ACCESS_DENIED';
    expect(refused).toEqual({
      passwd: denied,
      parent: denied,
      root: denied,
      write: denied,
      child: denied,
      worker: denied,
      tcp: 'ECONNREFUSED', // on a loopback of its own, where nobody listens
      dns: expect.stringMatching(/EAI_AGAIN|ENOTFOUND/),
    });
  });

  it('waits for its session, and ends when its input does', async () => {
    const spare = await start(isolation);
    await spare.stop();

    expect(await spare.ended).toMatchObject({ code: 0, signal: null });
  });

  it('that fails says why', async () => {
    const failing = await start(isolation);
    failing.assign('die');

    const { code, stderr } = await failing.ended;
    expect(code).toBe(1);
    expect(stderr).toContain('the last words');
    expect(complaints.join('\n')).toContain('the last words');
  });

  it('that takes more memory than a brain may have ends by itself', async () => {
    const growing = await start(isolation);
    growing.assign('grow');

    const { code, signal } = await growing.ended;
    expect([code, signal]).not.toEqual([0, null]); // it did not get the 3 GiB that it asked for
    expect(signal).not.toBe('SIGKILL'); // nobody had to end it, the kernel of the host neither
  });

  it('that does not stop is killed', async () => {
    const stubborn = await start(isolation);
    stubborn.assign('stay');
    await eventually('it has its session', () => complaints.includes('I stay'));
    await stubborn.stop();

    expect(await stubborn.ended).toMatchObject({ signal: 'SIGKILL' });
    expect(isAlive(stubborn.pid)).toBe(false);
  });

  it('that cannot be loaded is told from one that can', async () => {
    const launching = start(isolation, { entry: { ...entry, file: join(entry.source, 'broken.ts') } });

    await expect(launching).rejects.toThrow(LaunchFailed);
    await expect(launching).rejects.toThrow(/ended before it was ready \(exit code 1: Error: cannot load\)/);
  });
});

it("a brain in the open has no environment but its mark and keeps Node's own permissions", async () => {
  const { env, own, tcp, ...refused } = await report({ kind: 'none', mark: MARK });

  expect([env, own, tcp]).toEqual([[MARK_VARIABLE], 'DONE true', 'DONE connected']);
  const { packages: _, dns: __, ...denied } = refused;
  expect(Object.values(denied)).toEqual(Array.from({ length: 6 }, () => 'ERR_ACCESS_DENIED'));
});
