/** For what cannot happen. A failed assert is a defect: it stops the part that owns the state. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new Error(`Cannot happen: ${sentence}`);
}

/** Returns the value, which must be there; `sentence` says why it must. */
export function must<T>(value: T | undefined | null, sentence: string): T {
  assert(value !== undefined && value !== null, sentence);
  return value;
}

/** Closes a switch over a union: compiles only when every kind has its case. */
export function never(value: never): never {
  throw new Error(`Cannot happen: unexpected ${JSON.stringify(value)}`);
}
