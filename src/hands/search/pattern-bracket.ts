/** A bracket expression, [a-z], as all flavours read it; pattern.ts says what for. */
import { escapeInBracketAt, type Flavour, PatternRefused } from './pattern-escape.ts';

export interface Bracket {
  /** Of what was given. */
  readonly length: number;
  readonly source: string;
  /** It is meant to match an end of a line: [\s\S], [.\n]; not [^x], which only happens to. */
  readonly matchesNewline: boolean;
  readonly wantsReturn: boolean;
}

const NAMED_OF_UNICODE: Readonly<Record<string, string>> = {
  alpha: '\\p{L}\\p{M}',
  alnum: '\\p{L}\\p{M}\\p{Nd}',
  lower: '\\p{Ll}',
  upper: '\\p{Lu}',
  digit: '\\p{Nd}',
  punct: '\\p{P}\\p{S}',
  graph: '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}',
  print: '\\p{L}\\p{M}\\p{N}\\p{P}\\p{S}\\p{Zs}',
  word: '\\p{L}\\p{M}\\p{N}\\p{Pc}',
  space: '\\s',
  blank: '\\t\\p{Zs}',
  cntrl: '\\p{Cc}',
  xdigit: '0-9A-Fa-f',
  ascii: '\\x00-\\x7f',
};
/** Sets that are everything together. */
const COMPLEMENTS = [
  ['\\s', '\\S'],
  ['\\d', '\\D'],
  ['\\w', '\\W'],
] as const;

/** `rest` begins with "[". Throws PatternRefused. */
export function bracketAt(rest: string, flavour: Flavour): Bracket {
  const isNegated = rest.charAt(1) === '^';
  const from = isNegated ? 2 : 1;
  // "]" at once is a character to all but JavaScript, whose [^] is any character and whose [] matches nothing
  if (isNegated && rest.charAt(2) === ']' && !rest.slice(3).includes(']'))
    return { length: 3, source: '[^]', matchesNewline: true, wantsReturn: false };
  const members = new Members(rest, from, flavour);
  const { source, given, codePoints } = members;
  const anything = COMPLEMENTS.some((pair) => pair.every((set) => given.includes(set)));
  return {
    length: members.end,
    source: `[${isNegated ? '^' : ''}${source}]`,
    matchesNewline: !isNegated && (anything || codePoints.has(10)),
    wantsReturn: !isNegated && codePoints.has(13),
  };
}

interface Member {
  readonly length: number;
  readonly source: string;
  readonly codePoint?: number | undefined;
}

class Members {
  source = '';
  /** Sets as they were written. */
  readonly given: string[] = [];
  readonly codePoints = new Set<number>();
  end: number;
  readonly #rest: string;
  readonly #flavour: Flavour;

  constructor(rest: string, from: number, flavour: Flavour) {
    this.#rest = rest;
    this.#flavour = flavour;
    let at = from;
    for (;;) {
      if (at >= rest.length) throw new PatternRefused('unmatched [ (write "\\[" for the character)');
      if (rest.charAt(at) === ']' && at > from) break;
      const first = this.#memberAt(at);
      at += first.length;
      const last =
        rest.charAt(at) === '-' && rest.charAt(at + 1) !== ']' ? this.#memberAt(at + 1) : undefined;
      if (last?.codePoint === undefined || first.codePoint === undefined) {
        this.source += first.source;
        continue;
      }
      if (last.codePoint < first.codePoint)
        throw new PatternRefused(
          `the range ${rest.slice(at - first.length, at + 1 + last.length)} is out of order`,
        );
      this.source += `${first.source}-${last.source}`;
      at += 1 + last.length;
    }
    this.end = at + 1;
  }

  #memberAt(at: number): Member {
    const rest = this.#rest.slice(at);
    const named = /^\[:(\^?)([a-z]+):\]/.exec(rest);
    if (named !== null) {
      const [whole, negation = '', name = ''] = named;
      const members = NAMED_OF_UNICODE[name];
      if (members === undefined) throw new PatternRefused(`there is no class ${whole}`);
      return { length: whole.length, source: negation === '' ? members : `[^${members}]` };
    }
    if (/^\[[.=]/.test(rest) && /^\[([.=]).*?\1\]/.test(rest))
      throw new PatternRefused('collating elements, [.x.] and [=x=], are not known here');
    if (rest.startsWith('\\')) {
      const escape = escapeInBracketAt(rest, this.#flavour);
      if (escape.codePoint === undefined) this.given.push(rest.slice(0, escape.length));
      else this.codePoints.add(escape.codePoint);
      return escape;
    }
    const [character = ''] = rest.match(/^./su) ?? [];
    const codePoint = character.codePointAt(0) ?? 0;
    this.codePoints.add(codePoint);
    return { length: character.length, source: `\\u{${codePoint.toString(16)}}`, codePoint };
  }
}
