/** Names of one folder that somebody may have meant by a name that is not there. */
import { FileRefused } from './faults.ts';
import { FOLDER_ENTRIES_MAX } from './limit.ts';
import type { Sandbox } from './sandbox.ts';

/** More names are no help. */
const NAMES_MAX = 3;
/** Typing errors in a name; of longer names not more, of shorter ones one. */
const EDITS_MAX = 2;
const SHORT_NAME_CHARS = 4;
/** The comparison costs the product of two lengths. */
const NEAR_NAME_CHARS_MAX = 255;

/** The same for names that look alike: macOS puts a narrow space before PM, Unicode has letters in two forms, quotes are typographic. */
export function looksOf(name: string): string {
  return name
    .normalize('NFKC')
    .replaceAll(/[\u2018\u2019\u201b\u02bc]/g, "'")
    .replaceAll(/[\u201c\u201d]/g, '"')
    .replaceAll(/[\u2010-\u2015\u2212]/g, '-')
    .replaceAll(/[\u200b-\u200f\u2060\ufeff\u00ad]/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

export const nearNames = {
  /** All names of a folder, of a huge one the first. */
  async in(sandbox: Sandbox, folder: string): Promise<readonly string[]> {
    try {
      const listed = await sandbox.list(folder, FOLDER_ENTRIES_MAX);
      return listed?.entries.map(({ name }) => name) ?? [];
    } catch (error) {
      if (error instanceof FileRefused) return [];
      throw error;
    }
  },

  /** Paths of those that are like `name`, the likest first. */
  async of(sandbox: Sandbox, folder: string, name: string): Promise<readonly string[]> {
    const wanted = foldOf(name);
    const scored = (await nearNames.in(sandbox, folder))
      .map((near) => ({ near, score: distance(foldOf(near), wanted) }))
      .filter(({ score }) => score <= (wanted.length <= SHORT_NAME_CHARS ? 1 : EDITS_MAX))
      .toSorted((a, b) => a.score - b.score);
    return scored.slice(0, NAMES_MAX).map(({ near }) => `${folder === '/' ? '' : folder}/${near}`);
  },
};

function foldOf(name: string): string {
  return looksOf(name).toLowerCase();
}

/** Levenshtein's, and 1 for another extension; too much when it cannot be small. */
function distance(a: string, b: string): number {
  const stem = (name: string): string => name.replace(/(?<=.)\.[^.]*$/, '');
  if (stem(a) === stem(b)) return a === b ? 0 : 1;
  if (Math.abs(a.length - b.length) > EDITS_MAX || b.length > NEAR_NAME_CHARS_MAX) return EDITS_MAX + 1;
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let at = 0; at < a.length; at += 1) {
    const next = [at + 1];
    for (let to = 0; to < b.length; to += 1) {
      const replaced = (row[to] ?? 0) + (a[at] === b[to] ? 0 : 1);
      next.push(Math.min(replaced, (row[to + 1] ?? 0) + 1, (next[to] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
