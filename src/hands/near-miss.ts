/**
 * Why a text is not in a file although somebody has just read it there: the difference that nobody sees (white space,
 * Unicode form, typographic quotes), with its line. It explains only: what was not meant exactly is not replaced.
 */
import { cutText } from './characters.ts';

/** Of a line that is shown as it is in the file. */
const LINE_CHARS_SHOWN = 200;
/** Lines like the first one of the text that are followed further: enough to find the place that was meant. */
const CANDIDATES_MAX = 1_000;

type Fold = (text: string) => string;

const perLine =
  (fold: Fold): Fold =>
  (text) =>
    text.split('\n').map(fold).join('\n');
const unicodeForm: Fold = (text) => text.normalize('NFC');
const lineTails = perLine((line) => line.trimEnd());
const whiteSpace = perLine((line) => line.trim().replaceAll(/\s+/g, ' '));
const typography: Fold = (text) =>
  text
    .replaceAll(/[\u2018\u2019\u201a\u201b\u2032\u00b4`]/g, "'")
    .replaceAll(/[\u201c-\u201f\u2033\u00ab\u00bb]/g, '"')
    .replaceAll(/[\u2010-\u2015\u2212]/g, '-')
    .replaceAll(/[\u00a0\u2000-\u200a\u202f\u205f\u3000]/g, ' ')
    .replaceAll('\u2026', '...')
    .replaceAll(/[\u200b-\u200d\u2060\ufeff\u00ad]/g, '');
const letterCase: Fold = (text) => text.toLowerCase();
const everything: Fold = (text) => letterCase(whiteSpace(typography(unicodeForm(text))));

/** In this order: the smallest difference is the one that is told. */
const DIFFERENCES: readonly (readonly [fold: Fold, what: string])[] = [
  [unicodeForm, 'in another Unicode form (composed or decomposed letters)'],
  [lineTails, 'with other spaces at the ends of lines'],
  [typography, 'with other quotes, dashes or spaces of the same look'],
  [whiteSpace, 'with other white space (tabs, spaces, indentation)'],
  [letterCase, 'in other upper and lower case'],
  [everything, 'with several such differences (white space, case, quotes, Unicode form)'],
];

/** What a copy may have that the file has not. */
const COPIES: readonly (readonly [restore: Fold, what: string])[] = [
  [perLine((line) => line.replace(/^ *\d+(?:\t|\u2192)/, '')), 'without the line numbers of read'],
  [
    (text) => text.replaceAll(/\\([nt"'\\])/g, (_whole, c: string) => ESCAPED[c] ?? c),
    'with characters where "old" has escapes (\\n, \\t, \\")',
  ],
  [
    (text) =>
      text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&'),
    'with characters where "old" has entities (&lt;, &amp;)',
  ],
];
const ESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t' };

/** One or two sentences for the model. Both texts have LF at the ends of their lines. */
export function whyMissing(content: string, wanted: string): string {
  for (const [fold, what] of DIFFERENCES) {
    const at = indexOf(fold(content), fold(wanted));
    if (at !== -1) return foundAt(content, wanted, lineOf(fold(content), at), what);
  }
  for (const [restore, what] of COPIES) {
    const text = restore(wanted);
    const at = text === wanted ? -1 : indexOf(content, text);
    if (at !== -1) return `Line ${lineOf(content, at) + 1} has it ${what}.`;
  }
  return partFound(content, wanted) ?? 'Read the file again and copy the text exactly, white space included.';
}

function indexOf(content: string, wanted: string): number {
  return wanted.trim() === '' ? -1 : content.indexOf(wanted);
}

function foundAt(content: string, wanted: string, line: number, what: string): string {
  const there = content.split('\n');
  const given = wanted.split('\n');
  const differs = given.findIndex((text, n) => !(there[line + n] ?? '').includes(text));
  const number = line + Math.max(0, differs);
  return `It is there from line ${line + 1} on ${what}: line ${number + 1} reads ${exactly(there[number] ?? '')}.`;
}

/** Where it begins as given, and goes on in another way. */
function partFound(content: string, wanted: string): string | undefined {
  const given = wanted.split('\n').map((line) => line.trim());
  const there = content.split('\n').map((line) => line.trim());
  const skipped = given.findIndex((line) => line !== '');
  let best = { line: -1, length: 0 };
  let candidates = 0;
  for (let line = 0; line < there.length && candidates < CANDIDATES_MAX; line += 1) {
    if (there[line] !== given[skipped]) continue;
    candidates += 1;
    let length = 1;
    while (skipped + length < given.length && there[line + length] === given[skipped + length]) length += 1;
    if (length > best.length) best = { line, length };
  }
  if (best.length === 0 || skipped + best.length >= given.length) return undefined;
  const next = content.split('\n')[best.line + best.length];
  const reads = next === undefined ? 'the file ends' : `the next line reads ${exactly(next)}`;
  const expected = exactly(wanted.split('\n')[skipped + best.length] ?? '');
  return `Its beginning is in lines ${best.line + 1} to ${best.line + best.length}; then ${reads}, and "old" has ${expected}.`;
}

/** Number of the line, from 0. */
function lineOf(text: string, at: number): number {
  return text.slice(0, at).split('\n').length - 1;
}

/** As a JSON string in which letters that only look alike differ. */
function exactly(line: string): string {
  const shown = JSON.stringify(cutText(line, LINE_CHARS_SHOWN));
  return shown.replaceAll(
    /[\u0300-\u036f\u00a0\u00ab\u00ad\u00b4\u00bb\u2000-\u206f\u2212\u3000\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
