/**
 * A cursor names a place in one session's log: everything with a greater seq comes after it. It is opaque to clients;
 * its form is `<seq>.<8 hex of the session>`, so a cursor of another session is refused instead of misread.
 */
import { InvalidInput } from '../kernel/fault.ts';
import type { SessionId } from '../kernel/id.ts';

const CHECK_DIGITS = 8;
const PATTERN = /^(0|[1-9][0-9]{0,14})\.([0-9a-f]{8})$/;

export function cursorOf(sessionId: SessionId, seq: number): string {
  return `${seq}.${checkOf(sessionId)}`;
}

/** The seq of a cursor; throws InvalidInput when it is not one of this session. */
export function parseCursor(sessionId: SessionId, cursor: string): number {
  const [, seq, check] = PATTERN.exec(cursor) ?? [];
  if (seq === undefined || check !== checkOf(sessionId)) {
    throw new InvalidInput(
      'after',
      'this cursor is not one of this session; leave it out to read from the start.',
    );
  }
  return Number(seq);
}

function checkOf(sessionId: SessionId): string {
  return sessionId.slice(4, 4 + CHECK_DIGITS);
}
