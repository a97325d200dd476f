/** How a slot's work ends without its doing: what to call the end of a brain, and which faults mean that others have the session. */
import { isAbsent } from '../journal/absent.ts';
import { EpochStale, LogFull, type SessionGone, type SessionNotFound } from '../journal/faults.ts';
import { SessionArchived, TurnOver } from '../sessions/faults.ts';
import type { Ended } from './launcher.ts';

/** For the log of the session, which its users read: what a process says before it dies is for the diagnostics. */
export function describe({ code, signal }: Ended): string {
  return signal === null ? `exit code ${code ?? 'unknown'}` : `signal ${signal}`;
}

/** Faults that mean: this session is no longer this slot's. */
export function isOver(
  error: unknown,
): error is EpochStale | SessionArchived | TurnOver | SessionNotFound | SessionGone | LogFull {
  return (
    error instanceof EpochStale ||
    error instanceof SessionArchived ||
    error instanceof TurnOver ||
    isAbsent(error) ||
    error instanceof LogFull
  );
}
