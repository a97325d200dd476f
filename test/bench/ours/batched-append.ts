/** Ours without a wire: appends over many sessions, many at once. `batched-append.ts <data folder>` */
import { answerParent } from '../child.ts';
import { sampleEvent } from '../sample-events.ts';
import { seconds } from '../turns.ts';
import { inFlight, openHoldfast, type RunningSession, startRunning } from './holdfast.ts';

export interface Batch {
  readonly events: number;
  readonly eventsPerAppend: number;
  /** Appends at once. */
  readonly width: number;
  /** With an epoch and a key for each append, as brains write (JOURNAL-4, JOURNAL-5). */
  readonly guarded: boolean;
}

const holdfast = await openHoldfast(process.argv[2] ?? '');
const { journal } = holdfast.ports;
const running: RunningSession[] = [];
let batches = 0;

const commands = {
  start: async (sessions: number) => {
    await inFlight(100, sessions, async () => void running.push(await startRunning(holdfast)));
  },
  /** Answers how many seconds it took. */
  append: ({ events, eventsPerAppend, width, guarded }: Batch) => {
    batches += 1;
    const batch = batches;
    const made = running.map(({ turnId }) =>
      Array.from({ length: eventsPerAppend }, () => sampleEvent(0, turnId)),
    );
    return seconds(() =>
      inFlight(width, events / eventsPerAppend, async (index) => {
        const at = index % running.length;
        const session = running[at];
        const given = made[at];
        if (session === undefined || given === undefined) throw new Error('No sessions.');
        const guard = guarded ? { epoch: session.epoch, key: `brain/${batch}-${index}` } : {};
        await journal.append(session.sessionId, {
          ...guard,
          decide: () => ({ kind: 'append', events: given }),
        });
      }),
    );
  },
};
export type BatchedAppendCommands = typeof commands;

answerParent(commands, () => holdfast.close());
