/** Appends over 1,000 sessions without a wire: what the journal costs over bare inserts in groups of 500. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { withFolders } from '../folder.ts';
import type { Batch, BatchedAppendCommands } from '../ours/batched-append.ts';
import type { BatchedInsertCommands } from '../reference/batched-insert.ts';
import type { Figure, Goal, Row, RunOptions } from '../row.ts';
import { byTurns } from '../turns.ts';

const SESSIONS = 1_000;
const GROUP = 500;
const GOAL: Goal = { kind: 'ratio', atLeast: 0.6 };

export const batchedAppend: Row = {
  name: 'batched-append',
  measures:
    'Events spread over 1,000 sessions, 500 appends at once, in process. Ours: journal.append. Reference: node:sqlite, the ' +
    'same bytes into the same kind of table (rowid log, UNIQUE (session integer, seq)), 500 rows in a commit, FULL.',
  run: (options) => withFolders((folder) => run(options, folder)),
};

async function run({ runs, quick, say }: RunOptions, folder: () => Promise<string>): Promise<readonly Figure[]> {
  const events = quick ? 20_000 : 100_000;
  const here = import.meta.dirname;
  const ours = await Child.start<BatchedAppendCommands>(join(here, '../ours/batched-append.ts'), [await folder()]);
  const bare = await Child.start<BatchedInsertCommands>(join(here, '../reference/batched-insert.ts'), [await folder()]);
  try {
    await ours.ask('start', SESSIONS);
    const measure = async (label: string, batch: Omit<Batch, 'events'>, goal?: Goal): Promise<Figure> => {
      say(label);
      const { eventsPerAppend } = batch;
      const inserts = { sessions: SESSIONS, events, eventsPerAppend, group: GROUP };
      const measured = await byTurns(
        runs,
        async () => events / (await ours.ask('append', { ...batch, events })),
        async () => events / (await bare.ask('insert', inserts)),
      );
      return { label, unit: 'events/s', ...measured, goal };
    };
    return [
      await measure('batched append over 1,000 sessions, 1 event each', batchOf(1, false), GOAL),
      await measure('batched append over 1,000 sessions, 10 events each', batchOf(10, false), GOAL),
      await measure('the same with epoch and key, 1 event each', batchOf(1, true)),
    ];
  } finally {
    await ours.stop();
    await bare.stop();
  }
}

function batchOf(eventsPerAppend: number, guarded: boolean): Omit<Batch, 'events'> {
  return { eventsPerAppend, guarded, width: GROUP };
}
