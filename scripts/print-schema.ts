/**
 * `npm run schema`: writes schema/schema.graphql from schema/*.ts. With `--check` it writes nothing and fails when the
 * file is not what would be written.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { printedSchema } from '../schema/schema.ts';

const FILE = new URL('../schema/schema.graphql', import.meta.url);
const printed = printedSchema();

if (!process.argv.includes('--check')) {
  writeFileSync(FILE, printed);
} else if (!existsSync(FILE) || readFileSync(FILE, 'utf8') !== printed) {
  console.error('schema/schema.graphql is stale: type "npm run schema" and look at the difference.');
  process.exitCode = 1;
}
