/**
 * FAULT-1 A Fault has no stack: where it came from is its code and its sentence, and the stack of each would be most of what it costs to
 *    refuse whoever asks for nothing but refusals.
 *
 * A Fault is an expected refusal: part of the contract of one operation, safe to show to a stranger.
 *
 * Each situation is one subclass with a literal `code` (UPPER_SNAKE_CASE, equal on every door), its data in
 * fields, and a message that says what to do. Anything else that is thrown is a defect or an outage.
 */
export abstract class Fault extends Error {
  abstract readonly code: string;
  /** When set, the same call may succeed after this many milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // FAULT-1
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.retryAfterMs = options.retryAfterMs;
    this.name = new.target.name;
  }
}

/** The input has the wrong shape or breaks a limit; nothing was changed. `field` names what to mend. */
export class InvalidInput extends Fault {
  readonly code = 'INVALID_INPUT';
  readonly field: string;

  constructor(field: string, message: string) {
    super(`${field}: ${message}`);
    this.field = field;
  }
}

/** The caller sent no principal, or one that is unknown, malformed or expired. */
export class Unauthenticated extends Fault {
  readonly code = 'UNAUTHENTICATED';

  constructor(message = 'Send "Authorization: Bearer <API key or client token>".') {
    super(message);
  }
}

/** The principal is known but may not do this. */
export class Forbidden extends Fault {
  readonly code = 'FORBIDDEN';
}

/** The same idempotency key or session key was used with a different request. */
export class IdempotencyConflict extends Fault {
  readonly code = 'IDEMPOTENCY_CONFLICT';
  readonly key: string;

  constructor(key: string) {
    super(
      'This idempotency key (or session key) was already used with a different request. Use a new one for a new request.',
    );
    this.key = key;
  }
}
