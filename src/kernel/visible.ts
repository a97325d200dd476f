/**
 * Text for a terminal. What a tool prints, a model writes or an error says may hold what a terminal obeys: escapes that move the cursor,
 * rename the window or answer in a person's place, and marks that turn the direction of a line so that it reads as another one. Here
 * they are shown as they are written in a program: \x1b, \u202e.
 *
 * TERMINAL-1 Nothing that a terminal obeys but ends of lines and tabs comes from a session, an error or a log line to a terminal.
 */

/**
 * Control characters (C0, but for \t and \n; delete; C1, which some terminals obey as escapes), marks of direction, ends of lines and
 * paragraphs of Unicode, invisible characters but for joiners, which emoji and scripts need, tags, and halves of characters.
 */
const OBEYED = new RegExp(
  String.raw`[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}\p{Cs}]`,
  'gu',
);

/** A copy that can be sent to a terminal (TERMINAL-1). Of what is visible already it changes nothing. */
export function visible(text: string): string {
  return text.replaceAll(OBEYED, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code === 0x0d) return String.raw`\r`;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code > 0xffff ? `\\u{${code.toString(16)}}` : unitOf(code);
  });
}

/** JSON that can be sent to a terminal and is the same JSON: it leaves to itself what is above U+007E. */
export function visibleJson(json: string): string {
  return json.replaceAll(OBEYED, (character) =>
    character
      .split('')
      .map((unit) => unitOf(unit.charCodeAt(0)))
      .join(''),
  );
}

function unitOf(unit: number): string {
  return `\\u${unit.toString(16).padStart(4, '0')}`;
}
