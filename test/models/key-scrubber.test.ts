import { describe, expect, it } from 'vitest';
import { must } from '../../src/kernel/assert.ts';
import { Sealed } from '../../src/kernel/sealed.ts';
import { KeyScrubber } from '../../src/models/key-scrubber.ts';
import { readAnswer } from '../../src/models/json-texts.ts';
import { isSecret } from '../../src/secrets/secret-key.ts';
import { finished } from '../support/finished.ts';
import { randomOf } from '../support/random.ts';

const KEY = 'sk-ant-api03-Qx7pLm2ZtR9vK4sW-Jd8';
const scrubberOf = (key: string) => must(KeyScrubber.of(new Sealed(key)), 'the key is a secret');

function scrubbed(key: string, ...texts: readonly string[]): readonly string[] {
  const pieces = scrubberOf(key).pieces();
  return [...texts.map((text) => pieces.push(text)), pieces.flush()];
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

/** Each character of it, written like that. */
const each = (text: string, write: (code: number) => string) =>
  text
    .split('')
    .map((char) => write(char.charCodeAt(0)))
    .join('');
const hex = (code: number) => code.toString(16).padStart(2, '0');

describe('a text', () => {
  it('comes back as it was when the key is not in it (SCRUB-1)', () => {
    const text = `{"a":"s sk sk-ant- \\u0073k-ant-api03-Q \\\\ \\"${KEY.slice(9, 24)}","b":"\\n\\ud83d"} 100% &amp; &#0; \\`;

    expect(scrubberOf(KEY).text(text)).toBe(text);
    const bytes = Buffer.concat([Buffer.from(text), Buffer.from([0xff, 0x00, 0xc3])]);
    expect(finished(scrubberOf(KEY).bytes(bytes))).toBe(bytes);
    expect(finished(readAnswer(text, () => scrubberOf(KEY).pieces())).clean).toBeUndefined();
  });

  it('loses the key, however often, escaped or in part (SCRUB-2)', () => {
    const escaped = each(KEY, (code) => `\\u00${hex(code)}`);

    expect(scrubberOf(KEY).text(`<${KEY}> <${KEY}>`)).toBe('<[sealed]> <[sealed]>');
    expect(scrubberOf(KEY).text(`"${escaped}!"`)).toBe('"[sealed]!"');
    expect(scrubberOf(KEY).text(`"${escaped.toUpperCase().replaceAll('U', 'u')}!"`)).toBe('"[sealed]!"');
    expect(scrubberOf(KEY).text(`key ${KEY.slice(0, -4)}…`)).toBe('key [sealed]…');
    expect(scrubberOf(KEY).text(`sk-ant-${KEY}`)).toBe('sk-ant-[sealed]');
    for (let at = 0; at + 16 <= KEY.length; at += 1)
      expect(scrubberOf(KEY).text(`key …${KEY.slice(at, at + 16)}…`)).toBe('key …[sealed]…');
  });

  it.each([
    ['in capitals', KEY.toUpperCase()],
    ['in small letters', KEY.toLowerCase()],
    ['backwards', KEY.split('').toReversed().join('')],
    ['in hexadecimal', Buffer.from(KEY).toString('hex')],
    ['in capital hexadecimal', Buffer.from(KEY).toString('hex').toUpperCase()],
    ['escaped in JSON within JSON', each(KEY, (code) => `\\\\u00${hex(code)}`)],
    ['escaped in the JSON of that', each(KEY, (code) => `\\\\\\\\u00${hex(code)}`)],
    ['escaped as in a program', each(KEY, (code) => `\\x${hex(code)}`)],
    ['escaped by code points', each(KEY, (code) => `\\u{${hex(code)}}`)],
    ['escaped as in a URL', each(KEY, (code) => `%${hex(code)}`)],
    ['escaped twice as in a URL', each(KEY, (code) => `%25${hex(code).toUpperCase()}`)],
    ['escaped as in HTML', each(KEY, (code) => `&#${code};`)],
    ['escaped in hexadecimal as in HTML', each(KEY, (code) => `&#x${hex(code)};`)],
    ['with its signs escaped', KEY.replaceAll('-', '%2D')],
    ['with zeros between, as in UTF-16', each(KEY, (code) => `${String.fromCharCode(code)}\0`)],
    ['with invisible characters between', each(KEY, (code) => `${String.fromCharCode(code)}\u200b`)],
  ])('loses the key %s (SCRUB-2)', (_, written) => {
    expect(scrubberOf(KEY).text(`a "${written}" z`)).toMatch(/^a "\[sealed\][\0\u200b]?" z$/);
  });

  it('loses the key in base64, wherever it stands in what was encoded (SCRUB-2)', () => {
    for (const alphabet of ['base64', 'base64url'] as const) {
      for (let before = 0; before < 6; before += 1) {
        const encoded = Buffer.from(`${'user:x'.slice(0, before)}${KEY}\nmore`).toString(alphabet);
        const clean = scrubberOf(KEY).text(`Basic ${encoded}.`);

        expect(clean).toContain('[sealed]');
        for (const part of clean.split('[sealed]'))
          expect(Buffer.from(part, alphabet).toString('latin1')).not.toContain(KEY.slice(0, 4));
        expect(clean.length).toBeLessThan(40);
      }
    }
  });

  it('finds a key that JSON must escape, and stays JSON (proves PIECES-3)', () => {
    const key = 'a"b/c\\d0123456789xyz';

    expect(scrubberOf(key).text(JSON.stringify({ key }))).toBe('{"key":"[sealed]"}');
    expect(scrubberOf(key).text(`{"key":"a\\"b\\/c\\\\d0123456789xyz"}`)).toBe('{"key":"[sealed]"}');
    const nvapi = 'nvapi-2hF8sKq0Zt7LwX5m';
    expect(scrubberOf(nvapi).text(JSON.stringify({ key: `a\n${nvapi.slice(1)}` }))).toBe(
      '{"key":"a[sealed]"}',
    );
  });

  it('loses a key that is spread over the texts of one body (SCRUB-2)', () => {
    const parts = [KEY.slice(0, 9), KEY.slice(9, 20), KEY.slice(20)];
    const whole = { content: parts.map((text) => ({ type: 'text', text })), more: [KEY.slice(0, 9)] };

    const clean = JSON.parse(
      String(finished(readAnswer(JSON.stringify(whole), () => scrubberOf(KEY).pieces())).clean),
    );

    expect(clean.content.map(({ text }: { text: string }) => text)).toEqual([
      parts[0],
      '[sealed]',
      '[sealed]',
    ]);
    expect(clean.more).toEqual(whole.more);
  });

  it('holds back less than a run, and only what may be one (SCRUB-3, proves PIECES-2)', () => {
    const pieces = scrubberOf(KEY).pieces();

    expect(pieces.push('It is sk-')).toBe('It is sk-');
    expect(pieces.holds).toBe(false);
    expect(pieces.push('an')).toBe('');
    expect(pieces.holds).toBe(true);
    expect(pieces.push('. ')).toBe('an. ');
    expect(pieces.holds).toBe(false);
    expect(pieces.push(KEY.slice(0, 9))).toBe('');
    expect(pieces.push('!')).toBe(`${KEY.slice(0, 9)}!`);
    expect(pieces.push('100%')).toBe('100');
    expect(pieces.flush()).toBe('%');
    expect(pieces.found).toBe(false);
  });

  it('loses all but three characters of the key wherever it is cut, and nothing else', () => {
    for (let cut = 0; cut <= KEY.length; cut += 1) {
      const known = cut < 4 ? KEY.slice(0, cut) : '';
      expect(scrubbed(KEY, `a ${KEY.slice(0, cut)}`, `${KEY.slice(cut)} z`).join('')).toBe(
        `a ${known}[sealed] z`,
      );
    }
    const escaped = `\\u0073k${KEY.slice(2)}`;
    for (let cut = 0; cut <= escaped.length; cut += 1) {
      expect(scrubbed(KEY, `"${escaped.slice(0, cut)}`, `${escaped.slice(cut)}\\n"`).join('')).toMatch(
        /^"(\\u0073k?-?)?\[sealed\]\\n"$/,
      );
    }
  });

  it('gives out no run wherever it has to be given out, in any pieces (proves PIECES-1)', () => {
    for (let first = 1; first < KEY.length; first += 1) {
      for (let second = first + 1; second < KEY.length; second += 1) {
        const pieces = scrubberOf(KEY).pieces();
        const parts = [KEY.slice(0, first), KEY.slice(first, second), KEY.slice(second)];
        const out = parts.map((part) => pieces.push(part) + pieces.flush()).join('');

        for (let at = 0; at + 16 <= KEY.length; at += 1) expect(out).not.toContain(KEY.slice(at, at + 16));
      }
    }
  });

  it('is the same in any pieces, but for what was given out before it was known', () => {
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
      const text = parts.join('|');
      const pieces: string[] = [];
      for (let at = 0; at < text.length; ) {
        const length = 1 + random.below(9);
        pieces.push(text.slice(at, at + length));
        at += length;
      }

      const [whole = '', left = ''] = scrubbed(key, text);
      const cut = scrubbed(key, ...pieces).join('');
      const parted = cut.split('[sealed]');
      const expected = (whole + left).split('[sealed]');
      expect(parted.length, `SEED=${random.seed}`).toBe(expected.length);
      for (const [index, part] of parted.entries()) {
        const known = part.slice(expected[index]?.length);
        expect(part.slice(0, part.length - known.length), `SEED=${random.seed}`).toBe(expected[index]);
        expect(known.length, `SEED=${random.seed}`).toBeLessThan(4);
      }
      for (let at = 0; at + 16 <= key.length; at += 1)
        expect(cut, `SEED=${random.seed}`).not.toContain(key.slice(at, at + 16));
    }
  });
});
