/**
 * The body of a request, as strict as the service's own parser: JSON.parse takes half a surrogate pair, which is no
 * character and cannot be written in UTF-8; the service refuses it (claude-code issues 2108, 60394).
 */

/** Levels of lists and objects: what walks them must not run out of stack. */
const NESTING_MAX = 512;

export type Parsed =
  | { readonly kind: 'value'; readonly value: unknown }
  /** Why it is no JSON, after "The request body is not valid JSON: ". */
  | { readonly kind: 'invalid'; readonly reason: string };

export function parseStrictly(bytes: Buffer): Parsed {
  const text = decoded(bytes);
  if (text === undefined)
    return { kind: 'invalid', reason: 'str is not valid UTF-8: surrogates not allowed' };
  const lone = loneSurrogate(text);
  if (lone !== undefined) return { kind: 'invalid', reason: lone };
  return parseLoosely(text);
}

/** As JSON.parse does it, but bounded in depth. */
export function parseLoosely(text: string): Parsed {
  if (isNestedBeyond(text, NESTING_MAX)) return { kind: 'invalid', reason: 'recursion limit reached' };
  try {
    return { kind: 'value', value: JSON.parse(text) };
  } catch (error) {
    return { kind: 'invalid', reason: error instanceof Error ? error.message : 'unreadable' };
  }
}

function decoded(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Escapes one after the other, so that `\\ud83d`, a backslash and five letters, is none. */
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|.)/gs;

/** With the parser's three sentences: a high half alone, two high halves, a low half alone. */
function loneSurrogate(text: string): string | undefined {
  let high = -1; // the end of a high half that waits for its low one
  for (const match of text.matchAll(ESCAPE)) {
    const code = match[1] === undefined ? -1 : Number.parseInt(match[1], 16);
    const isLow = code >= 0xdc00 && code <= 0xdfff;
    if (high >= 0 && high !== match.index) break;
    if (high >= 0 && !isLow) return code < 0 ? at('no low', high, text) : at('invalid low', high, text);
    if (high < 0 && isLow) return at('invalid high', match.index, text);
    high = code >= 0xd800 && code <= 0xdbff ? match.index + match[0].length : -1;
  }
  return high < 0 ? undefined : at('no low', high, text);
}

/** In characters, as the service counts. */
function at(what: string, index: number, text: string): string {
  const before = text.slice(0, index);
  const line = before.split('\n').length;
  const column = index - before.lastIndexOf('\n');
  return `${what} surrogate in string: line ${line} column ${column} (char ${index})`;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** Counts brackets outside of strings; a loop, since a regular expression would run out of stack on a long string. */
function isNestedBeyond(text: string, most: number): boolean {
  let depth = 0;
  let inString = false;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code === QUOTE) inString = !inString;
    else if (inString) index += code === BACKSLASH ? 1 : 0;
    else if (code === OPEN_LIST || code === OPEN_OBJECT) depth += 1;
    else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth -= 1;
    if (depth > most) return true;
  }
  return false;
}
