/**
 * A process that does to the log what a server does: it opens the store on MongoDB, appends to sessions and follows them. It
 * says on standard output what was acknowledged, what failed and what its followers saw (LoadLine, a JSON line each). `stop` on
 * standard input ends the appending, once what is under way has an answer; the end of standard input ends the process.
 *
 * An append with a key is tried again with the same key until it is acknowledged, as a client does; one without is not.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { follow } from '../../src/journal/follow.ts';
import { Live } from '../../src/journal/live.ts';
import type { SessionId } from '../../src/kernel/id.ts';
import { jsonLogger } from '../../src/kernel/logger.ts';
import { openMongo } from '../../src/platform/mongo/store.ts';
import { appending, spoken } from './session-log.ts';

export interface LoadOrder {
  readonly uri: string;
  /** Tells the appends of this process from those of others. */
  readonly name: string;
  readonly append: readonly { readonly sessionId: SessionId; readonly keyed: boolean }[];
  readonly follow: readonly SessionId[];
}

export type LoadLine =
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'acknowledged';
      readonly sessionId: SessionId;
      /** "<name> <number>": its events say it too. */
      readonly id: string;
      readonly keyed: boolean;
      readonly firstSeq: number;
      readonly lastSeq: number;
      readonly at: number;
    }
  | {
      readonly kind: 'failed';
      readonly sessionId: SessionId;
      readonly id: string;
      readonly keyed: boolean;
      readonly why: string;
    }
  | {
      readonly kind: 'seen';
      readonly sessionId: SessionId;
      readonly events: readonly (readonly [seq: number, body: string])[];
      readonly at: number;
    }
  | { readonly kind: 'stopped' };

/** Between two appends to one session: enough of them to be in the way of every fault, few enough for a slow server. */
const PAUSE_MS = 25;
/** A client that was told of an error does not ask again at once. */
const AGAIN_MS = 50;
/** Events of the n-th append: one of them now and then has more, so that what is to stay together shows. */
const COUNTS = [1, 1, 2, 1, 5] as const;

const order = JSON.parse(process.argv[2] ?? '') as LoadOrder; // as: log-load.ts wrote it
const logger = jsonLogger('warn', (line) => process.stderr.write(line)).with({ process: order.name });
const store = await openMongo({ uri: order.uri, logger });
const live = new Live({ journal: store.journal, wire: store.channel, logger });
const stop = new AbortController();

function say(line: LoadLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function append({ sessionId, keyed }: LoadOrder['append'][number]): Promise<void> {
  for (let number = 1; !stop.signal.aborted; number += 1) {
    const id = `${order.name} ${number}`;
    const events = Array.from({ length: COUNTS[number % COUNTS.length] ?? 1 }, (_, part) =>
      spoken(`${id} ${part}`),
    );
    const request = { ...(keyed ? { key: id } : {}), decide: appending(...events) };
    for (;;) {
      try {
        const { firstSeq, lastSeq } = await store.journal.append(sessionId, request);
        say({ kind: 'acknowledged', sessionId, id, keyed, firstSeq, lastSeq, at: Date.now() });
        break;
      } catch (error) {
        say({ kind: 'failed', sessionId, id, keyed, why: String(error) });
        if (!keyed) break;
        await pause(AGAIN_MS);
      }
    }
    await pause(PAUSE_MS);
  }
}

/** From the beginning, for as long as the process lives. Whatever ends it ends the process: nothing here starts it again. */
async function watch(sessionId: SessionId): Promise<void> {
  for await (const step of follow({ journal: store.journal, live }, { sessionId, after: 0, deltas: false })) {
    if (step.kind !== 'events') continue;
    const events = step.events.map(({ seq, body }) => [seq, body] as const);
    say({ kind: 'seen', sessionId, events, at: Date.now() });
  }
}

async function end(): Promise<void> {
  live.close();
  await store.close();
}

process.stdin.on('data', () => {
  stop.abort();
});
process.stdin.once('end', () => void end());
say({ kind: 'ready' });
const watching = order.follow.map(watch);
await Promise.all(order.append.map(append));
say({ kind: 'stopped' });
await Promise.all(watching);
