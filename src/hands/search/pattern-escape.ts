/** What a backslash begins, in and outside of brackets; pattern.ts says what for. */
import { Fault } from '../../kernel/fault.ts';

/** A pattern that cannot be taken; the message is the reason, as the end of a sentence. */
export class PatternRefused extends Fault {
  readonly code = 'PATTERN_REFUSED';
}

/** How a pattern is to be translated. */
export interface Flavour {
  /** Letters and digits are those of Unicode; else the texts are ASCII. */
  readonly unicode: boolean;
  readonly isMultiLine: boolean;
  readonly wantsReturn: boolean;
}

export interface Escape {
  /** Of what was given. */
  readonly length: number;
  /** What stands for it. */
  readonly source: string;
  /** When it is one character. */
  readonly codePoint?: number | undefined;
  /** Matches an end of a line. */
  readonly isLineBreak?: boolean | undefined;
}

const WORD = '\\p{L}\\p{M}\\p{N}\\p{Pc}';
const VERTICAL = '\\n\\v\\f\\r\\x85\\u2028\\u2029';
const CONTROLS: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
/** \ud83d\ude00, as JSON has it. */
const PAIR = /^\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})/i;
const CODE =
  /^\\(?:x\{([0-9a-fA-F]{1,6})\}|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|o\{([0-7]{1,7})\}|(0[0-7]{0,2})|c([a-zA-Z]))/;

/** Outside of brackets. Throws PatternRefused. */
export function escapeAt(rest: string, flavour: Flavour): Escape {
  const letter = rest.charAt(1);
  const reference = /^\\(?:g\{?(\d+)\}?|([1-9]\d*))/.exec(rest);
  if (reference !== null)
    return { length: reference[0].length, source: `(?:\\${reference[1] ?? reference[2]})` };
  const named = /^\\[gk](?:\{([\p{L}_][\p{L}\p{N}_]*)\}|<([^>]+)>|'([^']+)')/u.exec(rest);
  if (named !== null) return { length: named[0].length, source: `\\k<${named[1] ?? named[2] ?? named[3]}>` };
  const { unicode, isMultiLine } = flavour;
  const [word, other] = unicode ? [`[${WORD}]`, `[^${WORD}]`] : ['\\w', '\\W'];
  switch (letter) {
    case 'b':
      return two(unicode ? `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))` : '\\b');
    case 'B':
      return two(unicode ? `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word}))` : '\\B');
    case 'w':
      return two(word);
    case 'W':
      return two(other);
    case 'A':
      return two(isMultiLine ? '(?<![^])' : '^');
    case 'z':
    case 'Z':
      return two(isMultiLine ? '(?=\\n?$)' : '$');
    case 'K': // what comes before it is not part of the match: the line is the same
    case 'E':
      return two('');
    case 'N':
      if (rest.charAt(2) !== '{') return two('[^\\n]');
      break;
    case 'R':
      return { ...two(`(?:\\r\\n|[${VERTICAL}])`), isLineBreak: true };
    case 'X':
      return two('(?:[^\\p{M}]\\p{M}*|\\p{M}+)');
  }
  return setAt(rest, flavour) ?? characterAt(rest);
}

/** Within brackets: sets and characters. Throws PatternRefused. */
export function escapeInBracketAt(rest: string, flavour: Flavour): Escape {
  if (rest.charAt(1) === 'b') return { length: 2, source: '\\x08', codePoint: 8 };
  const { unicode } = flavour;
  if (rest.charAt(1) === 'w') return two(unicode ? WORD : '\\w');
  if (rest.charAt(1) === 'W') return two(unicode ? `[^${WORD}]` : '\\W');
  return setAt(rest, flavour) ?? characterAt(rest);
}

/** Where a word begins, or ends. */
export function wordEdge(begins: boolean, { unicode }: Flavour): string {
  const word = unicode ? `[${WORD}]` : '\\w';
  return begins ? `(?<!${word})(?=${word})` : `(?<=${word})(?!${word})`;
}

