import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { printedDocs } from '../scripts/print-docs.ts';

it.each(Object.entries(printedDocs()))('docs/%s is as its table prints it (npm run docs)', (name, text) => {
  expect(readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')).toBe(text);
});

describe('docs/limits.md', () => {
  const text = printedDocs()['limits.md'] ?? '';
  const [first = '', rest = ''] = text.split('## The rest, by folder');

  it.each([
    ['REQUEST_BYTES_MAX', '2 MiB'],
    ['PROMPT_BYTES_MAX', '256 KiB'], // shares the comment of the line above it
    ['CONNECTION_FIRST_DEFAULT', '50'],
    ['TURN_SECONDS_MAX', '30 min'],
    ['DEPTH_MAX', '16'],
    ['WORKSPACE_BYTES_MAX', '4 GiB'],
    ['LOG_EVENTS_MAX', '2,000,000'],
    ['LEASE_TTL_MS', '15 s'],
  ])('has %s among what users meet first: %s', (name, amount) => {
    expect(first).toContain(`| \`${name}\` | ${amount} |`);
  });

  it('has each name of kernel/limit.ts once: elsewhere it would mean another thing', () => {
    const names = [...text.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, name = '']) => name);
    const shared = readFileSync(new URL('../src/kernel/limit.ts', import.meta.url), 'utf8');
    const taken = [...shared.matchAll(/^export const ([A-Z0-9_]+)/gm)].map(([, name = '']) => name);

    expect(taken.length).toBeGreaterThan(10);
    expect(taken.filter((name) => names.filter((one) => one === name).length > 1)).toEqual([]);
  });

  it('has a table with something in it for every file and folder', () => {
    expect(text).not.toMatch(/\|---\|\n(?!\|)/);
    expect(rest).toContain('### src/platform/mongo/journal');
    expect(rest).not.toContain('`REQUEST_BYTES_MAX` | 2 MiB | Body of one GraphQL request');
  });
});
