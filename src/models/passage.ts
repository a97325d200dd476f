/** What an answer is passed on with (pass.ts). */
import type { ServerResponse } from 'node:http';
import type { KeyScrubber } from './key-scrubber.ts';
import type { Steps } from './loop-share.ts';
import type { KnownUsage } from './usage-reader.ts';

/** Writes down what a call used; `isCut`: the answer has not come to its end. */
export type Meter = (known: KnownUsage | undefined, isCut?: boolean) => Promise<void>;

export interface Passage {
  readonly chunks: AsyncIterable<Buffer>;
  readonly response: ServerResponse;
  readonly meter: Meter;
  /** Undefined when the key is no secret. */
  readonly scrubber: KeyScrubber | undefined;
  /** In the turns of the session (LOOP-1). */
  readonly work: <T>(steps: Steps<T>) => Promise<T>;
}
