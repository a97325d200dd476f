/**
 * Where a text may be cut: never within a character. Half of a surrogate pair or of a UTF-8 sequence goes into the log, and
 * from there into every later request, which the model's service then refuses.
 */

/** The beginning of `text`, at most `charsMax` UTF-16 units, and no half of a pair at its end. */
export function cutText(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  return text.slice(0, charsMax - (isPairAt(text, charsMax - 1) ? 1 : 0));
}

/** The part of `text` from `start` to `end`; where either lies within a pair, the pair is left out. */
export function partOf(text: string, start: number, end: number): string {
  return cutText(text.slice(0, end + 1), end).slice(isPairAt(text, start - 1) ? start + 1 : start);
}

/** How much of `bytes` there is without the character that is torn at its end. */
export function wholeEnd(bytes: Buffer): number {
  for (let back = 1; back <= 4 && back <= bytes.length; back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (isContinuation(byte)) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Where the first character begins that is not torn at the start of `bytes`. */
export function wholeStart(bytes: Buffer): number {
  let start = 0;
  while (start < 3 && start < bytes.length && isContinuation(bytes[start] ?? 0)) start += 1;
  return start;
}

function isPairAt(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const next = text.charCodeAt(at + 1);
  return unit >= 0xd800 && unit < 0xdc00 && next >= 0xdc00 && next < 0xe000;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
