/** The control plane's end of a brain, with programs in its place that answer, or stand still. */
import { spawn } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { BrainProcess } from '../../../src/platform/local/launcher/brain-process.ts';
import { NODE_BINARY } from '../../../src/platform/local/launcher/launch.ts';
import { eventually } from '../../support/eventually.ts';

const PING_MS = 20;
let brain: BrainProcess;
let complaints: string[];
afterEach(() => brain.stop());

async function running(program: string): Promise<void> {
  complaints = [];
  const child = spawn(NODE_BINARY, ['-e', program], { stdio: 'pipe', detached: true });
  brain = await BrainProcess.of(child, { onComplaint: (line) => complaints.push(line), pingMs: PING_MS });
}

const LINES = `require('readline').createInterface({ input: process.stdin })`;
const ANSWERS = `let pings = 0; ${LINES}.on('line', (line) => { if (!line.includes('ping')) return; console.log('{"kind":"pong"}'); pings += 1; if (pings === 10) console.error('ten') }); console.log('{"kind":"ready"}')`;

it('a brain that answers lives on', async () => {
  await running(ANSWERS);
  brain.assign('token');
  await eventually('it was asked ten times', () => complaints.includes('ten'));
  await brain.stop();

  expect(await brain.ended).toMatchObject({ code: 0, why: undefined });
});

it('a brain that stands still is ended, so that another one goes on (proves BRAIN-1)', async () => {
  await running(ANSWERS);
  brain.assign('token');
  process.kill(brain.pid, 'SIGSTOP');

  expect(await brain.ended).toMatchObject({
    signal: 'SIGKILL',
    why: expect.stringContaining('stands still'),
  });
});

it('a brain that computes for ever is ended too', async () => {
  await running(`${LINES}.on('line', () => { for (;;); }); console.log('{"kind":"ready"}')`);
  brain.assign('token');

  expect((await brain.ended).why).toContain('stands still');
});

it('a spare is not asked: it has nothing to do', async () => {
  await running(`${LINES}.on('line', (line) => console.error(line)); console.log('{"kind":"ready"}')`);
  await new Promise((resolve) => setTimeout(resolve, PING_MS * 5)); // a question that came later would say as much
  expect(complaints).toEqual([]);
});
