/**
 * Patterns as models write them (of JavaScript, PCRE, Rust, grep -E), as one regular expression of JavaScript. What the
 * flavours agree on means what they agree on; where they do not, a pattern matches what any of them would find, since the answer
 * "no match" is taken for a fact; and what cannot be translated is refused with its reason.
 *
 * A pattern is matched line by line, without line ends. One that speaks of line ends itself (\n, [\s\S], (?s)) is matched in
 * whole files.
 */
import { bracketAt } from './pattern-bracket.ts';
import { type Escape, escapeAt, type Flavour, literal, PatternRefused, wordEdge } from './pattern-escape.ts';

/** A longer one is a list of words, or a mistake. */
export const PATTERN_CHARS_MAX = 4_096;

export interface Pattern {
  /** For texts of ASCII, where it is several times as fast. */
  readonly ascii: RegExp;
  readonly unicode: RegExp;
  /** Matched in whole texts and not line by line. */
  readonly isMultiLine: boolean;
  /** Asks for CR itself: lines keep theirs. */
  readonly wantsReturn: boolean;
  /** All of it, when it has nothing special and case counts. */
  readonly literal: string | undefined;
  /** For whoever finds nothing: what it may have been meant to be. */
  readonly hints: readonly string[];
}

/** Throws PatternRefused. */
export function patternOf(given: string, ignoreCase: boolean): Pattern {
  if (given === '' || !given.isWellFormed() || given.length > PATTERN_CHARS_MAX)
    throw new PatternRefused(`it must have 1 to ${PATTERN_CHARS_MAX} whole characters`);
  const first = new Translation(given, { unicode: true, isMultiLine: false, wantsReturn: false });
  const { isMultiLine, wantsReturn } = first;
  const flavour = { isMultiLine, wantsReturn };
  const again = (unicode: boolean): RegExp => {
    const text = unicode ? given.normalize('NFC') : given;
    const { source } = new Translation(text, { ...flavour, unicode });
    return compiled(source, `v${isMultiLine ? 'g' : 's'}${ignoreCase ? 'i' : ''}`);
  };
  const isLiteral = first.isLiteral && !ignoreCase && !isMultiLine;
  return {
    ...flavour,
    ascii: again(false),
    unicode: again(true),
    literal: isLiteral ? first.text : undefined,
    hints: first.hints,
  };
}

function compiled(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const reason = error.message.replace(/^.*: (?=[^:]*$)/s, '').toLowerCase();
    const more = reason === 'nothing to repeat' ? ' (write "\\*" for the character)' : '';
    throw new PatternRefused(`${reason}${more}`, { cause: error });
  }
}

interface Group {
  /** What `.` and white space mean in it from here on. */
  readonly dotAll: boolean;
  readonly spaced: boolean;
  /** Groups that were opened for flags in the middle; closed and opened again at each `|`. */
  readonly wraps: readonly string[];
}

const QUANTIFIER = /^(?:[*+?]|\{(\d*)(?:(,)(\d*))?\})([?+]?)/;
const FLAGS = /^\(\?([imsxuUn^]*)(?:-([imsxuUn]*))?([:)])/;

class Translation {
  source = '';
  isMultiLine: boolean;
  wantsReturn: boolean;
  isLiteral = true;
  text = '';
  readonly hints: string[] = [];
  readonly #given: string;
  readonly #flavour: Flavour;
  readonly #groups: Group[] = [{ dotAll: false, spaced: false, wraps: [] }];
  #at = 0;

  constructor(given: string, flavour: Flavour) {
    this.#given = given;
    this.#flavour = flavour;
    this.isMultiLine = flavour.isMultiLine;
    this.wantsReturn = flavour.wantsReturn;
    while (this.#at < given.length) this.#next();
    if (this.#groups.length > 1) throw new PatternRefused('unmatched (');
    this.source += ')'.repeat(this.#group.wraps.length);
  }

  get #group(): Group {
    return this.#groups.at(-1) ?? { dotAll: false, spaced: false, wraps: [] };
  }

  #next(): void {
    const rest = this.#given.slice(this.#at);
    const [character = ''] = rest.match(/^./su) ?? [];
    const wasLiteral = this.isLiteral;
    this.isLiteral = false;
    const quantifier = QUANTIFIER.exec(rest);
    if (quantifier !== null && quantifier[0] !== '{}' && quantifier[0] !== '{,}')
      return this.#quantifier(quantifier);
    switch (character) {
      case '(':
        return this.#open(rest);
      case ')':
        return this.#close();
      case '|': {
        const { wraps } = this.#group;
        return this.#take(1, `${')'.repeat(wraps.length)}|${wraps.join('')}`);
      }
      case '[':
        return this.#take(...this.#bracket(rest));
      case '\\':
        return this.#escape(rest);
      case '.':
        return this.#take(1, this.#dot());
      case '^':
        return this.#take(1, this.isMultiLine ? '(?<![^\\n])' : '^');
      case '$':
        return this.#end(rest);
    }
    if (this.#group.spaced && /\s|#/.test(character))
      return this.#take(character === '#' ? (/^.*/.exec(rest)?.[0].length ?? 1) : 1, '');
    this.isLiteral = wasLiteral;
    this.text += character;
    this.#notice(character);
    this.#take(character.length, literal(character));
  }

  #take(length: number, source: string): void {
    this.#at += length;
    this.source += source;
  }

  #notice(character: string): void {
    if (character === '\n') this.isMultiLine = true;
    if (character === '\r') this.wantsReturn = true;
  }

