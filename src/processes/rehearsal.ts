/** The rehearsal as a process of its own: `npm run rehearsal` (docs/rehearsal.md). */
import { visible } from '../kernel/visible.ts';
import { startRehearsal } from '../rehearsal/rehearsal.ts';
import { ScriptInvalid } from '../rehearsal/script-field.ts';
import { loadScripts, OWN_SCRIPTS } from '../rehearsal/script-folder.ts';
import { VARIABLES } from './config.ts';

const HOST = '127.0.0.1';
const PORT = 4010;
/** sysexits: the configuration is wrong. */
const EXIT_CONFIG = 78;

function stop(sentence: string): never {
  process.stderr.write(visible(`${sentence}\n`));
  process.exit(EXIT_CONFIG);
}

function portOf(text: string | undefined): number {
  if (text === undefined || text === '') return PORT;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    stop(`PORT is "${text}"; expected a number from 0 to 65535.`);
  return port;
}

function strictOf(text: string | undefined): boolean {
  const { fallback, expected, parse } = VARIABLES.HOLDFAST_REHEARSAL_STRICT;
  const strict = parse(text === undefined || text === '' ? fallback : text);
  if (strict === undefined) stop(`HOLDFAST_REHEARSAL_STRICT is "${text}"; expected ${expected}.`);
  return strict === 'on';
}

function sentenceOf(error: unknown, port: number, folder: string): string {
  if (error instanceof ScriptInvalid) return `A script in ${folder} is not one. ${error.message}`;
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `Port ${port} is in use; set PORT to another one.`;
  if (code === 'ENOENT') return `There is no folder ${folder}; set REHEARSAL_SCRIPTS to a folder of scripts.`;
  throw error;
}

const port = portOf(process.env['PORT']);
const strict = strictOf(process.env['HOLDFAST_REHEARSAL_STRICT']);
const folder = process.env['REHEARSAL_SCRIPTS'] || OWN_SCRIPTS;
try {
  const scripts = await loadScripts(folder);
  const rehearsal = await startRehearsal({ port, host: HOST, scripts, strict });
  const names = scripts.map(({ name }) => name).join(', ');
  process.stdout.write(visible(`Rehearsal plays ${names} at ${rehearsal.url}\n`));
  const end = (): void => void rehearsal.close();
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
} catch (error) {
  stop(sentenceOf(error, port, folder));
}
