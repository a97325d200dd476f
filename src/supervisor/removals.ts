/**
 * Removes what closed sessions have left: their workspaces, here and wherever they were kept.
 *
 * REMOVAL-1 Only a person who archives a session ends its files. A log that is full closes the session too, and its files stay until then.
 * REMOVAL-2 What was not removed to its end (the server was killed, another one still has the files) is removed later, by this server or by
 *    its next start: the folder here goes last.
 * REMOVAL-4 What is here of a session that was deleted while this server was away is removed at its start (erasure.ts has the others).
 */
import { SessionGone } from '../journal/faults.ts';
import type { Clock } from '../kernel/clock.ts';
import type { SessionId } from '../kernel/id.ts';
import type { Logger } from '../kernel/logger.ts';
import type { SessionEntry, SessionJournal, SessionStore } from '../sessions/session-store.ts';
import type { Launcher } from './launcher.ts';
import { REMOVAL_RETRY_MS, REMOVALS_MAX } from './limit.ts';

export interface RemovalsPorts {
  readonly launcher: Pick<Launcher, 'forget' | 'sessions'>;
  readonly journal: Pick<SessionJournal, 'read'>;
  readonly store: Pick<SessionStore, 'get'>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class Removals {
  readonly #ports: RemovalsPorts;
  readonly #owed = new Set<SessionId>();
  readonly #running = new Set<Promise<void>>();

  constructor(ports: RemovalsPorts) {
    this.#ports = ports;
  }

  /** The session is archived, and nothing of it runs here. */
  start(sessionId: SessionId, entry: SessionEntry): void {
    const removing: Promise<void> = this.#remove(sessionId, entry).finally(() =>
      this.#running.delete(removing),
    );
    this.#running.add(removing);
  }

  /** Looks at all sessions that have files here, and then at those that are still owed. `isBusy`: something of it may still run here. */
  async run(signal: AbortSignal, isBusy: (sessionId: SessionId) => boolean): Promise<void> {
    const { launcher, clock, logger } = this.#ports;
    const unseen = new Set<SessionId>();
    try {
      for (const sessionId of await launcher.sessions()) unseen.add(sessionId);
    } catch (error) {
      logger.warn('the workspaces here cannot be listed: those of closed sessions stay', { error });
    }
    while (!signal.aborted) {
      for (const sessionId of [...unseen, ...this.#owed]) {
        if (signal.aborted) break;
        await this.#look(sessionId, isBusy).then(
          () => unseen.delete(sessionId),
          (error: unknown) => logger.debug('closed session not looked for yet', { sessionId, error }),
        );
      }
      await clock.sleep(REMOVAL_RETRY_MS, signal);
    }
    await Promise.all(this.#running);
  }

  async #look(sessionId: SessionId, isBusy: (sessionId: SessionId) => boolean): Promise<void> {
    if (isBusy(sessionId)) return; // its slot ends, and then it is started
    const entry = await this.#entry(sessionId);
    if (entry === 'gone')
      await this.#forget(sessionId); // REMOVAL-4
    else if (entry?.session.status === 'archived') await this.#remove(sessionId, entry);
  }

  async #entry(sessionId: SessionId): Promise<SessionEntry | 'gone' | undefined> {
    try {
      return await this.#ports.store.get(sessionId);
    } catch (error) {
      if (error instanceof SessionGone) return 'gone';
      throw error;
    }
  }

  /** Never rejects. */
  async #remove(sessionId: SessionId, { head }: SessionEntry): Promise<void> {
    const { journal, logger } = this.#ports;
    try {
      const [last] = await journal.read(sessionId, { after: head - 1, limit: 1 });
      if (last?.type === 'session.archived') return await this.#forget(sessionId); // REMOVAL-1
      this.#owed.delete(sessionId);
    } catch (error) {
      if (error instanceof SessionGone) return this.#owe(sessionId); // deleted just now: REMOVAL-4
      logger.warn('workspace not removed, trying again', { sessionId, error });
      this.#owe(sessionId);
    }
  }

  async #forget(sessionId: SessionId): Promise<void> {
    if (await this.#ports.launcher.forget(sessionId)) this.#owed.delete(sessionId);
    else this.#owe(sessionId);
  }

  /** REMOVAL-2. Beyond the limit the next start finds them. */
  #owe(sessionId: SessionId): void {
    if (this.#owed.size < REMOVALS_MAX) this.#owed.add(sessionId);
  }
}
