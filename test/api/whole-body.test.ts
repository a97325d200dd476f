/** Whole bodies that a store does not answer with. */
import { expect, it } from 'vitest';
import { WholeBodies } from '../../schema/whole-body.ts';
import type { RecordedEvent } from '../../src/journal/event.ts';
import { Outage } from '../../src/kernel/outage.ts';

it('are given up, and read anew by whoever asks again (proves BODYREAD-1)', async () => {
  const bodies = new WholeBodies(1);
  const event = { sessionId: 'ses_1', seq: 1 } as RecordedEvent; // as: nothing else of it is looked at
  const answers = [new Promise<string>(() => undefined), Promise.resolve('{"a":1}')];
  const context = {
    budget: { largeTurn: () => Promise.resolve() },
    journal: { readBody: () => answers.shift() },
  } as unknown as Parameters<WholeBodies['of']>[1]; // as: what it asks

  const waiting = [bodies.of(event, context), bodies.of(event, context)];
  for (const one of waiting) await expect(one).rejects.toThrow(Outage);
  expect((await bodies.of(event, context))?.text).toBe('{"a":1}');
});
