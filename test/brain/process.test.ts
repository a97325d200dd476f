/** The brain as a real process, with nothing but a unix socket to a door over the double. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { UnitRefusal } from '../../src/brain/unit.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { Scope } from '../../src/kernel/scope.ts';
import { silentLogger } from '../../src/kernel/logger.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { Gateway } from '../../src/models/gateway.ts';
import { planOf } from '../../src/models/model-table.ts';
import { startRehearsal } from '../../src/rehearsal/rehearsal.ts';
import type { UnitAppend, UnitToolCall } from '../../src/sessions/unit-wire.ts';
import { ok, UnitDouble } from './unit-double.ts';

const BRAIN = fileURLToPath(new URL('../../src/processes/brain.ts', import.meta.url));
let scope = new Scope();
afterEach(async () => {
  await scope.close();
  scope = new Scope();
});

test('a spare says ready, takes its assignment, and works the turn to its end', async () => {
  const unit = new UnitDouble({ model: 'tools', tool: () => Promise.resolve(ok('done')) });
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'test' });
  const brain = await startBrain(await openDoor(unit));

  brain.stdin.write(`${JSON.stringify({ kind: 'assign', token: 'unit-token' })}\n`);
  await expect.poll(() => unit.session.status, { timeout: 10_000 }).toBe('idle');
  brain.stdin.end();

  expect(await exitOf(brain)).toBe(0);
  expect(unit.session.turn?.outcome).toBe('completed');
  expect([...unit.runs.values()]).toEqual([1, 1, 1]);
});

test('a brain that is killed in the middle of a tool is followed by one that fetches the result', async () => {
  const release = Promise.withResolvers<void>();
  const unit = new UnitDouble({ model: 'tools', tool: () => release.promise.then(() => ok('done')) });
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'test' });
  const socketPath = await openDoor(unit);
  const assign = `${JSON.stringify({ kind: 'assign', token: 'unit-token' })}\n`;
  const first = await startBrain(socketPath);
  first.stdin.write(assign);
  await expect.poll(() => unit.runs.size, { timeout: 10_000 }).toBe(3);
  first.kill('SIGKILL');
  await exitOf(first);

  const second = await startBrain(socketPath);
  second.stdin.write(assign);
  release.resolve();

  await expect.poll(() => unit.session.turn?.outcome, { timeout: 10_000 }).toBe('completed');
  expect([...unit.runs.values()]).toEqual([1, 1, 1]);
  expect(unit.bodies('tool.result')).toHaveLength(3);
});

test('SIGTERM ends a working brain with exit code 0', async () => {
  const unit = new UnitDouble({ model: 'tools', tool: () => new Promise(() => undefined) });
  unit.say('go');
  unit.command({ kind: 'takeLease', owner: 'test' });
  const brain = await startBrain(await openDoor(unit));
  brain.stdin.write(`${JSON.stringify({ kind: 'assign', token: 'unit-token' })}\n`);
  await expect.poll(() => unit.runs.size, { timeout: 10_000 }).toBe(3);

  brain.kill('SIGTERM');

  expect(await exitOf(brain)).toBe(0);
});

test('a brain whose token is refused ends quietly', async () => {
  const brain = await startBrain(await openDoor(new UnitDouble()));

  brain.stdin.write(`${JSON.stringify({ kind: 'assign', token: 'an old one' })}\n`);

  expect(await exitOf(brain)).toBe(0);
});

async function startBrain(socketPath: string): Promise<ChildProcessWithoutNullStreams> {
  const brain = spawn(process.execPath, [BRAIN, socketPath], { env: {} });
  scope.add('brain', brain, async () => {
    if (brain.exitCode !== null || brain.signalCode !== null) return;
    brain.kill('SIGKILL');
    await once(brain, 'exit');
  });
  brain.stderr.resume();
  const [line] = await once(brain.stdout, 'data');
  expect(String(line)).toBe('{"kind":"ready"}\n');
  return brain;
}

async function exitOf(brain: ChildProcessWithoutNullStreams): Promise<number | null> {
  if (brain.exitCode === null && brain.signalCode === null) await once(brain, 'exit');
  return brain.exitCode;
}

async function openDoor(unit: UnitDouble): Promise<string> {
  const rehearsal = scope.add('rehearsal', await startRehearsal({ port: 0 }), (it) => it.close());
  const ports = {
    keyFor: () => Promise.resolve(new Sealed('key')),
    plansFor: () => Promise.resolve([planOf('tools'), planOf('echo')]),
    budget: () => Promise.resolve({ kind: 'allowed' } as const),
    meter: () => Promise.resolve(),
    clock: systemClock,
    logger: silentLogger,
  };
  const gateway = scope.add('gateway', new Gateway(ports, { upstream: new URL(rehearsal.url) }), (it) =>
    it.close(),
  );
  const folder = scope.add('folder', await mkdtemp(join(tmpdir(), 'holdfast-')), (it) =>
    rm(it, { recursive: true }),
  );
  const socketPath = join(folder, 'unit.sock');
  const server: Server = createServer((request, response) => {
    void answer(unit, gateway, request, response).catch((error: unknown) => refuse(response, error));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  scope.add('door', server, async () => {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  });
  return socketPath;
}

async function answer(
  unit: UnitDouble,
  gateway: Gateway,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { url = '', method = '', headers } = request;
  if (headers.authorization !== 'Bearer unit-token') throw new UnitRefusal('UNAUTHENTICATED', 'no');
  if (url === '/v1/messages') {
    const call = {
      sessionId: unit.session.id,
      callId: String(headers['x-holdfast-call']),
      method,
      path: url,
      headers,
    };
    return gateway.forward({ ...call, body: request }, response);
  }
  if (url.startsWith('/unit/events')) {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const after = Number(url.split('=')[1]);
    return unit.follow(after, (batch) => response.write(`${JSON.stringify(batch)}\n`), gone.signal);
  }
  const body: unknown = method === 'POST' ? await json(request) : undefined;
  const never = new AbortController().signal;
  const [, , part, callId = '', verb] = url.split('/');
  let result: unknown;
  if (part === 'assignment') result = await unit.assignment();
  else if (part === 'append')
    result = await unit.append(body as UnitAppend); // this test's own brain sent it
  else if (part === 'tools' && verb === 'cancel') await unit.cancelTool(callId);
  else if (part === 'tools') result = await unit.runTool(callId, body as UnitToolCall, never); // as above
  response.end(result === undefined ? '' : JSON.stringify(result));
}

function refuse(response: ServerResponse, error: unknown): void {
  if (!(error instanceof UnitRefusal)) throw error;
  const status = error.code === 'UNAUTHENTICATED' ? 401 : 409;
  response.writeHead(status).end(JSON.stringify({ error: { code: error.code, message: error.message } }));
}

async function json(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk); // no encoding is set
  return JSON.parse(Buffer.concat(chunks).toString());
}
