/**
 * Removes what closed sessions have left: their workspaces, here and wherever they were kept.
 *
 * REMOVAL-1 Only a person who archives a session ends its files. A log that is full closes the session too, and its files stay until then.
 * REMOVAL-2 What was not removed to its end (the server was killed, another one still has the files) is removed later, by this server or by
 *    its next start: the folder here goes last.
 */
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
    const entry = await this.#ports.store.get(sessionId);
    const isClosed = entry?.session.status === 'archived';
    if (isClosed && !isBusy(sessionId)) await this.#remove(sessionId, entry); // else its slot ends, and then it is started
  }

  /** Never rejects. */
  async #remove(sessionId: SessionId, { head }: SessionEntry): Promise<void> {
    const { launcher, journal, logger } = this.#ports;
    try {
      const [last] = await journal.read(sessionId, { after: head - 1, limit: 1 });
      const isRemoved = last?.type !== 'session.archived' || (await launcher.forget(sessionId)); // REMOVAL-1
      if (isRemoved) this.#owed.delete(sessionId);
      else this.#owe(sessionId);
    } catch (error) {
      logger.warn('workspace not removed, trying again', { sessionId, error });
      this.#owe(sessionId);
    }
  }

  /** REMOVAL-2. Beyond the limit the next start finds them. */
  #owe(sessionId: SessionId): void {
    if (this.#owed.size < REMOVALS_MAX) this.#owed.add(sessionId);
  }
}
