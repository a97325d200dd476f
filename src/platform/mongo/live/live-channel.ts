/**
 * How the processes on one database hear of each other's appends and deltas within milliseconds (docs/adr/0012).
 *
 * Each process has one document in the collection `live` and replaces it with what it has to tell; one change stream per process
 * brings it what the others replaced. It holds one connection, whatever the number of sessions.
 *
 * CHANNEL-1 Everything here may be lost, doubled or late. Correctness never depends on it: follow reads the journal, and asks by itself.
 * CHANNEL-2 hint() and post() neither wait nor throw. One write is in flight at a time and one begins every BATCH_MS at most, without
 *    waiting for a majority or for a disk; what cannot be sent waits within bounds (live-outbox.ts).
 * CHANNEL-3 What this process wrote itself is not sent to it. Nothing from before the start is heard.
 * CHANNEL-4 Hearing goes on by itself after any failure: over a short one the driver resumes where it was, after a longer one it begins
 *    anew. What was missed then is found by the readers themselves, within the second in which they ask anyway (journal/live.ts);
 *    asking for all of them at once would only press a server that has just come back.
 * CHANNEL-5 What is not understood is ignored.
 */
import { randomBytes } from 'node:crypto';
import type { ChangeStream, ChangeStreamDocument, Collection } from 'mongodb';
import type { Delta } from '../../../journal/draft.ts';
import type { Concern, Hint } from '../../../journal/journal.ts';
import type { LiveWire } from '../../../journal/live-wire.ts';
import { Backoff, type BackoffOptions } from '../../../kernel/backoff.ts';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import type { SessionId } from '../../../kernel/id.ts';
import { type Logger, silentLogger } from '../../../kernel/logger.ts';
import { once } from '../../../kernel/tail.ts';
import type { MongoDatabase } from '../database.ts';
import { batchOf, documentOf, type LiveDocument, LiveOutbox } from './live-outbox.ts';

/** Less is not felt by a reader; more is one write per so many milliseconds and process, however many sessions talk. */
const BATCH_MS = 5;
/** How long the server holds a question open while nobody talks: an idle process asks this often. */
const AWAIT_MS = 1_000;
/** Readers ask once a second by themselves, so hearing again is not urgent, and not to be put off for long. */
const BACKOFF: BackoffOptions = { firstMs: 100, ceilingMs: 2_000, heldMs: 5_000 };
/** An operation that waits for a server ends with its client, which is closed next. */
const CLOSE_MS_MAX = 500;

export interface LiveChannelOptions {
  readonly database: Pick<MongoDatabase, 'db'>;
  readonly logger?: Logger | undefined;
  readonly clock?: Clock | undefined;
  /** Names this process among those on the database. */
  readonly origin?: string | undefined;
}

export class LiveChannel implements LiveWire {
  readonly origin: string;
  readonly #collection: Collection<LiveDocument>;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #outbox = new LiveOutbox();
  readonly #hintListeners = new Set<{ readonly call: (hint: Hint) => void }>();
  readonly #deltaListeners = new Set<{ readonly call: (sessionId: SessionId, delta: Delta) => void }>();
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  #wake: () => void = () => undefined;
  #isHearing = false;
  #written = 0;

  /** Begins at once; ends by close(). */
  constructor({ database, logger = silentLogger, clock = systemClock, origin }: LiveChannelOptions) {
    this.origin = origin ?? randomBytes(12).toString('hex');
    this.#collection = database.db.collection('live', { writeConcern: { w: 1, journal: false } }); // CHANNEL-2
    this.#logger = logger;
    this.#clock = clock;
    this.#running = Promise.all([this.#tell(this.#stop.signal), this.#hear(this.#stop.signal)]);
  }

  /** Whether what others tell from now on is heard. */
  get isHearing(): boolean {
    return this.#isHearing;
  }

