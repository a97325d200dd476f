/**
 * Why sockets are closed: 4400 not a message of the protocol, or an operation's id is too long; 4401 no key or token, an unknown one, or it
 * has expired; 4403 what it was opened with is not
 * good any more: its key was revoked, rotated or replaced, or has expired; 4408 no connection_init in time; 4409 and 4429 as the protocol has them, 4429 also for too many sockets of one
 * session's client tokens, and for too many messages at once; 1001 the server goes away; 1009 a message was too large; 4500 a defect, which is in the log. 1006,
 * nothing: it did not read.
 */
export const CLOSE = {
  goingAway: 1001,
  tooBig: 1009,
  tryAgainLater: 1013,
  badRequest: 4400,
  unauthenticated: 4401,
  forbidden: 4403,
  tooMany: 4429,
  defect: 4500,
} as const;
