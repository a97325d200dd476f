/** Patterns as they are written for other engines. */
import { expect, it } from 'vitest';
import { patternOf } from '../../../src/hands/search/pattern.ts';
import { PatternRefused } from '../../../src/hands/search/pattern-escape.ts';

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  const { ascii, unicode } = patternOf(pattern, ignoreCase);
  const found = unicode.test(text);
  ascii.lastIndex = unicode.lastIndex = 0;
  if (Buffer.byteLength(text) === text.length) expect(ascii.test(text)).toBe(found);
  return found;
}

it.each([
  ['version \\d+', 'version 42'],
  ['(?i)VERSION', 'version'],
  ['a(?i)b|C', 'c'],
  ['(?i:X)y', 'xy'],
  ['(?:a|b)c', 'bc'],
  ['if (x) {', 'if x {'],
  ['interface{}', 'interface{}'],
  ['\\$\\{x\\}', '${x}'],
  ['a{2}b{,2}c{1,}', 'aac'],
  ['[[:space:]]x', '\tx'],
  ['[[:alpha:]_]+é', 'ab_é'],
  ['[^[:space:]]', 'a'],
  ['[]abc]', ']'],
  ['[^]]', 'a'],
  ['[[]', '['],
  ['[a&&b]', '&'],
  ['[\\w.-]+@', 'a.b-c@'],
  ['[+--]', '-'],
  ['\\<foo\\>', 'a foo b'],
  ['\\<div\\>', '<div>'],
  ['\\bGr\\w+e\\b', 'Größe'],
  ['\\w+', 'Ж'],
  ['(?P<n>a)(?P=n)', 'aa'],
  ['(a)\\1', 'aa'],
  ['(a)\\g{1}', 'aa'],
  ['\\Qa.b\\E', 'a.b'],
  ['\\p{Greek}\\pL', 'λό'],
  ['\\p{Lu}', 'É'],
  ['\\"x\\"\\-\\/\\#\\@\\ \\,', '"x"-/#@ ,'],
  ['\\ud83d\\ude00\\x41\\u0042\\x{43}\\U00000044', '😀ABCD'],
  ['(?<=a)b(?!c)', 'ab'],
  ['a\\Kb', 'ab'],
  ['(?x) a b # why', 'ab'],
  ['(?#why)a', 'a'],
  ['^a.b$', 'a\u2028b'],
  ['a.b', 'a\rb'],
  ['a\\nb', 'a\nb'],
  ['a[\\s\\S]*b', 'a\n\nb'],
  ['(?s)a.b', 'a\nb'],
  ['(?m)^b$\\n', 'a\nb\nc'],
  ['a\\Rb', 'a\nb'],
  ['a\\s+$', 'a  '],
])('%s is found in %j', (pattern, text) => {
  expect(matches(pattern, text)).toBe(true);
});

it.each([
  ['\\d\\d', 'add'],
  ['foo\\|bar', 'bar'],
  ['a(?i)b', 'A'],
  ['é', 'É'],
  ['\\Qa.b\\E', 'axb'],
  ['[^[:space:]]', ' '],
  ['\\bfoo\\b', 'foobar'],
  ['a.b\\n', 'a\nb\n'],
])('%s is not found in %j', (pattern, text) => {
  expect(matches(pattern, text)).toBe(false);
});

it('takes upper and lower case as the same when it is told to', () => {
  expect(matches('größe', 'GRÖSSE GRÖẞE GRÖßE', true)).toBe(true);
});

it.each([
  ['(', /unmatched \(/],
  ['a)', /unmatched \)/],
  ['[a', /unmatched \[/],
  ['*.ts', /nothing to repeat/],
  ['i++', /possessive.*"\\\+"/],
  ['(?>a)', /the group \(\?>a is not known/],
  ['a\\', /ends with a backslash/],
  ['C:\\Users', /\\U has no meaning/],
  ['[z-a]', /range z-a is out of order/],
  ['\\p{Foo}', /no Unicode property/],
  ['[[:foo:]]', /no class/],
  ['\\2(a)', /invalid/],
  ['(?<n>a)(?<n>b)', /duplicate/],
  ['\ud83d', /whole characters/],
  ['', /1 to/],
  ['x'.repeat(5_000), /1 to/],
  ['('.repeat(4_000), /unmatched|large|many/],
])('refuses %s with its reason', (pattern, why) => {
  expect(() => patternOf(pattern, false)).toThrow(PatternRefused);
  expect(() => patternOf(pattern, false)).toThrow(why);
});

it('says what a pattern that finds nothing may have been meant to be', () => {
  expect(patternOf('foo\\|bar', false).hints[0]).toContain('write "|" between alternatives');
  expect(patternOf('${name}', false).hints[0]).toContain('write "\\$" for the character');
  expect(patternOf('^(foo|bar)$', false).hints).toEqual([]);
});
