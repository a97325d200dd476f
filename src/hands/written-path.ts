/**
 * Paths as people write them. What exists under a path taken by the letter is always meant; only then `~`, `$HOME`, a file: URL,
 * quotes, spaces and backslashes are read as a shell or an editor would read them, and names that look the same are taken for the same.
 * What is still not there is refused with what is near it; where a file would be made under an unclear name, that is asked.
 */
import { cutText } from './characters.ts';
import { FileRefused } from './faults.ts';
import { looksOf, nearNames } from './near-name.ts';
import { type Place, placeOf } from './place.ts';
import type { Sandbox } from './sandbox.ts';
import { shownName } from './shown-name.ts';

export interface FoundPlace extends Place {
  /** For the model, when the path was not taken by the letter and it does not show. */
  readonly note?: string | undefined;
}

const HOME = /^(?:~|\$(?:HOME|PWD)|\$\{(?:HOME|PWD)\})(?=\/|$)/;
const QUOTED = /^(["'`])(.*)\1$/s;
/** Of a path that is repeated to the model. */
const GIVEN_CHARS = 200;
/** src/a.ts:12:3 and src/a.ts#L12, as compilers and editors write a place in a file. */
const LINE = /(?::(\d+)(?::\d+)?|#L(\d+)(?:-L?\d+)?)$/;

/** Something that is to be read or changed. Throws FileRefused when nothing is there. */
export async function existingPlace(sandbox: Sandbox, given: string): Promise<FoundPlace> {
  const literal = literalPlace(sandbox, given);
  if (await isThere(sandbox, literal)) return literal;
  const plain = plainReading(given);
  const shell = plain.replaceAll(/\\(.)/gs, '$1');
  const readings = [plain, shell, plain.replaceAll('\\', '/')];
  for (const reading of readings) {
    const place = placeOf(sandbox.root, reading);
    if (await isThere(sandbox, place)) return { ...place, note: noteOn(given, reading) };
  }
  for (const reading of new Set([given, ...readings])) {
    const place = await alikePlace(sandbox, placeOf(sandbox.root, reading));
    if (place !== undefined) return place;
  }
  throw new FileRefused(await whyNothing(sandbox, placeOf(sandbox.root, plain), plain));
}

/** A file that is to be written, there or not. Throws FileRefused when it is unclear which one is meant. */
export async function writablePlace(sandbox: Sandbox, given: string): Promise<FoundPlace> {
  const literal = literalPlace(sandbox, given);
  const plain = plainReading(given);
  if (plain.endsWith('/')) {
    const path = shownName(cutText(plain, GIVEN_CHARS));
    throw new FileRefused(
      `${path} ends with a slash, so it is a folder: give the path of a file, for example ${path}file.txt. Folders are made with their files.`,
    );
  }
  if (await isThere(sandbox, literal)) return literal;
  const isLiteral = plain === given || (await beginsByLetter(sandbox, given));
  const [taken, place] = isLiteral ? [given, literal] : [plain, placeOf(sandbox.root, plain)];
  if (taken.includes('\\') && (/\\[^/]*$/.test(taken) || !(await isThere(sandbox, parentOf(sandbox, place)))))
    refuseBackslash(taken);
  return { note: noteOn(given, taken), ...(await sameName(sandbox, place)) };
}

/** What looks like a home folder or a URL is a folder with that name. */
async function beginsByLetter(sandbox: Sandbox, given: string): Promise<boolean> {
  if (!HOME.test(given) && !/^file:/i.test(given)) return false;
  return isThere(sandbox, placeOf(sandbox.root, given.split('/')[0] ?? ''));
}

function literalPlace(sandbox: Sandbox, given: string): Place {
  if (given.isWellFormed()) return placeOf(sandbox.root, given);
  throw new FileRefused('The path holds half a character (a lone surrogate): give whole characters.');
}

async function isThere(sandbox: Sandbox, place: Place): Promise<boolean> {
  return (await sandbox.look(place.path)) !== undefined;
}

function parentOf(sandbox: Sandbox, place: Place): Place {
  return placeOf(sandbox.root, `${place.path}/..`);
}

function refuseBackslash(given: string): never {
  const path = shownName(cutText(given, GIVEN_CHARS));
  const slashes = shownName(cutText(given.replaceAll('\\', '/'), GIVEN_CHARS));
  throw new FileRefused(
    `${path} holds a backslash: write ${slashes} for a file in a folder. A name with a backslash can be made with bash.`,
  );
}

/** Without what stands around it, `~` and file: URLs led to where they lead in a shell and in a browser. */
function plainReading(given: string): string {
  const trimmed = given.trim();
  const text = (QUOTED.exec(trimmed)?.[2] ?? trimmed).trim() || given;
  if (/^file:/i.test(text)) return pathOfUrl(text);
  return text.replace(HOME, '/workspace');
}

/** Of another host there are no files here. */
function pathOfUrl(url: string): string {
  const [, path] = /^file:(?:\/\/(?:localhost)?(?=\/)|(?!\/\/))(\/[^?#]*)/i.exec(url) ?? [];
  const example = 'a file: URL has three slashes and a path, as in file:///workspace/a.txt';
  if (path === undefined)
    throw new FileRefused(`${shownName(cutText(url, GIVEN_CHARS))} is no path: ${example}.`);
  try {
    return decodeURIComponent(path);
  } catch {
    throw new FileRefused(`${shownName(cutText(url, GIVEN_CHARS))} is no path: its % signs make no text.`);
  }
}

function noteOn(given: string, taken: string): string | undefined {
  if (HOME.test(given) || /^file:/i.test(given) || given === taken) return undefined;
  return `the path was given as ${JSON.stringify(cutText(given, GIVEN_CHARS))}`;
}

/** The place whose names look the same, step by step, where there is exactly one. */
async function alikePlace(sandbox: Sandbox, place: Place): Promise<FoundPlace | undefined> {
  const path = await alikePath(sandbox, place.path, looksOf);
  if (path === undefined || path === place.path) return undefined;
  const found = placeOf(sandbox.root, path);
  const name = JSON.stringify(found.shown);
  return { ...found, note: `taken as ${name}, whose name differs in Unicode form, spaces or quotes only` };
}

/** A file whose name is the same in another Unicode form is the one that is meant: two of them could not be told apart. */
async function sameName(sandbox: Sandbox, place: Place): Promise<FoundPlace> {
  const path = await alikePath(sandbox, place.path, (name) => name.normalize('NFC'));
  if (path === undefined || path === place.path) return place;
  return { ...placeOf(sandbox.root, path), note: 'the name on disk has another Unicode form' };
}

async function alikePath(
  sandbox: Sandbox,
  path: string,
  formOf: (name: string) => string,
): Promise<string | undefined> {
  let found = '';
  for (const step of path.split('/').slice(1)) {
    const next = `${found}/${step}`;
    if ((await sandbox.look(next)) !== undefined) {
      found = next;
      continue;
    }
    const names = await nearNames.in(sandbox, found === '' ? '/' : found);
    const alike = names.filter((name) => formOf(name) === formOf(step));
    if (alike.length !== 1) return undefined;
    found = `${found}/${alike[0]}`;
  }
  return found;
}

async function whyNothing(sandbox: Sandbox, place: Place, plain: string): Promise<string> {
  const shown = shownName(cutText(place.shown, GIVEN_CHARS));
  const [line] = LINE.exec(plain) ?? [];
  if (line !== undefined) {
    const file = placeOf(sandbox.root, plain.slice(0, -line.length) || '.');
    if (await isThere(sandbox, file))
      return `${shown} does not exist; ${file.shown} does: give a line by "offset" of read.`;
  }
  let [parent, missing] = [place.path, ''];
  while (parent !== '/') {
    const at = parent.lastIndexOf('/');
    [parent, missing] = [parent.slice(0, at) || '/', parent.slice(at + 1)];
    const kind = await sandbox.look(parent);
    if (kind === 'file')
      return `${shown} does not exist: ${shownName(placeOf(sandbox.root, parent).shown)} is a file and no folder.`;
    if (kind !== undefined) break;
  }
  const elsewhere = place.inside ? [] : await inWorkspace(sandbox, place);
  const near = elsewhere.length > 0 ? elsewhere : await nearNames.of(sandbox, parent, missing);
  const meant = near.map((path) => shownName(placeOf(sandbox.root, path).shown));
  if (meant.length > 0) return `${shown} does not exist. Did you mean ${meant.join(' or ')}?`;
  return `${shown} does not exist: look with list.`;
}

/** /src/a.ts, where src/a.ts was meant. */
async function inWorkspace(sandbox: Sandbox, place: Place): Promise<readonly string[]> {
  const path = placeOf(sandbox.root, `.${place.path}`).path;
  return (await sandbox.look(path)) === undefined ? [] : [path];
}
