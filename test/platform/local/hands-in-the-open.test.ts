/**
 * HOLDFAST_ISOLATION=none: the same hands as a plain process. NOTHING here contains what a command does, so this file runs
 * harmless commands only; whatever a tool may try against its surroundings belongs into escapes.test.ts.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../../src/kernel/id.ts';
import { silentLogger } from '../../../src/kernel/logger.ts';
import { LocalLauncher } from '../../../src/platform/local/launcher/launcher.ts';
import { WorkspaceStore } from '../../../src/platform/host/workspace/workspace-store.ts';
import { launchMark } from '../../../src/platform/local/isolation/orphans.ts';
import type { Hands } from '../../../src/supervisor/launcher.ts';
import { eventually } from '../../support/eventually.ts';
import { descendants } from '../../support/processes.ts';

let folder: string;
let hands: Hands;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-open-'));
  const workspaces = new WorkspaceStore(join(folder, 'workspaces'));
  const ports = {
    isolation: { kind: 'none', mark: launchMark('test') },
    workspaces,
    unitSocket: join(folder, 'none'),
    logger: silentLogger,
  } as const;
  hands = await new LocalLauncher(ports).launchHands(newId('session'));
});
afterAll(async () => {
  await hands.stop();
  await rm(folder, { recursive: true, force: true });
});

const call = (callId: string, tool: string, input: unknown, timeoutMs = 30_000) =>
  hands.call({ callId, tool, input, timeoutMs });

it('serves the same tools, with /workspace meaning the folder of the session', async () => {
  expect((await call('1', 'write', { path: '/workspace/a', content: 'x' })).output).toBe(
    'Created a (1 bytes).',
  );
  expect((await call('2', 'bash', { command: 'cat a' })).output).toBe('x');
  expect((await call('3', 'grep', { pattern: 'x', path: '/workspace' })).output).toBe('a:1:x');
});

it('hands nothing of the environment of the server on', async () => {
  process.env['HOLDFAST_TEST_CANARY'] = 'canary';

  const { output } = await call('4', 'bash', { command: 'env' });
  expect(output).not.toMatch(/canary|HOLDFAST/);
});

it('ends a call at its deadline with everything it started, daemons too', async () => {
  const result = await call('5', 'bash', { command: 'setsid sleep 1000 & sleep 1000' }, 300);

  expect(result.outcome).toBe('timed_out');
  await eventually('nothing of it is left', () => descendants(hands.pid).length === 0);
});

it('says of a folder that is not there that its files are gone until the log says so, over restarts of the server', async () => {
  const sessionId = newId('session');
  const workspaces = new WorkspaceStore(join(folder, 'workspaces'));
  const mark = launchMark('test');
  const server = () =>
    new LocalLauncher({
      isolation: { kind: 'none', mark },
      workspaces,
      unitSocket: join(folder, 'none'),
      logger: silentLogger,
    });
  const filesAsOf = async (launcher: LocalLauncher) => {
    const started = await launcher.launchHands(sessionId);
    await started.stop();
    return started.filesAsOf;
  };
  const gone = { kind: 'checkpoint', place: { seq: 0, turn: 0 }, isCut: false };

  expect(await filesAsOf(server())).toEqual(gone);
  expect(await filesAsOf(server())).toEqual(gone);
  await server().told(sessionId);
  expect(await filesAsOf(server())).toEqual({ kind: 'now' });
});
