/**
 * What the code promises, each with an id: defined once, in the header of the file that keeps it (` * FOLLOW-1 Every event …`), cited
 * at the line that keeps it, and named by the tests that prove it, in their titles or in a comment `proves FOLLOW-1` above them.
 */
import { globSync, readFileSync } from 'node:fs';

export interface Promised {
  readonly id: string;
  readonly text: string;
  /** The file whose header defines it. */
  readonly file: string;
  /** Other files that cite it: lines that keep it or lean on it. */
  readonly citedBy: readonly string[];
  /** Test files that prove it. */
  readonly provedBy: readonly string[];
}

const ROOT = new URL('..', import.meta.url).pathname;
const ID = /(?<![\w-])[A-Z]{3,}-[1-9][0-9]?(?![\w-])/g;
const RANGE = /([A-Z]{3,})-([1-9][0-9]?) to \1-([1-9][0-9]?)/g;
/** A line of a header that begins with an id, and the indented ones that go on with it. */
const DEFINITION = /^ \* ([A-Z]{3,}-[1-9][0-9]?) (.*(?:\n \* {2,}\S.*)*)/gm;
/** A title of a test or of a suite, to the end of its line. */
const TITLE = /\b(?:it|test|describe|mongoSuite)(?:\.\w+(?:\([^)]*\))?)*\(\s*(['`"].*)/g;
const PROOF = /\bproves ((?:[A-Z]{3,}-[1-9][0-9]?(?:, | and | to )?)+)/g;

/** In the order of the files; an id that is defined twice is there twice. */
export function promises(): readonly Promised[] {
  const sources = textsOf(['src/**/*.ts', 'schema/*.ts']);
  const proofs = textsOf(['test/**/*.ts']).map(([file, text]) => [file, provedIn(text)] as const);
  return sources.flatMap(([file, text]) =>
    [...text.matchAll(DEFINITION)].map(([, id = '', said = '']) => ({
      id,
      text: said.replaceAll(/\n \* +/g, ' ').replaceAll(/ {2,}/g, ' '),
      file,
      citedBy: sources.filter(([name, other]) => name !== file && idsIn(other).has(id)).map(([name]) => name),
      provedBy: proofs.filter(([, ids]) => ids.has(id)).map(([name]) => name),
    })),
  );
}

/** Ids that tests claim to prove, by file. */
export function claims(): readonly (readonly [file: string, ids: ReadonlySet<string>])[] {
  return textsOf(['test/**/*.ts']).map(([file, text]) => [file, provedIn(text)]);
}

function textsOf(globs: readonly string[]): readonly (readonly [file: string, text: string])[] {
  return globSync([...globs], { cwd: ROOT })
    .filter((file) => !file.startsWith('src/client/generated/'))
    .toSorted()
    .map((file) => [file, readFileSync(`${ROOT}${file}`, 'utf8')]);
}

function provedIn(text: string): ReadonlySet<string> {
  const said = [...text.matchAll(TITLE), ...text.matchAll(PROOF)].map(([, words = '']) => words);
  return idsIn(said.join('\n'));
}

function idsIn(text: string): ReadonlySet<string> {
  const ids = new Set([...text.matchAll(ID)].map(([id]) => id));
  for (const [, name = '', first, last] of text.matchAll(RANGE)) {
    for (let number = Number(first); number <= Number(last); number += 1) ids.add(`${name}-${number}`);
  }
  return ids;
}
