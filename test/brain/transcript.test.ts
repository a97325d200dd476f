import { expect, test } from 'vitest';
import { Transcript } from '../../src/brain/transcript.ts';

test('what a summary stands for is not held: a session that works for years keeps its last results only', () => {
  const transcript = new Transcript('You are helpful.');
  for (let call = 0; call < 3; call += 1)
    transcript.resulted(`call-${call}`, { outcome: 'ok', output: 'x'.repeat(1_000), seq: call + 1 });

  transcript.restart('They were run.', 4);
  transcript.resulted('call-3', { outcome: 'ok', output: 'later', seq: 5 });

  expect([0, 1, 2, 3].map((call) => transcript.result(`call-${call}`)?.output)).toEqual([
    undefined,
    undefined,
    undefined,
    'later',
  ]);
  expect(transcript.items).toEqual([{ kind: 'summary', text: 'They were run.', seq: 4 }]);
});
