/** The bearer value of an `Authorization` header, read in one way at every door. Undefined when it has none. */
export function bearerOf(header: unknown): string | undefined {
  if (typeof header !== 'string') return undefined;
  return /^Bearer +(\S+) *$/i.exec(header)?.[1];
}
