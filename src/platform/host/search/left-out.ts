/** What a search has left out, so that nobody takes "no match" for more than it is: some names of each kind, and how many. */
/** Enough to see what kind of files it is about. */
const NAMES_MAX = 5;

const SENTENCES = {
  binary: (names: string) => `binary files that match, lines not shown: ${names}`,
  folder: (names: string) => `folders not searched unless "path" names them: ${names}`,
  link: (names: string) => `links that lead elsewhere, not followed: ${names}`,
  unreadable: (names: string) => `could not be read: ${names}`,
  special: (names: string) => `special files, not read: ${names}`,
  encoding: (names: string) => `not UTF-8, other bytes are shown as \ufffd: ${names}`,
  longLine: (names: string) => `with a line too long to be searched as a whole: ${names}`,
  large: (names: string) => `too large for a pattern over several lines, searched in parts: ${names}`,
  effort: (names: string) => `with lines on which this pattern takes too much memory: ${names}`,
} as const;

export class LeftOut {
  readonly #shownOf: (name: string) => string;
  readonly #kinds = new Map<keyof typeof SENTENCES, { names: string[]; count: number; last: string }>();

  /** `shownOf`: how a name, relative to what is searched, is shown. */
  constructor(shownOf: (name: string) => string) {
    this.#shownOf = shownOf;
  }

  add(kind: keyof typeof SENTENCES, name: string): void {
    const known = this.#kinds.get(kind) ?? { names: [], count: 0, last: '' };
    this.#kinds.set(kind, known);
    if (known.count > 0 && known.last === name) return;
    known.last = name;
    known.count += 1;
    if (known.names.length < NAMES_MAX) known.names.push(this.#shownOf(name));
  }

  has(kind: keyof typeof SENTENCES): boolean {
    return this.#kinds.has(kind);
  }

  /** A line each, in parentheses as all that the tools say besides. */
  get sentences(): readonly string[] {
    return [...this.#kinds].map(([kind, { names, count }]) => {
      const more = count > names.length ? ` and ${count - names.length} more` : '';
      return `(${SENTENCES[kind](`${names.join(', ')}${more}`)})`;
    });
  }
}
