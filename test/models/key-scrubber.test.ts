import { describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { KeyScrubber, type Spelling } from '../../src/models/key-scrubber.ts';
import { isSecret } from '../../src/secrets/secret-key.ts';
import { randomOf } from '../support/random.ts';

const KEY = 'sk-ant-api03-Qx7pLm2ZtR9vK4sW-Jd8';
const scrubberOf = (key: string) => must(KeyScrubber.of(new Sealed(key)), 'the key is a secret');

function scrubbed(key: string, spelling: Spelling, ...texts: readonly string[]): readonly string[] {
  const pieces = scrubberOf(key).pieces(spelling);
  return [...texts.map((text) => pieces.push(text)), pieces.end()];
}

describe('a key', () => {
  it.each([
    'test',
    'e',
    '1',
    'none',
    'ollama',
    'rehearsal',
    'sk-none',
    'sk-1234',
    'sk-ant-fake',
    'lm-studio-local-server',
    'your-api-key-goes-here',
    'My_Local_Proxy_2024',
    'no key is needed here',
    'ANTHROPIC_API_KEY',
    'gpt4-proxy-v2-test',
    'localdevelopment',
    'correcthorse2026',
    'Mycompanysproxyserver',
  ])('is no secret when it is as good as a word: %s', (key) => {
    expect(isSecret(key)).toBe(false);
    expect(KeyScrubber.of(new Sealed(key))).toBeUndefined();
  });

  it.each([
    KEY,
    'sk-ant-canary-do-not-tell',
    'sk-proj-4f9a8b7c6d5e4f3a2b1c',
    'gsk_aB3dE5fG7hJ9kL1mN3pQ',
    '550e8400-e29b-41d4-a716-446655440000',
    'd41d8cd98f00b204e9800998ecf8427e',
    'qzjxkvbnmwplkjhgfdsa',
    'aeqzjxkuobnmwplaieoq',
    'thisisalongword2a7f9c31',
    'AbCdEfGhIjKlMnOpQrSt',
    '90210481726354908172',
  ])('is a secret when it looks like nothing: %s', (key) => {
    expect(isSecret(key)).toBe(true);
  });
});

describe('a text', () => {
  it('comes back as it was when the key is not in it (SCRUB-1)', () => {
    const text = `{"a":"s sk sk-ant- \\u0073k-ant-api03-Qx7 \\\\ \\"${KEY.slice(0, 20)}","b":"\\n\\ud83d"} \\`;

    expect(scrubberOf(KEY).text(text)).toBe(text);
    const bytes = Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0x00, 0xc3])]);
    expect(scrubberOf(KEY).bytes(bytes)).toBe(bytes);
  });

  it('loses the key, however often, escaped or shortened at its end (SCRUB-2)', () => {
    const escaped = KEY.split('')
      .map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('');

    expect(scrubberOf(KEY).text(`<${KEY}${KEY}>`)).toBe('<[sealed][sealed]>');
    expect(scrubberOf(KEY).text(`"${escaped}!"`)).toBe('"[sealed]!"');
    expect(scrubberOf(KEY).text(`"${escaped.toUpperCase().replaceAll('U', 'u')}!"`)).toBe('"[sealed]!"');
    expect(scrubberOf(KEY).text(`key ${KEY.slice(0, -4)}…`)).toBe('key [sealed]…');
    expect(scrubberOf(KEY).text(`sk-ant-${KEY}`)).toBe('sk-ant-[sealed]');
  });

  it('finds a key that JSON must escape', () => {
    const key = 'a"b/c\\d0123456789xyz';

    expect(scrubberOf(key).text(JSON.stringify({ key }))).toBe('{"key":"[sealed]"}');
    expect(scrubberOf(key).text(`{"key":"a\\"b\\/c\\\\d0123456789xyz"}`)).toBe('{"key":"[sealed]"}');
  });

  it('holds back less than a key, and only what may be its beginning (SCRUB-3)', () => {
    const pieces = scrubberOf(KEY).pieces('plain');

    expect(pieces.push('It is s')).toBe('It is ');
    expect(pieces.holds).toBe(true);
    expect(pieces.push('o. ')).toBe('so. ');
    expect(pieces.holds).toBe(false);
    expect(pieces.push(KEY.slice(0, 9))).toBe('');
    expect(pieces.push('!')).toBe(`${KEY.slice(0, 9)}!`);
    expect(pieces.found).toBe(false);
  });

  it('loses the key wherever it is cut, and nothing else', () => {
    for (let cut = 0; cut <= KEY.length; cut += 1) {
      expect(scrubbed(KEY, 'plain', `a ${KEY.slice(0, cut)}`, `${KEY.slice(cut)} z`).join('')).toBe(
        'a [sealed] z',
      );
    }
    const escaped = `\\u0073k${KEY.slice(2)}`;
    for (let cut = 0; cut <= escaped.length; cut += 1) {
      expect(scrubbed(KEY, 'json', `"${escaped.slice(0, cut)}`, `${escaped.slice(cut)}\\n"`).join('')).toBe(
        '"[sealed]\\n"',
      );
    }
  });

  it('is the same in any pieces', () => {
    const random = randomOf(Number(process.env['SEED'] ?? Date.now() % 1_000_000));
    for (let round = 0; round < 300; round += 1) {
      const key = `${Array.from({ length: 20 }, () => random.pick(['a', 'b'])).join('')}1x1`;
      const parts = Array.from({ length: 8 }, () =>
        random.pick([
          key,
          key.slice(0, random.below(key.length)),
          key.slice(random.below(key.length)),
          'a',
          'b1',
          ' ',
        ]),
      );
      const text = parts.join('');
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const length = 1 + random.below(9);
        pieces.push(text.slice(at, at + length));
        at += length;
      }

      const whole = scrubbed(key, 'plain', text).join('');
      expect(scrubbed(key, 'plain', ...pieces).join(''), `SEED=${random.seed}`).toBe(whole);
      expect(whole, `SEED=${random.seed}`).not.toContain(key);
    }
  });
});
