/**
 * What the event loop does between two pieces of work is a port as time is (clock.ts): a simulation that decides in which order
 * things become ready can then replay them.
 */
export interface Scheduler {
  /** Calls back once the event loop has gone round. Answers what takes it back. */
  immediate(work: () => void): () => void;
  /** Calls back every `ms`, until what it answers is called. */
  interval(ms: number, work: () => void): () => void;
}

export const systemScheduler: Scheduler = {
  immediate(work) {
    const immediate = setImmediate(work);
    return () => clearImmediate(immediate);
  },
  interval(ms, work) {
    const interval = setInterval(work, ms);
    return () => clearInterval(interval);
  },
};

/** Lets the event loop go round once: what else is ready goes first. */
export function nextRound(scheduler: Scheduler): Promise<void> {
  return new Promise((resolve) => {
    scheduler.immediate(resolve);
  });
}