  #dot(): string {
    if (this.#group.dotAll) this.isMultiLine = true;
    if (!this.#flavour.isMultiLine) return '.';
    return this.#group.dotAll ? '[^]' : '[^\\n]';
  }

  #end(rest: string): void {
    if (/^\$[^\s)|$?*\\]/.test(rest))
      this.hints.push('"$" is the end of a line: write "\\$" for the character');
    const { isMultiLine, wantsReturn } = this.#flavour;
    if (!isMultiLine) return this.#take(1, wantsReturn ? '(?=\\r?$)' : '$');
    this.#take(1, wantsReturn ? '(?=\\r?\\n|\\r?$)' : '(?![^\\n])');
  }

  #quantifier([whole, least, comma, most, how]: RegExpExecArray): void {
    if (how === '+')
      throw new PatternRefused(
        `possessive quantifiers (${whole}) are not known here (write "\\+" for the character)`,
      );
    if (least === undefined) return this.#take(whole.length, whole);
    this.#take(whole.length, `{${least || '0'}${comma ?? ''}${most ?? ''}}${how}`);
  }

  #bracket(rest: string): readonly [number, string] {
    const { length, source, matchesNewline, wantsReturn } = bracketAt(rest, this.#flavour);
    if (matchesNewline) this.isMultiLine = true;
    if (wantsReturn) this.wantsReturn = true;
    return [length, source];
  }

  #escape(rest: string): void {
    if (rest.startsWith('\\Q')) return this.#quoted(rest);
    if (rest.startsWith('\\|'))
      this.hints.push('"\\|" is the character "|" here: write "|" between alternatives');
    if (/^\\[<>]/.test(rest)) {
      // the start and the end of a word for grep and Rust, the character for the others
      const character = rest.charAt(1);
      return this.#take(2, `(?:${character}|${wordEdge(character === '<', this.#flavour)})`);
    }
    const escape: Escape = escapeAt(rest, this.#flavour);
    if (escape.isLineBreak) this.isMultiLine = true;
    if (escape.codePoint !== undefined) this.#notice(String.fromCodePoint(escape.codePoint));
    this.#take(escape.length, escape.source);
  }

  #quoted(rest: string): void {
    const end = rest.indexOf('\\E');
    const quoted = rest.slice(2, end === -1 ? undefined : end);
    for (const character of quoted) this.#notice(character);
    const source = Array.from(quoted, literal).join('');
    this.#take(end === -1 ? rest.length : end + 2, source);
  }

  #open(rest: string): void {
    const group = this.#group;
    const push = (length: number, source: string): void => {
      this.#groups.push({ ...group, wraps: [] });
      this.#take(length, source);
    };
    if (!rest.startsWith('(?')) {
      if (/^\(\*[A-Z]/.test(rest)) throw new PatternRefused('verbs, (*...), are not known here');
      return push(1, '(');
    }
    const plain = /^\(\?(?:[:=!]|<[=!])/.exec(rest)?.[0];
    if (plain !== undefined) return push(plain.length, plain);
    const named = /^\(\?(?:P?<|')([\p{L}_][\p{L}\p{N}_]*)[>']/u.exec(rest);
    if (named !== null) return push(named[0].length, `(?<${named[1]}>`);
    const reference = /^\(\?P=([\p{L}_][\p{L}\p{N}_]*)\)/u.exec(rest);
    if (reference !== null) return this.#take(reference[0].length, `\\k<${reference[1]}>`);
    const comment = /^\(\?#[^)]*\)/.exec(rest);
    if (comment !== null) return this.#take(comment[0].length, '');
    const flags = FLAGS.exec(rest);
    if (flags === null)
      throw new PatternRefused(
        `the group ${rest.slice(0, 4)} is not known here (groups are (…), (?:…), (?<name>…), (?=…), (?!…), (?<=…), (?<!…), (?i))`,
      );
    this.#flags(flags);
  }

  #flags([whole, on = '', off = '', end]: RegExpExecArray): void {
    const group = this.#group;
    const is = (flag: string, before: boolean): boolean =>
      !off.includes(flag) && (on.includes(flag) || before);
    const state = { dotAll: is('s', group.dotAll), spaced: is('x', group.spaced) };
    const letterCase = on.includes('i') ? '(?i:' : off.includes('i') ? '(?-i:' : undefined;
    if (end === ':') {
      this.#groups.push({ ...state, wraps: [] });
      return this.#take(whole.length, letterCase ?? '(?:');
    }
    const wraps = letterCase === undefined ? group.wraps : [...group.wraps, letterCase];
    this.#groups.splice(-1, 1, { ...state, wraps });
    this.#take(whole.length, letterCase ?? '');
  }

  #close(): void {
    if (this.#groups.length === 1) throw new PatternRefused('unmatched ) (write "\\)" for the character)');
    this.#take(1, ')'.repeat(this.#group.wraps.length + 1));
    this.#groups.pop();
  }
}
