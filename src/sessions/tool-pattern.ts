/**
 * Patterns of what a tool is called with. `*` stands for any characters, in a path for any but `/`, where `**` stands for those too; `\*` is
 * the character itself. A text is looked through once for each piece between the stars, whatever the pattern: nothing is tried again.
 */

/** A text that is longer than this is not looked through: who allows says no, who asks or denies says yes (tool-rule.ts). */
export const PATTERN_TEXT_CHARS_MAX = 16_384;

/** The pieces between the stars. */
function piecesOf(pattern: string): readonly string[] {
  const pieces: string[] = [];
  let piece = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const isEscaped = pattern[at] === '\\' && at + 1 < pattern.length;
    if (isEscaped) at += 1;
    if (pattern[at] !== '*' || isEscaped) piece += pattern[at];
    else {
      pieces.push(piece);
      piece = '';
    }
  }
  return [...pieces, piece];
}

/** A pattern that fits this text and no other. */
export function literalPattern(text: string): string {
  return text.replaceAll(/[\\*]/g, String.raw`\$&`);
}

/** Whether it fits one text only. */
export function isLiteral(pattern: string): boolean {
  return piecesOf(pattern).length === 1;
}

export function fitsText(pattern: string, text: string): boolean {
  const pieces = piecesOf(pattern);
  const [first = '', ...rest] = pieces;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const piece of rest) {
    const found = text.indexOf(piece, at);
    if (found < 0) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}

/** Both as `normalPath` gives them, part by part. */
export function fitsPath(pattern: string, path: string): boolean {
  const wanted = pattern.split('/');
  const parts = path.split('/');
  let [at, part] = [0, 0];
  /** Where to go on when a part does not fit: behind the last `**`, which takes one part more. */
  let star: { at: number; part: number } | undefined;
  while (part < parts.length) {
    if (wanted[at] === '**') {
      star = { at: at + 1, part };
      at += 1;
    } else if (at < wanted.length && fitsText(wanted[at] ?? '', parts[part] ?? '')) {
      at += 1;
      part += 1;
    } else if (star !== undefined) {
      star.part += 1;
      [at, part] = [star.at, star.part];
    } else return false;
  }
  return wanted.slice(at).every((rest) => rest === '**');
}

/** As the hands understand it: absolute below `/workspace`, without `.`, `..` and empty parts. */
export function normalPath(path: string): string {
  const whole = path.startsWith('/') ? path : `/workspace/${path}`;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** The host of a URL or of `host:port`, in lower case and without a dot at its end; undefined when there is none. */
export function hostOf(text: string): string | undefined {
  const url = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(url)) return undefined;
  const host = new URL(url).hostname.toLowerCase().replace(/\.$/, '');
  return host === '' ? undefined : host;
}

/**
 * Whether a command is one simple command and nothing else: no other one beside it or in it, no redirection, no variable, no line break, not
 * even in quotes, where some of it would be harmless.
 */
export function isSimpleCommand(command: string): boolean {
  return !/[;&|<>`$(){}\\\n\r\0!]/.test(command);
}

/** The commands that a line of shell may run, as far as its separators tell, the whole line first. */
export function commandsIn(line: string): readonly string[] {
  const parts = line
    .split(/[;&|\n\r`(){}]+/)
    .map((part) =>
      part
        .replace(
          /^(?:\s|\$|!|(?:if|then|else|elif|do|while|until|time|exec|command|sudo|env|nohup)\s|\w+=\S*\s)+/,
          '',
        )
        .trim(),
    );
  return [line, ...parts.filter((part) => part !== '')];
}
