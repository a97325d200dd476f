import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { printedDocs } from '../scripts/print-docs.ts';

it.each(Object.entries(printedDocs()))('docs/%s is as its table prints it (npm run docs)', (name, text) => {
  expect(readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')).toBe(text);
});
