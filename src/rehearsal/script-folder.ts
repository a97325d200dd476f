/** Scripts from a folder: every `<name>.json` in it. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseScript, type Script } from './script.ts';

/** The scripts that come with Holdfast. */
export const OWN_SCRIPTS = fileURLToPath(new URL('./scripts', import.meta.url));

/** Throws ScriptInvalid naming the file and the place in it. */
export async function loadScripts(folder: string): Promise<readonly Script[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json')).toSorted();
  return Promise.all(
    files.map(async (file) =>
      parseScript(file.slice(0, -'.json'.length), await readFile(join(folder, file), 'utf8')),
    ),
  );
}
