/** The story of a log: what happened, without who ran it, so that a log with crashes can be held against one without. */
import type { LogEvent } from './world.ts';

/** What a crash may add: brains come and go, a call that was made again is metered again. */
const OF_THE_RUNTIME = new Set([
  'brain.started',
  'brain.lost',
  'session.hibernated',
  'model.usage',
  'model.retried',
]);

export function story(events: readonly LogEvent[]): readonly string[] {
  const told = events.filter((event) => !OF_THE_RUNTIME.has(event.type) && !isCut(event)).map(tell);
  return sortParallel(told);
}

/** What a brain that was lost had said; the next one says the whole. */
function isCut({ type, body }: LogEvent): boolean {
  return type === 'agent.message' && body.aborted === true;
}

/** Seqs 1..n without a gap, each once. */
export function isDense(events: readonly LogEvent[]): boolean {
  return events.every(({ seq }, index) => seq === index + 1);
}

function tell({ type, body }: LogEvent): string {
  const {
    durationMs: _,
    inputFromSeq: __,
    inputToSeq: ___,
    resultEventId: ____,
    toolUseId: _____,
    signature: ______,
    requestId: _______,
    ...rest
  } = body;
  return `${type} ${JSON.stringify(rest)}`;
}

/** Results of tools that ran at the same time come in any order. */
function sortParallel(told: readonly string[]): readonly string[] {
  const sorted: string[] = [];
  let results: string[] = [];
  for (const line of told) {
    if (line.startsWith('tool.result')) results.push(line);
    else {
      sorted.push(...results.toSorted(), line);
      results = [];
    }
  }
  return [...sorted, ...results.toSorted()];
}
