/**
 * Erases what deleted sessions have left (sessions/deletion-store.ts): their files here and wherever they were kept, then their rows, in steps
 * that leave most of the time to sessions that run.
 *
 * ERASURE-1 Nothing of a session is erased while something of it may still run here: its slot ends first.
 * ERASURE-2 What is pending is looked for at the start and again every ERASURE_SWEEP_MS, so a lost hint, a crash or an outage only puts it off.
 *    Each server looks at all of it, for the files that it has; to erase the rest twice is no matter.
 * ERASURE-3 Where other servers may still be writing what they had begun before (`lateMs`), it is erased once more after that time, and only
 *    then finished.
 */
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import { once } from '../kernel/tail.ts';
import type { DeletionStore } from '../sessions/deletion-store.ts';
import type { Launcher } from './launcher.ts';
import {
  ERASED_TOGETHER,
  ERASURE_PAUSES,
  ERASURE_SWEEP_MS,
  ERASURES_TOLD_MAX,
  OVERWRITE_MS,
} from './limit.ts';

export interface ErasurePorts {
  readonly deletions: DeletionStore;
  readonly launcher: Pick<Launcher, 'forget'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Erasure {
  readonly #ports: ErasurePorts;
  /** Told of since the last look; beyond the limit a sweep finds them. */
  #told = new Set<SessionId>();
  /** Pending ones that were erased here, and when. */
  readonly #erasedAt = new Map<SessionId, number>();
  #wake: () => void = () => undefined;
  /** Nothing was erased since what files still hold of it was overwritten; what a server did before it was killed is not known. */
  #isOverwritten = false;
  #overwrittenAt = -Infinity;

  constructor(ports: ErasurePorts) {
    this.#ports = ports;
  }

  /** The session was deleted. */
  told(sessionId: SessionId): void {
    if (this.#told.size < ERASURES_TOLD_MAX) this.#told.add(sessionId);
    this.#wake();
  }

  /** `isBusy`: something of the session may still run here. */
  async run(signal: AbortSignal, isBusy: (sessionId: SessionId) => boolean): Promise<void> {
    const { clock, logger } = this.#ports;
    for (let sweepAt = -Infinity; !signal.aborted; ) {
      try {
        const now = clock.monotonicNow();
        if (now < sweepAt) await this.#eraseTold(signal, isBusy);
        else {
          sweepAt = now + ERASURE_SWEEP_MS;
          await this.#sweep(signal, isBusy);
        }
      } catch (error) {
        logger.warn('what deleted sessions have left is not erased yet, trying again', { error });
      }
      if (this.#told.size === 0) await this.#sleep(sweepAt - clock.monotonicNow(), signal);
    }
  }

  async #eraseTold(signal: AbortSignal, isBusy: (sessionId: SessionId) => boolean): Promise<void> {
    const told = [...this.#told];
    this.#told.clear();
    for (let at = 0; at < told.length && !signal.aborted; at += ERASED_TOGETHER)
      await this.#eraseAll(told.slice(at, at + ERASED_TOGETHER), signal, isBusy);
  }

  /** ERASURE-2 */
  async #sweep(signal: AbortSignal, isBusy: (sessionId: SessionId) => boolean): Promise<void> {
    const { deletions } = this.#ports;
    this.#told.clear(); // they are among them
    let after: SessionId | undefined;
    const pending = new Set<SessionId>();
    while (!signal.aborted) {
      const ids = await deletions.pending({ limit: ERASED_TOGETHER, after });
      after = ids.at(-1);
      if (after === undefined) break;
      for (const id of ids) pending.add(id);
      await this.#eraseAll(ids, signal, isBusy);
    }
    if (signal.aborted) return;
    for (const id of this.#erasedAt.keys()) if (!pending.has(id)) this.#erasedAt.delete(id); // another server has finished it
    await this.#overwrite();
  }

  async #eraseAll(
    ids: readonly SessionId[],
    signal: AbortSignal,
    isBusy: (sessionId: SessionId) => boolean,
  ): Promise<void> {
    const { deletions, clock } = this.#ports;
    const due = ids.filter((id) => !isBusy(id) && this.#isDue(id)); // ERASURE-1
    const removed: SessionId[] = [];
    for (const id of due) if (!signal.aborted && (await this.#forget(id))) removed.push(id);
    const finished: SessionId[] = [];
    for (const id of await this.#eraseRows(removed, signal)) {
      const isLast = deletions.lateMs === 0 || this.#erasedAt.has(id); // ERASURE-3
      if (isLast) finished.push(id);
      else this.#erasedAt.set(id, clock.monotonicNow());
    }
    if (finished.length > 0) {
      await deletions.finish(finished);
      for (const id of finished) this.#erasedAt.delete(id);
      this.#isOverwritten = false;
    }
  }

  /** ERASURE-3 */
  #isDue(id: SessionId): boolean {
    const erasedAt = this.#erasedAt.get(id);
    return (
      erasedAt === undefined || this.#ports.clock.monotonicNow() - erasedAt >= this.#ports.deletions.lateMs
    );
  }

  /** Its files; false while another server has them. Never rejects. */
  async #forget(sessionId: SessionId): Promise<boolean> {
    const { launcher, logger } = this.#ports;
    try {
      return await launcher.forget(sessionId);
    } catch (error) {
      logger.warn('files of a deleted session not removed, trying again', { sessionId, error });
      return false;
    }
  }

  /** Step by step; a long log does not keep short ones waiting. Answers those that have no rows left. */
  async #eraseRows(ids: readonly SessionId[], signal: AbortSignal): Promise<readonly SessionId[]> {
    const { deletions, clock } = this.#ports;
    const erased: SessionId[] = [];
    let left = ids;
    while (left.length > 0 && !signal.aborted) {
      const startedAt = clock.monotonicNow();
      const done = new Set(await deletions.erase(left));
      erased.push(...done);
      const [first, ...others] = left.filter((id) => !done.has(id));
      left = first === undefined ? [] : [...others, first];
      await clock.sleep(Math.max(1, (clock.monotonicNow() - startedAt) * ERASURE_PAUSES), signal);
    }
    return erased;
  }

  async #overwrite(): Promise<void> {
    const { deletions, clock } = this.#ports;
    const now = clock.monotonicNow();
    if (this.#isOverwritten || now < this.#overwrittenAt + OVERWRITE_MS) return;
    this.#overwrittenAt = now;
    this.#isOverwritten = await deletions.overwrite();
  }

  /** Until somebody is told of, or `ms` are over. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const timer = new AbortController();
    await once((wake) => {
      this.#wake = wake;
      void this.#ports.clock.sleep(Math.max(1, ms), timer.signal).then(wake);
      return () => {
        this.#wake = () => undefined;
      };
    }, signal);
    timer.abort();
  }
}