  /** Tells the other processes how far a session's log goes, and whom that concerns, or that it is gone; to be called when that is durable. */
  hint(sessionId: SessionId, head: number, concerns?: Concern, gone?: true): void {
    if (this.#stop.signal.aborted) return;
    this.#outbox.hint(sessionId, head, concerns, gone);
    this.#wake();
  }

  post(sessionId: SessionId, delta: Delta): void {
    if (this.#stop.signal.aborted) return;
    this.#outbox.delta(sessionId, delta, this.#clock.monotonicNow());
    this.#wake();
  }

  /** Calls back for appends of other processes. `listener` must not throw. Answers its end. */
  onHint(listener: (hint: Hint) => void): () => void {
    const entry = { call: listener };
    this.#hintListeners.add(entry);
    return () => void this.#hintListeners.delete(entry);
  }

  onDelta(listener: (sessionId: SessionId, delta: Delta) => void): () => void {
    const entry = { call: listener };
    this.#deltaListeners.add(entry);
    return () => void this.#deltaListeners.delete(entry);
  }

  /** To be called before the database is closed. What was not sent yet is dropped (CHANNEL-1). */
  async close(): Promise<void> {
    this.#stop.abort();
    const waited = new AbortController();
    await Promise.race([this.#running, this.#clock.sleep(CLOSE_MS_MAX, waited.signal)]);
    waited.abort();
  }

  /** Sends what waits, batch by batch. */
  async #tell(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(BACKOFF);
    while (!signal.aborted) {
      if (this.#outbox.isEmpty) await once((wake) => this.#onPosted(wake), signal);
      if (signal.aborted) return;
      const startedAt = this.#clock.monotonicNow();
      const batch = this.#outbox.take(startedAt);
      if (batch.hints.length === 0 && batch.deltas.length === 0) continue;
      this.#written += 1;
      const document = documentOf(batch, this.#written, this.#clock.now());
      try {
        await this.#collection.replaceOne({ _id: this.origin }, document, { upsert: true });
        backoff.reset();
        await this.#clock.sleep(Math.max(0, BATCH_MS - (this.#clock.monotonicNow() - startedAt)), signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#outbox.putBack(batch);
        const waitMs = backoff.nextMs(0);
        this.#logger.warn('the live channel could not tell the other servers', { waitMs, error });
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  #onPosted(wake: () => void): () => void {
    this.#wake = wake;
    return () => {
      this.#wake = () => undefined;
    };
  }

  /** CHANNEL-4. */
  async #hear(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(BACKOFF);
    while (!signal.aborted) {
      const startedAt = this.#clock.monotonicNow();
      try {
        await this.#hearUntilItFails(signal);
      } catch (error) {
        if (signal.aborted) return;
        const waitMs = backoff.nextMs(this.#clock.monotonicNow() - startedAt);
        this.#logger.warn('the live channel does not hear the other servers', { waitMs, error });
        await this.#clock.sleep(waitMs, signal);
      }
    }
  }

  async #hearUntilItFails(signal: AbortSignal): Promise<void> {
    const others = {
      operationType: { $in: ['insert', 'replace'] },
      'documentKey._id': { $ne: this.origin }, // CHANNEL-3
    };
    const stream = this.#collection.watch([{ $match: others }], { maxAwaitTimeMS: AWAIT_MS });
    const hearing = (): void => {
      this.#isHearing = true;
    };
    stream.on('resumeTokenChanged', hearing); // the server has said where the stream stands
    const close = (): void => void closeQuietly(stream);
    signal.addEventListener('abort', close, { once: true });
    try {
      while (!signal.aborted) this.#take(await stream.next());
    } finally {
      this.#isHearing = false;
      stream.off('resumeTokenChanged', hearing);
      signal.removeEventListener('abort', close);
      await closeQuietly(stream);
    }
  }

  #take(change: ChangeStreamDocument<LiveDocument>): void {
    if (change.operationType !== 'insert' && change.operationType !== 'replace') return;
    const { hints, deltas } = batchOf(change.fullDocument); // CHANNEL-5
    for (const { sessionId, ...delta } of deltas) {
      for (const { call } of this.#deltaListeners) call(sessionId, delta);
    }
    for (const hint of hints) for (const { call } of this.#hintListeners) call(hint);
  }
}

/** A stream that cannot be closed any more has ended with its connection. */
async function closeQuietly(stream: ChangeStream<LiveDocument>): Promise<void> {
  await stream.close().catch(() => undefined);
}
