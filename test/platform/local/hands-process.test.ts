/** The control plane's end of the line, with hands that say what the test wants: what they say may come from a command. */
import { spawn } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { HandsLost } from '../../../src/hands/faults.ts';
import { HandsProcess } from '../../../src/platform/local/launcher/hands-process.ts';
import { NODE_BINARY } from '../../../src/platform/local/launcher/launch.ts';

const CALL = { callId: 'call', tool: 'bash', input: {}, timeoutMs: 1_000 };
const GOOD = { outcome: 'failed', output: 'the output', exitCode: 4, durationMs: 12 };

let hands: HandsProcess;
afterEach(() => hands.stop());

/** Hands that answer every call with `result`. */
async function answering(result: object): Promise<void> {
  const answer = JSON.stringify({ kind: 'result', callId: CALL.callId, result });
  const program = `console.log('{"kind":"ready"}'); process.stdin.on('data', () => console.log(process.argv[1]))`;
  hands = await HandsProcess.of(spawn(NODE_BINARY, ['-e', program, answer], { stdio: 'pipe' }));
}

it('takes a result', async () => {
  await answering(GOOD);

  expect(await hands.call(CALL)).toEqual(GOOD);
});

it.each([
  { durationMs: 1.5 },
  { durationMs: -1 },
  { durationMs: 1e300 },
  { exitCode: 1.5 },
  { exitCode: -1 },
])('ends hands that say what the journal would refuse: %o', async (defect) => {
  await answering({ ...GOOD, ...defect });

  await expect(hands.call(CALL)).rejects.toThrow(HandsLost);
  expect((await hands.ended).signal).toBe('SIGKILL');
});
