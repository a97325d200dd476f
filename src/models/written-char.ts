/**
 * A text as the characters that it means: escapes of JSON (`\u0073`, also of JSON within JSON, `\/`), of programs (`\x73`), of URLs (`%73`,
 * `%2573`) and of HTML (`&#115;`). Whether a text is meant so, nobody says: who looks for something looks at both, what is written
 * and what it may mean.
 */

/** What begins an escape, and what is not seen: a zero as UTF-16 has it, a soft hyphen, characters without width. */
const NOT_AS_WRITTEN: ReadonlySet<number> = new Set([
  ...Buffer.from('\\%&\0'),
  ...[0xad, 0x200b, 0x200c, 0x200d, 0x2060, 0xfeff],
]);

const NEXT = /[\\%&\0\u00ad\u200b-\u200d\u2060\ufeff]/g;

/** Where the next stands that may mean something else than is written; at the end of the text, when none does. */
export function nextNotAsWritten(text: string, from: number): number {
  NEXT.lastIndex = from;
  return NEXT.exec(text)?.index ?? text.length;
}

export function isAsWritten(code: number): boolean {
  return !NOT_AS_WRITTEN.has(code);
}

export interface WrittenChar {
  readonly written: string;
  /** Empty: nothing. Undefined: the text ends in the middle of an escape. */
  readonly means: string | undefined;
}

const ESCAPES: Readonly<Record<string, { readonly whole: RegExp; readonly begun: RegExp }>> = {
  '\\': {
    whole: /\\{1,4}(?:u([0-9a-f]{4})|u\{([0-9a-f]{1,5})\}|x([0-9a-f]{2}))|\\\\()|\\([^\\])/iy,
    begun: /\\{1,4}(?:u(?:[0-9a-f]{0,3}|\{[0-9a-f]{0,5})|x[0-9a-f]?)?$/iy,
  },
  '%': { whole: /%(?:25){0,2}([0-9a-f]{2})/iy, begun: /%(?:25){0,2}[0-9a-f]?$/iy },
  '&': {
    whole: /&(?:amp;)?#(?:x([0-9a-f]{1,4})|([0-9]{1,5}));/iy,
    begun: /&(?:a|am|amp|amp;)?(?:#(?:x[0-9a-f]{0,4}|[0-9]{0,5}))?$/iy,
  },
};

/** An escape of which one character is missing has fewer: `\\\\\\\\u{10fff`. */
const BEGUN_CHARS_MAX = 16;

/** The character at that place. */
export function writtenCharAt(text: string, at: number): WrittenChar {
  const char = text.charAt(at);
  if (isAsWritten(text.charCodeAt(at))) return { written: char, means: char };
  const escape = ESCAPES[char];
  if (escape === undefined) return { written: char, means: '' };
  const begun = text.length - at < BEGUN_CHARS_MAX ? matchAt(escape.begun, text, at)?.[0] : undefined;
  if (begun !== undefined) return { written: begun, means: undefined };
  const whole = matchAt(escape.whole, text, at);
  if (whole === undefined) return { written: char, means: char };
  return { written: whole[0], means: meaningOf(char, whole) };
}

/** What the whole text means. */
export function charsOf(text: string): string {
  let all = '';
  for (let at = 0; at < text.length; ) {
    const { written, means = written } = writtenCharAt(text, at);
    all += means;
    at += written.length;
  }
  return all;
}

function meaningOf(char: string, [, ...groups]: RegExpExecArray): string {
  const digits = char === '&' ? [groups[0]] : char === '%' ? groups : groups.slice(0, 3);
  const hex = digits.find((group) => group !== undefined);
  if (hex !== undefined) return visible(Number.parseInt(hex, 16));
  if (char === '&') return visible(Number(groups[1]));
  return groups[4] ?? ''; // a backslash that is written twice is one for who unescapes, and none for who does so once more
}

function visible(code: number): string {
  const char = code <= 0xffff ? String.fromCharCode(code) : '\ufffd';
  return isAsWritten(code) || char in ESCAPES ? char : '';
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
