/**
 * What runs sessions writes and reads, of whichever organisation they are: brains, the model gateway, supervisors. Each change is one
 * atomic append, as those of the doors are (sessions.ts).
 */
import type { BodyOf } from '../journal/event.ts';
import { SessionNotFound } from '../journal/faults.ts';
import type { Appended } from '../journal/journal.ts';
import type { OrganisationId, SessionId } from '../kernel/id.ts';
import { type Command, decideToTheEnd } from './lifecycle.ts';
import type { Session } from './session.ts';
import type { SessionEntry, SessionJournal, SessionStore } from './session-store.ts';
import type { UnitCommand } from './unit-wire.ts';

export interface SessionRunPorts {
  readonly journal: SessionJournal;
  readonly sessions: Pick<SessionStore, 'get'>;
}

interface Guard {
  readonly epoch?: number | undefined;
  readonly key?: string | undefined;
  readonly organisationId?: OrganisationId | undefined;
}

export class SessionRuns {
  readonly #ports: SessionRunPorts;

  constructor(ports: SessionRunPorts) {
    this.#ports = ports;
  }

  /** Throws SessionNotFound, SessionGone. */
  async get(sessionId: SessionId, organisationId?: OrganisationId): Promise<SessionEntry> {
    const entry = await this.#ports.sessions.get(sessionId, organisationId);
    if (entry === undefined) throw new SessionNotFound(sessionId);
    return entry;
  }

  /**
   * What a brain writes, fenced by its epoch and keyed by its step. `organisationId`: as its token has it. Throws EpochStale, SessionNotFound,
   * SessionGone and the lifecycle's faults.
   */
  write(
    sessionId: SessionId,
    epoch: number,
    key: string | undefined,
    command: UnitCommand,
    organisationId?: OrganisationId,
  ): Promise<Appended<Session>> {
    return this.#command(sessionId, command, { epoch, key, organisationId });
  }

  /** What the gateway writes: what one request to a model service used. `requestKey` makes it once (JOURNAL-5). */
  async meter(sessionId: SessionId, requestKey: string, usage: BodyOf<'model.usage'>): Promise<void> {
    const told = { ...usage, model: usage.model.toWellFormed() }; // the model service's own word
    await this.#command(sessionId, { kind: 'meter', usage: told }, { key: `usage/${requestKey}` });
  }

  /** What a supervisor writes about the brain it keeps. `key` makes it once (JOURNAL-5). */
  supervise(
    sessionId: SessionId,
    command: Extract<
      Command,
      {
        kind: 'takeLease' | 'endTurn' | 'loseBrain' | 'releaseLease' | 'hibernate' | 'record' | 'expireTools';
      }
    >,
    epoch?: number,
    key?: string,
  ): Promise<Appended<Session>> {
    return this.#command(sessionId, command, { epoch, key });
  }

  #command(sessionId: SessionId, command: Command, guard: Guard): Promise<Appended<Session>> {
    const decide = (session: Session, isFull: boolean) => decideToTheEnd(session, command, isFull);
    return this.#ports.journal.append(sessionId, { ...guard, decide });
  }
}
