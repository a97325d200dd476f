/**
 * Names of files as they are shown: a name may hold anything but "/" and a zero byte, and a newline or a character that turns the
 * direction of writing would make two lines of one, or hide what it is.
 */

/** A path is at most twice this; longer ones say nothing more. */
const SHOWN_NAME_CHARS_MAX = 500;
const UNSAFE = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** The name itself, or in quotes and with escapes when it holds what is not seen. */
export function shownName(name: string): string {
  const whole = name.toWellFormed();
  const cut =
    whole.length > SHOWN_NAME_CHARS_MAX ? `${whole.slice(0, SHOWN_NAME_CHARS_MAX).toWellFormed()}...` : whole;
  if (!UNSAFE.test(cut)) return cut;
  return JSON.stringify(cut).replaceAll(
    new RegExp(UNSAFE, 'gu'),
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
