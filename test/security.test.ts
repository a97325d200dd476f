/** docs/security.md says what nobody can do, and names the tests that prove it: they are there. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');
const page = readFileSync(path.join(ROOT, 'docs/security.md'), 'utf8');
const PROOF = /`(test\/[\w./-]+\.ts)` "([^"]+)"/g;

const lines = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| cannot |'))
  .map((line) => line.split(' | '));

describe('docs/security.md', () => {
  it('says what somebody cannot do, why, and what proves it, in every line of its tables', () => {
    expect(lines.length).toBeGreaterThan(40);
    expect(lines.filter((cells) => cells.length !== 3)).toEqual([]);
    expect(
      lines.filter(([, , proof = '']) => proof.replaceAll(PROOF, '').replaceAll(/[;| ]/g, '') !== ''),
    ).toEqual([]);
    expect(lines.filter(([, , proof = '']) => !proof.includes('`test/'))).toEqual([]);
  });

  it.each([...page.matchAll(PROOF)].map(([, file = '', title = '']) => [file, title] as const))(
    'names a test that is there: %s "%s"',
    (file, title) => {
      const text = readFileSync(path.join(ROOT, file), 'utf8');
      const titles = [...text.matchAll(/\b(?:it|describe|test)(?:\.\w+)*\(|\]\)\(|\)\(/g)].map(({ index }) =>
        text.slice(index, index + 400),
      );

      expect(titles.some((one) => one.includes(title))).toBe(true);
    },
  );
});

describe('the licence', () => {
  it('is the whole text of Apache-2.0, as package.json says', () => {
    const text = readFileSync(path.join(ROOT, 'LICENSE'), 'utf8');
    const { license }: { license?: string } = JSON.parse(
      readFileSync(path.join(ROOT, 'package.json'), 'utf8'),
    );

    expect(license).toBe('Apache-2.0');
    expect(text).toContain('Version 2.0, January 2004');
    expect(text).toContain('9. Accepting Warranty or Additional Liability.');
    expect(text).toContain('END OF TERMS AND CONDITIONS');
    expect(text.trim().split('\n')).toHaveLength(201);
  });
});