/** A character of a text, as it is written outside of brackets. */
export function literal(character: string): string {
  if (character === '\n') return '\\n';
  return /[$()*+./?[\\\]^{|}]/.test(character) ? `\\${character}` : character;
}

function setAt(rest: string, { unicode }: Flavour): Escape | undefined {
  switch (rest.charAt(1)) {
    case 'd':
      return two(unicode ? '\\p{Nd}' : '\\d');
    case 'D':
      return two(unicode ? '\\P{Nd}' : '\\D');
    case 's':
    case 'S':
      return two(rest.slice(0, 2));
    case 'h':
      return two('[\\t\\p{Zs}]');
    case 'H':
      return two('[^\\t\\p{Zs}]');
    case 'v':
      return two(`[${VERTICAL}]`);
    case 'V':
      return two(`[^${VERTICAL}]`);
    case 'p':
    case 'P':
      return property(rest);
    default:
      return undefined;
  }
}

function characterAt(rest: string): Escape {
  const pair = PAIR.exec(rest);
  if (pair !== null) {
    const [whole, high = '', low = ''] = pair;
    const text = String.fromCharCode(Number.parseInt(high, 16), Number.parseInt(low, 16));
    return codePoint(whole.length, text.codePointAt(0) ?? 0);
  }
  const code = CODE.exec(rest);
  if (code !== null) {
    const [whole, ...parts] = code;
    const digits = parts.slice(0, 5).find((part) => part !== undefined);
    const octal = parts[5] ?? parts[6];
    const value =
      digits !== undefined
        ? Number.parseInt(digits, 16)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : (parts[7] ?? '').toUpperCase().charCodeAt(0) ^ 64;
    if (value > 0x10_ff_ff || (value >= 0xd8_00 && value < 0xe0_00))
      throw new PatternRefused(`${whole} is no character`);
    return codePoint(whole.length, value);
  }
  const [character = ''] = /^\\(.)/su.exec(rest)?.slice(1) ?? [];
  if (character === '') throw new PatternRefused('it ends with a backslash (write "\\\\" for the character)');
  const control = CONTROLS[character];
  if (control !== undefined) return codePoint(2, control);
  if (/[A-Za-z]/.test(character))
    throw new PatternRefused(`\\${character} has no meaning here (write "\\\\" for a backslash)`);
  return { ...codePoint(1 + character.length, character.codePointAt(0) ?? 0), source: inAnyPlace(character) };
}

function two(source: string): Escape {
  return { length: 2, source };
}

function codePoint(length: number, value: number): Escape {
  return { length, source: `\\u{${value.toString(16)}}`, codePoint: value };
}

/** Written so that it means itself in and outside of brackets. */
function inAnyPlace(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

/** \p{Greek} and \pL, which JavaScript writes \p{Script=Greek} and \p{L}. */
function property(rest: string): Escape {
  const [whole = '', letter = '', long, short = ''] = /^\\([pP])(?:\{([^}]*)\}|(.))/.exec(rest) ?? [];
  if (whole === '') throw new PatternRefused('\\p needs a name in braces, as in \\p{L}');
  const negated = long?.startsWith('^') === true;
  const name = (long ?? short).replace(/^\^/, '').replaceAll(' ', '_');
  const capital = name.charAt(0).toUpperCase() + name.slice(1);
  const known = [name, capital, `Script=${name}`, `Script=${capital}`, name.replace(/^Is/, '')].find(
    isProperty,
  );
  if (known === undefined) throw new PatternRefused(`there is no Unicode property ${whole}`);
  const kind = (letter === 'P') === negated ? 'p' : 'P';
  return { length: whole.length, source: `\\${kind}{${known}}` };
}

function isProperty(name: string): boolean {
  try {
    return new RegExp(`\\p{${name}}`, 'u').test('') || true;
  } catch {
    return false;
  }
}
