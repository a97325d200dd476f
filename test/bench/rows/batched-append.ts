/** Appends over 1,000 sessions without a wire: what the journal costs over bare inserts in groups of 500. */
import { join } from 'node:path';
import { Child } from '../child.ts';
import { withFolders } from '../folders.ts';
import type { Batch, BatchedAppendCommands } from '../ours/batched-append.ts';
import type { BatchedInsertCommands } from '../reference/batched-insert.ts';
import type { Figure, Goal, Row, RunOptions } from '../row.ts';
import { measuredByTurns } from '../turns.ts';

const SESSIONS = 1_000;
const GROUP = 500;
const WARM_UP_EVENTS = 10_000;
const GOAL: Goal = { kind: 'ratio', atLeast: 0.6 };

export const batchedAppend: Row = {
  name: 'batched-append',
  measures:
    'Events spread over 1,000 sessions, 500 appends at once, in process. Ours: journal.append. Reference: node:sqlite, the ' +
    'same bytes into the same kind of table (rowid log, UNIQUE (session integer, seq)), 500 rows in a commit, FULL.',
  run: (options) => withFolders((folder) => measureAll(options, folder)),
};

async function measureAll(
  { runs, quick, say }: RunOptions,
  folder: () => Promise<string>,
): Promise<readonly Figure[]> {
  const events = quick ? 20_000 : 50_000;
  const measure = async (label: string, batch: Omit<Batch, 'events'>, goal?: Goal): Promise<Figure> => {
    say(label);
    const measured = await measuredByTurns(
      runs,
      async () => events / (await ours(await folder(), { ...batch, events })),
      async () => events / (await reference(await folder(), batch.eventsPerAppend, events)),
    );
    return { label, unit: 'events/s', ...measured, goal };
  };
  return [
    await measure('batched append over 1,000 sessions, 1 event each', batchOf(1, false), GOAL),
    await measure('batched append over 1,000 sessions, 10 events each', batchOf(10, false), GOAL),
    await measure('the same with epoch and key, 1 event each', batchOf(1, true)),
  ];
}

/** A fresh file and a fresh process for each run: a table that grows from run to run would measure its size. */
async function ours(folder: string, batch: Batch): Promise<number> {
  const script = join(import.meta.dirname, '../ours/batched-append.ts');
  const child = await Child.start<BatchedAppendCommands>(script, [folder]);
  try {
    await child.ask('start', SESSIONS);
    await child.ask('append', { ...batch, events: WARM_UP_EVENTS });
    return await child.ask('append', batch);
  } finally {
    await child.stop();
  }
}

async function reference(folder: string, eventsPerAppend: number, events: number): Promise<number> {
  const script = join(import.meta.dirname, '../reference/batched-insert.ts');
  const child = await Child.start<BatchedInsertCommands>(script, [folder]);
  try {
    const inserts = { sessions: SESSIONS, eventsPerAppend, group: GROUP };
    await child.ask('insert', { ...inserts, events: WARM_UP_EVENTS });
    return await child.ask('insert', { ...inserts, events });
  } finally {
    await child.stop();
  }
}

function batchOf(eventsPerAppend: number, guarded: boolean): Omit<Batch, 'events'> {
  return { eventsPerAppend, guarded, width: GROUP };
}
