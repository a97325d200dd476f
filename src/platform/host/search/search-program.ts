/**
 * A search as a process of its own, `node search-program.ts <SearchRequest as JSON>`: a bad pattern keeps it busy and not the hands,
 * and it can be killed. Its output is the answer for the model; it ends with EXIT_REFUSED when that says why it could not search.
 */
import { writeSync } from 'node:fs';
import { FileRefused } from '../../../hands/faults.ts';
import { PatternRefused } from '../../../hands/search/pattern-escape.ts';
import { EXIT_REFUSED, type SearchRequest } from '../../../hands/search/request.ts';
import { search } from './search.ts';
import { refuse } from '../translate-error.ts';

const STDOUT = 1;

const request = JSON.parse(process.argv[2] ?? '') as SearchRequest; // the grep tool has made it
try {
  search(request, write, Date.now);
} catch (error) {
  write(`${reasonOf(error)}\n`);
  process.exitCode = EXIT_REFUSED;
}

/** At once, so that what was found is there when this process is killed. */
function write(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

function reasonOf(error: unknown): string {
  if (error instanceof PatternRefused) return error.message;
  try {
    return refuse(request.path, error);
  } catch (refusal) {
    if (refusal instanceof FileRefused) return refusal.message;
    throw refusal;
  }
}
