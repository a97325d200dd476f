/** What the journal refuses, each with nothing written. */
import { Fault } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';

/** There is no such session, or it is not the caller's to see. */
export class SessionNotFound extends Fault {
  readonly code = 'SESSION_NOT_FOUND';
  readonly sessionId: string;

  constructor(sessionId: string) {
    super(`There is no session ${sessionId} here.`);
    this.sessionId = sessionId;
  }
}

/** The session was deleted; its id is not used again. Others than its organisation are told SessionNotFound. */
export class SessionGone extends Fault {
  readonly code = 'SESSION_GONE';
  readonly sessionId: string;

  constructor(sessionId: string) {
    super(`Session ${sessionId} was deleted. Start a new session.`);
    this.sessionId = sessionId;
  }
}

/** JOURNAL-4: the writer's epoch is not the current one; another brain has taken over. The writer must stop. */
export class EpochStale extends Fault {
  readonly code = 'EPOCH_STALE';
  readonly epoch: number;
  readonly current: number;

  constructor(epoch: number, current: number) {
    super(`Epoch ${epoch} has been replaced by ${current}; this writer must stop.`);
    this.epoch = epoch;
    this.current = current;
  }
}

/** JOURNAL-6: the log reached its cap and ends with log.limit_reached. */
export class LogFull extends Fault {
  readonly code = 'LOG_FULL';
  readonly sessionId: SessionId;

  constructor(sessionId: SessionId) {
    super(`The log of session ${sessionId} is full. Start a new session and pass on what it needs to know.`);
    this.sessionId = sessionId;
  }
}
