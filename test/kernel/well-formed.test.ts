import { describe, expect, it } from 'vitest';
import { parseWellFormedJson, wellFormedJson } from '../../src/kernel/well-formed.ts';
import { oddJson } from '../support/odd-json.ts';
import { randomOf } from '../support/random.ts';

describe('JSON made well-formed', () => {
  it('is the same JSON when it was well-formed, and has no half of a character when it was not', () => {
    const random = randomOf(9);
    for (let count = 0; count < 500; count += 1) {
      const value = oddJson(random);
      const text = JSON.stringify(value);
      const made = wellFormedJson(value);

      expect(JSON.stringify(made)).not.toMatch(/(?<!\\)(?:\\\\)*\\ud[89a-f]/);
      expect(parseWellFormedJson(text)).toEqual(made);
      expect(wellFormedJson(made)).toEqual(made);
      expect(wellFormedJson(JSON.parse('{"__proto__":{"a":[1]},"b":[]}'))).toEqual(
        JSON.parse('{"__proto__":{"a":[1]},"b":[]}'),
      );
    }
  });

  it('may be deeper than a stack', () => {
    const deep = `${'['.repeat(200_000)}"\\ud83d"${']'.repeat(200_000)}`;
    let value = parseWellFormedJson(deep);
    while (Array.isArray(value)) [value] = value;

    expect(value).toBe('\ufffd');
  });

  it('changes nothing of what it was given', () => {
    const given = { '\ud83d': ['\ude00'] };
    wellFormedJson(given);

    expect(given).toEqual({ '\ud83d': ['\ude00'] });
  });
});
