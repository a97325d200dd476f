/**
 * The forms in which a key may come back: as it is, backwards, in base64 (wherever in a longer text it stands, with either alphabet) and in
 * hexadecimal. Letters are compared without their case. What of a form is enough to give the key away is a run of it.
 */
import { KeyParts } from './key-parts.ts';
import { charsOf } from './written-char.ts';

/** So many characters of a key, one after the other, are taken for the key: an eighth of it may be guessed, and no word is like it. */
const RUN_CHARS = 16;
/** Of a short key, less: services that shorten it show the beginning or the last four characters. */
const RUN_SHARE = 3 / 4;
export interface KeyForms {
  /** Every run of each form, folded, by the length of the runs. */
  readonly runs: ReadonlyMap<number, ReadonlySet<string>>;
  readonly parts: Pick<KeyParts, 'has'>;
  readonly runMin: number;
  readonly runMax: number;
}

export function formsOf(key: string): KeyForms {
  const run = Math.min(RUN_CHARS, Math.ceil(key.length * RUN_SHARE));
  const runs = new Map<number, Set<string>>();
  const parts = new KeyParts();
  const add = (form: string, length: number): void => {
    const folded = form.toLowerCase();
    parts.add(folded);
    const known = runs.get(length) ?? new Set();
    for (let at = 0; at + length <= folded.length; at += 1) known.add(folded.slice(at, at + length));
    if (known.size > 0) runs.set(length, known);
  };
  add(key, run);
  add(charsOf(key), run); // what a key means that holds escapes
  add(key.split('').toReversed().join(''), run);
  add(Buffer.from(key).toString('hex'), 2 * run);
  for (const form of base64Of(key)) add(form, Math.floor((8 * run - 4) / 6)); // a run begins up to four bits into a digit
  return { runs, parts, runMin: Math.min(...runs.keys()), runMax: Math.max(...runs.keys()) };
}

/** The digits that depend on the key alone, after 0, 1 and 2 bytes of something else. */
function base64Of(key: string): readonly string[] {
  return [0, 1, 2].flatMap((before) => {
    const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(key)]);
    const from = Math.ceil((8 * before) / 6);
    const to = Math.floor((8 * bytes.length) / 6);
    return (['base64', 'base64url'] as const).map((alphabet) => bytes.toString(alphabet).slice(from, to));
  });
}
